//! The `CloudEvents` 1.0 attributes that travel beside a payload, one stream entry field each.

use std::fmt::Display;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::refusal::{DeadReason, Refusal};
use crate::rfc3339;
use crate::trace::is_traceparent;
use crate::violation::Quoted;

/// The most bytes of one attribute. Whatever is longer belongs into `data`.
pub const MAX_ATTRIBUTE_BYTES: usize = 4096;

/// The version of `CloudEvents` that is spoken.
pub const SPEC_VERSION: &str = "1.0";

/// Everything of a message but its type and its payload.
///
/// What a producer did not give is `None`; nothing is made up here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Unique for its `source`. A reader puts the stream entry's id in where there is none.
    pub id: Option<String>,
    /// A URI reference of the producer.
    pub source: Option<String>,
    /// What the message is about: a test id, an environment id.
    pub subject: Option<String>,
    /// When it was said.
    pub time: Option<Timestamp>,
    /// [W3C Trace Context](https://www.w3.org/TR/trace-context/); one that cannot be read is dropped.
    pub traceparent: Option<String>,
    /// The vendors' part of the trace context; never without a `traceparent`.
    pub tracestate: Option<String>,
    /// One value for a whole flow.
    pub correlationid: Option<String>,
    /// The id of the message that this one came from.
    pub causationid: Option<String>,
    /// A message read after this time is not handled.
    pub expirytime: Option<Timestamp>,
    /// A message is not handled before this time.
    pub notbefore: Option<Timestamp>,
    /// Messages of one key belong together
    /// ([extension](https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/partitioning.md)).
    pub partitionkey: Option<String>,
    /// Fields that the contract does not name, in their order. Kept on forwarding.
    pub extra: Vec<(String, String)>,
}

impl Envelope {
    /// The envelope of what `worker` says because of `cause`: the reply with this number, or what it says under this key before.
    ///
    /// Its id is `<cause id>/<part>`, so that saying it again says the same message again. An id is
    /// unique only for its source, so the source of the cause goes, hashed, into the new source: two
    /// producers that both count from 1 do not shadow one another further down. Correlation, trace
    /// context, partition key and unknown fields are carried on; `expirytime` and `notbefore` are not,
    /// because they are said of the cause alone.
    #[must_use]
    pub fn caused_by(cause: &Self, part: impl Display, worker: &str, now: Timestamp) -> Self {
        Self {
            id: cause.id.as_ref().map(|id| format!("{id}/{part}")),
            source: Some(match &cause.source {
                None => format!("maestro/{worker}"),
                Some(source) => format!("maestro/{worker}?for={}", source_hash(source)),
            }),
            subject: cause.subject.clone(),
            time: Some(now),
            traceparent: cause.traceparent.clone(),
            tracestate: cause.tracestate.clone(),
            correlationid: cause.correlation().map(str::to_owned),
            causationid: cause.id.clone(),
            expirytime: None,
            notbefore: None,
            partitionkey: cause.partitionkey.clone(),
            extra: cause
                .extra
                .iter()
                .filter(|(name, _)| !is_of_one_message(name))
                .cloned()
                .collect(),
        }
    }

    /// The envelope of what `worker` says once, whichever message it noticed it with: the id is the key, and no cause
    /// has a part in the source. The rest is as [`Envelope::caused_by`] has it, of the cause that came first.
    #[must_use]
    pub fn said_once(cause: &Self, key: String, worker: &str, now: Timestamp) -> Self {
        Self {
            source: Some(format!("maestro/{worker}?once")),
            id: Some(key),
            ..Self::caused_by(cause, "", worker, now)
        }
    }

    /// The value that all messages of one flow share: the correlation id, or the id of the first message.
    pub fn correlation(&self) -> Option<&str> {
        self.correlationid.as_deref().or(self.id.as_deref())
    }

    /// Refuses a message that is read after its expiry time.
    pub fn check_expiry(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.expirytime {
            Some(expiry) if expiry < now => Err(Refusal::new(
                DeadReason::Expired,
                format!(
                    "field `expirytime`: the message expired at {expiry}, and was read at {now}"
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Takes in one field. Gives it back if it is no attribute of the envelope.
    pub(crate) fn take(&mut self, name: &str, value: &str) -> Result<Taken, Refusal> {
        let slot = match name {
            "id" => &mut self.id,
            "source" => &mut self.source,
            "subject" => &mut self.subject,
            "correlationid" => &mut self.correlationid,
            "causationid" => &mut self.causationid,
            "partitionkey" => &mut self.partitionkey,
            "traceparent" => &mut self.traceparent,
            "tracestate" => &mut self.tracestate,
            "time" => return take_time(&mut self.time, name, value),
            "expirytime" => return take_time(&mut self.expirytime, name, value),
            "notbefore" => return take_time(&mut self.notbefore, name, value),
            "specversion" if value == SPEC_VERSION => return Ok(Taken::Yes),
            "specversion" => return Err(Refusal::field(name, "`1.0`", Quoted(value))),
            _ => return Ok(Taken::No),
        };
        if value.len() > MAX_ATTRIBUTE_BYTES {
            let expected = format!("at most {MAX_ATTRIBUTE_BYTES} bytes");
            return Err(Refusal::field(
                name,
                &expected,
                format_args!("{} bytes", value.len()),
            ));
        }
        // An empty trace context is one that cannot be read; the other attributes are never empty.
        if value.is_empty() && !name.starts_with("trace") {
            return Err(Refusal::field(
                name,
                "a string that is not empty",
                "an empty one",
            ));
        }
        *slot = Some(value.to_owned());
        Ok(Taken::Yes)
    }

    /// Drops a trace context that cannot be read, as the recommendation says.
    pub(crate) fn drop_unreadable_trace(&mut self) {
        if !self.traceparent.as_deref().is_some_and(is_traceparent) {
            self.traceparent = None;
            self.tracestate = None;
        }
    }
}

/// Whether a field belonged to the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    Yes,
    No,
}

fn take_time(slot: &mut Option<Timestamp>, name: &str, value: &str) -> Result<Taken, Refusal> {
    let time = rfc3339::parse(value).ok_or_else(|| {
        Refusal::field(
            name,
            "an RFC 3339 time such as `2026-07-01T12:00:00Z`",
            Quoted(value),
        )
    })?;
    *slot = Some(time);
    Ok(Taken::Yes)
}

fn source_hash(source: &str) -> String {
    let digest = Sha256::digest(source.as_bytes());
    let start = digest.first_chunk::<8>().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(start))
}

/// Unknown to the envelope, but known to be true of one message only: what describes its `data`, and why
/// it died.
fn is_of_one_message(name: &str) -> bool {
    matches!(name, "datacontenttype" | "dataschema")
        || matches!(
            name,
            "deadreason"
                | "deaddetail"
                | "deadstream"
                | "deadid"
                | "deadgroup"
                | "deadconsumer"
                | "deaddeliveries"
                | "deadtime"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_message_that_answers_another_carries_the_flow_on_and_derives_its_id() {
        let cause = Envelope {
            id: Some("a".into()),
            source: Some("ci".into()),
            traceparent: Some("tp".into()),
            expirytime: Some(at("2026-01-01T00:00:00Z")),
            extra: vec![
                ("team".into(), "x".into()),
                ("dataschema".into(), "y".into()),
            ],
            ..Envelope::default()
        };
        let now = at("2026-07-01T00:00:00Z");
        let first = Envelope::caused_by(&cause, 0, "triage", now);
        let second = Envelope::caused_by(&first, 1, "heal", now);
        assert_eq!(first.id.as_deref(), Some("a/0"));
        assert_eq!(second.id.as_deref(), Some("a/0/1"));
        assert_eq!(second.causationid.as_deref(), Some("a/0"));
        assert_eq!(second.correlationid.as_deref(), Some("a"));
        assert_eq!(second.traceparent.as_deref(), Some("tp"));
        assert_eq!(second.extra, [("team".to_owned(), "x".to_owned())]);
        assert_eq!(first.expirytime, None);
    }

    #[test]
    fn two_sources_that_use_the_same_id_stay_apart_downstream() {
        let said_by = |source: &str| {
            let cause = Envelope {
                id: Some("1".into()),
                source: Some(source.into()),
                ..Envelope::default()
            };
            let derived = Envelope::caused_by(&cause, 0, "triage", Timestamp::UNIX_EPOCH);
            (derived.source, derived.id)
        };
        assert_ne!(said_by("a"), said_by("b"));
        assert_eq!(said_by("a"), said_by("a"));
    }

    #[test]
    fn what_is_said_once_is_the_same_message_whatever_it_was_noticed_with() {
        let said_with = |id: &str, source: Option<&str>| {
            let cause = Envelope {
                id: Some(id.into()),
                source: source.map(Into::into),
                ..Envelope::default()
            };
            Envelope::said_once(&cause, "uid 7".into(), "cleanup", Timestamp::UNIX_EPOCH)
        };
        let (one, other) = (said_with("a", Some("ci")), said_with("b", None));
        assert_eq!((&one.source, &one.id), (&other.source, &other.id));
        assert_eq!(one.id.as_deref(), Some("uid 7"));
        assert_eq!(one.causationid.as_deref(), Some("a"));
    }

    #[test]
    fn a_message_is_expired_after_its_time_and_not_before() {
        let envelope = Envelope {
            expirytime: Some(at("2026-07-01T00:00:00Z")),
            ..Envelope::default()
        };
        assert!(envelope.check_expiry(at("2026-07-01T00:00:00Z")).is_ok());
        let refusal = envelope
            .check_expiry(at("2026-07-01T00:00:01Z"))
            .unwrap_err();
        assert_eq!(refusal.reason, DeadReason::Expired);
        assert!(
            Envelope::default()
                .check_expiry(at("2026-07-01T00:00:01Z"))
                .is_ok()
        );
    }
}
