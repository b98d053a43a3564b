//! One connection to PostgreSQL, made anew when it is lost.

use std::borrow::Cow;
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, NoTls, Socket, Statement};

use super::Postgres;
use super::migrate::{MigrationError, migrate};
use crate::row::Row;

/// How long anything may take before the connection is given up. What was committed all the same is not written twice.
const PATIENCE: Duration = Duration::from_secs(30);

/// No conflict target: it would need the right to read the table.
const INSERT: &str = "\
INSERT INTO maestro_audit
    (prefix, stream, part, entry, entered, time, type, id, source, subject, correlation, causation, outcome, detail, data)
SELECT $1, stream, part, entry, entered::timestamptz, time::timestamptz, type, id, source, subject, correlation, causation, outcome, detail, data::jsonb
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[])
    AS rows (stream, part, entry, entered, time, type, id, source, subject, correlation, causation, outcome, detail, data)
ON CONFLICT DO NOTHING";

/// Why rows were not written.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// The database, or the right to write there, is not to be had now.
    Away(String),
    /// The database cannot hold one of them.
    Unfit(String),
}

pub(super) struct Database {
    postgres: Postgres,
    prefix: String,
    open: Option<(Client, Statement)>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Database({})", self.postgres)
    }
}

impl Database {
    pub(super) fn new(postgres: Postgres, prefix: String) -> Self {
        Self {
            postgres,
            prefix,
            open: None,
        }
    }

    /// Writes these rows, all or none. One that stands there already stays as it is.
    pub(super) async fn append(&mut self, rows: &[Row]) -> Result<(), Failure> {
        let done = timeout(PATIENCE, self.insert(rows)).await;
        let failed = match done {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(failure @ Failure::Unfit(_))) => return Err(failure),
            Ok(Err(failure)) => failure,
            Err(_) => Failure::Away(format!("no answer within {} s", PATIENCE.as_secs())),
        };
        self.open = None;
        Err(failed)
    }

    async fn insert(&mut self, rows: &[Row]) -> Result<(), Failure> {
        if self
            .open
            .as_ref()
            .is_some_and(|(client, _)| client.is_closed())
        {
            self.open = None;
        }
        let (client, statement) = match &mut self.open {
            Some(open) => open,
            none => none.insert(open(&self.postgres).await?),
        };
        let entered: Vec<_> = rows.iter().map(|row| row.entered.to_string()).collect();
        let time: Vec<_> = rows.iter().map(|row| row.time.to_string()).collect();
        let entry: Vec<_> = rows.iter().map(|row| row.entry.to_string()).collect();
        let data: Vec<_> = rows.iter().map(|row| json(&row.data)).collect();
        let stream: Vec<_> = rows.iter().map(|row| row.stream).collect();
        let part: Vec<_> = rows.iter().map(|row| row.part.name()).collect();
        let column = |text: fn(&Row) -> &str| rows.iter().map(|row| clean(text(row))).collect();
        let may =
            |text: fn(&Row) -> Option<&str>| rows.iter().map(|row| text(row).map(clean)).collect();
        let kind: Vec<Cow<'_, str>> = column(|row| &row.kind);
        let id: Vec<Cow<'_, str>> = column(|row| &row.id);
        let correlation: Vec<Cow<'_, str>> = column(|row| &row.correlation);
        let source: Vec<Option<Cow<'_, str>>> = may(|row| row.source.as_deref());
        let subject: Vec<Option<Cow<'_, str>>> = may(|row| row.subject.as_deref());
        let causation: Vec<Option<Cow<'_, str>>> = may(|row| row.causation.as_deref());
        let outcome: Vec<Option<Cow<'_, str>>> = may(|row| row.outcome.as_deref());
        let detail: Vec<Option<Cow<'_, str>>> = may(|row| row.detail.as_deref());
        let values: [&(dyn ToSql + Sync); 15] = [
            &self.prefix,
            &stream,
            &part,
            &entry,
            &entered,
            &time,
            &kind,
            &id,
            &source,
            &subject,
            &correlation,
            &causation,
            &outcome,
            &detail,
            &data,
        ];
        let written = client.execute(&*statement, &values).await;
        written.map(drop).map_err(|error| failure(&error))
    }
}

async fn open(postgres: &Postgres) -> Result<(Client, Statement), Failure> {
    let mut client = match &postgres.tls {
        None => connect(postgres, NoTls).await?,
        Some(tls) => connect(postgres, tls.connector().map_err(Failure::Away)?).await?,
    };
    match migrate(&mut client).await {
        Ok(()) => {}
        Err(MigrationError::Postgres(error)) => return Err(Failure::Away(sentence(&error))),
        Err(error) => return Err(Failure::Away(error.to_string())),
    }
    let statement = client.prepare(INSERT).await;
    let statement = statement.map_err(|error| Failure::Away(sentence(&error)))?;
    Ok((client, statement))
}

async fn connect<T>(postgres: &Postgres, tls: T) -> Result<Client, Failure>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let connected = postgres.config.connect(tls).await;
    let (client, connection) = connected.map_err(|error| failure(&error))?;
    // It ends with the client; what goes wrong on it, the client's calls say.
    tokio::spawn(connection);
    Ok(client)
}

/// Classes 22 and 54: a value that does not fit its type, or a limit of the server
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>). Whatever else is wrong, a person can put right.
fn failure(error: &Error) -> Failure {
    let is_unfit = error.code().is_some_and(|code| {
        ["22", "54"]
            .iter()
            .any(|class| code.code().starts_with(class))
    });
    if is_unfit {
        Failure::Unfit(sentence(error))
    } else {
        Failure::Away(sentence(error))
    }
}

fn sentence(error: &Error) -> String {
    match error.as_db_error() {
        Some(said) => said.message().to_owned(),
        None => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}

/// PostgreSQL's text has no NUL.
fn clean(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// Nor has its JSON. A NUL is the only thing that `\u0000` is written for, unless a backslash stands before it.
fn json(data: &serde_json::Value) -> String {
    let text = data.to_string();
    if !text.contains("\\u0000") {
        return text;
    }
    without_nul(data).to_string()
}

fn without_nul(data: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match data {
        Value::String(text) => Value::String(clean(text).into_owned()),
        Value::Array(items) => items.iter().map(without_nul).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (clean(name).into_owned(), without_nul(value)))
            .collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_postgresql_cannot_hold_is_replaced_and_nothing_else() {
        let data = serde_json::json!({"a\0": ["x\0y", 1], "b": "\\u0000"});
        let held: serde_json::Value = serde_json::from_str(&json(&data)).unwrap();
        let expected = serde_json::json!({"a\u{fffd}": ["x\u{fffd}y", 1], "b": "\\u0000"});
        assert_eq!(held, expected);
    }
}
