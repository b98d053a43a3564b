CREATE TABLE maestro_audit (
    prefix      text        NOT NULL,
    stream      text        NOT NULL,
    part        text        NOT NULL,
    entry       text        NOT NULL,
    entered     timestamptz NOT NULL,
    time        timestamptz NOT NULL,
    type        text        NOT NULL,
    id          text        NOT NULL,
    source      text,
    subject     text,
    correlation text        NOT NULL,
    causation   text,
    outcome     text,
    detail      text,
    data        jsonb       NOT NULL,
    recorded    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (prefix, stream, part, entry)
);
CREATE INDEX maestro_audit_correlation ON maestro_audit (prefix, correlation);
CREATE INDEX maestro_audit_entered ON maestro_audit (prefix, entered);
