//! One row of the audit trail, whatever the message.

use jiff::Timestamp;
use maestro_protocol::Stream;
use maestro_streams::{Entry, EntryId};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// Which of a stream's keys an entry stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The stream itself.
    Entries,
    /// Its urgent lane.
    Urgent,
    /// Its dead letters.
    Dead,
}

impl Part {
    /// Every part, in this order.
    pub const ALL: [Self; 3] = [Self::Entries, Self::Urgent, Self::Dead];

    /// As it stands in a row.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Entries => "entries",
            Self::Urgent => "urgent",
            Self::Dead => "dead",
        }
    }
}

/// One row. A message that cannot be understood has one too: what is missing is empty, and `data` is the text as it came.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The stream's name, without the prefix.
    pub stream: &'static str,
    /// Which of its keys.
    pub part: Part,
    /// The entry's id; with `stream` and `part` it names the row.
    #[serde(serialize_with = "text")]
    pub entry: EntryId,
    /// When it came into Redis, by its entry's id.
    pub entered: Timestamp,
    /// When it was said, by whoever said it; when it came if that is not told.
    pub time: Timestamp,
    /// The message's type; may be empty.
    #[serde(rename = "type")]
    pub kind: String,
    /// The message's own id, else the entry's.
    pub id: String,
    /// Who said it.
    pub source: Option<String>,
    /// What it is about.
    pub subject: Option<String>,
    /// The flow that it belongs to; its own id where it began one.
    pub correlation: String,
    /// The id of the message that it came from.
    pub causation: Option<String>,
    /// The verdict, decision, judgement, phase, outcome or cause, where the type has one; a dead letter's reason.
    pub outcome: Option<String>,
    /// Why, one sentence; a dead letter's detail.
    pub detail: Option<String>,
    /// The payload. Where it is not JSON: its text.
    pub data: Value,
}

fn text<S: Serializer>(id: &EntryId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// The member of the payload that says how it went.
fn telling(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "maestro.error.triaged.v1" => "decision",
        "maestro.heal.completed.v1" => "verdict",
        "maestro.validation.completed.v1" => "judgement",
        "maestro.environment.status.v1" => "phase",
        "maestro.environment.tested.v1" => "outcome",
        "maestro.environment.deleted.v1" => "cause",
        _ => return None,
    })
}

/// The latest time that a row can have, for ids that nobody's clock has made.
fn moment(ms: u64) -> Timestamp {
    let ms = i64::try_from(ms).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
}

impl Row {
    /// What an entry says, read tolerantly: no entry is left out of the trail because it is wrong.
    pub fn of(stream: Stream, part: Part, entry: &Entry) -> Self {
        let raw = |name: &str| entry.fields.get(name).map(String::from_utf8_lossy);
        let field = |name: &str| {
            raw(name)
                .filter(|text| !text.is_empty())
                .map(std::borrow::Cow::into_owned)
        };
        let entered = moment(entry.id.ms);
        let kind = field("type").unwrap_or_default();
        let id = field("id").unwrap_or_else(|| entry.id.to_string());
        let data = raw("data").map_or(Value::Null, |text| {
            serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.into_owned()))
        });
        let member = |name: &str| data.get(name)?.as_str().map(str::to_owned);
        let (outcome, detail) = match part {
            Part::Dead => (field("deadreason"), field("deaddetail")),
            _ => (
                telling(&kind).and_then(member),
                member("reason").or_else(|| member("detail")),
            ),
        };
        Self {
            stream: stream.name(),
            part,
            entry: entry.id,
            entered,
            time: field("time")
                .and_then(|time| time.parse().ok())
                // PostgreSQL writes the years before it otherwise, and no message is so old.
                .filter(|time| *time >= Timestamp::UNIX_EPOCH)
                .unwrap_or(entered),
            source: field("source"),
            subject: field("subject"),
            correlation: field("correlationid").unwrap_or_else(|| id.clone()),
            causation: field("causationid"),
            id,
            kind,
            outcome,
            detail,
            data,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(fields: &[(&'static str, &'static str)]) -> Entry {
        Entry {
            id: EntryId { ms: 1000, seq: 2 },
            fields: fields.iter().copied().collect(),
        }
    }

    #[test]
    fn a_verdict_is_a_row_with_its_outcome_and_its_flow() {
        let entry = entry(&[
            ("type", "maestro.heal.completed.v1"),
            ("id", "a1/0/0"),
            ("time", "2026-07-01T12:00:00Z"),
            ("correlationid", "a1"),
            ("causationid", "a1/0"),
            ("data", r#"{"verdict":"healed","reason":"it moved"}"#),
        ]);
        let row = Row::of(Stream::Results, Part::Entries, &entry);
        assert_eq!(row.outcome.as_deref(), Some("healed"));
        assert_eq!(row.detail.as_deref(), Some("it moved"));
        assert_eq!(
            (row.correlation.as_str(), row.id.as_str()),
            ("a1", "a1/0/0")
        );
        assert_eq!(row.causation.as_deref(), Some("a1/0"));
        assert_eq!(row.time.to_string(), "2026-07-01T12:00:00Z");
        assert_eq!(row.entered.to_string(), "1970-01-01T00:00:01Z");
    }

    #[test]
    fn what_cannot_be_understood_is_a_row_all_the_same() {
        let bare = entry(&[("data", "{half"), ("time", "soon")]);
        let row = Row::of(Stream::Results, Part::Entries, &bare);
        assert_eq!(row.data, Value::String("{half".to_owned()));
        assert_eq!((row.id.as_str(), row.kind.as_str()), ("1000-2", ""));
        assert_eq!(row.correlation, "1000-2");
        assert_eq!(row.time, row.entered);
        let late = Entry {
            id: EntryId {
                ms: u64::MAX,
                seq: u64::MAX,
            },
            ..entry(&[("x", "y")])
        };
        let row = Row::of(Stream::Errors, Part::Dead, &late);
        assert_eq!(row.entered, Timestamp::MAX);
        assert_eq!(row.data, Value::Null);
    }
}
