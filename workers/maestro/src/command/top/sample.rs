//! What is seen of the fleet at one moment: plain values, read by the sampler and drawn without asking anybody.

use std::time::Duration;

use jiff::Timestamp;
use maestro_protocol::Stream;
use maestro_streams::{EntryId, Fields, Replica};

use crate::output::Tone;

/// The fleet at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample {
    /// The time of day.
    pub(super) taken: Timestamp,
    /// Since the view was opened.
    pub(super) clock: Duration,
    pub(super) streams: Vec<StreamLine>,
    pub(super) replicas: Vec<Replica>,
    pub(super) work: Vec<Work>,
    pub(super) dead: Vec<Letter>,
}

/// One stream, both lanes together.
#[derive(Debug, Clone, Default)]
pub(super) struct StreamLine {
    pub(super) name: String,
    /// Whether a worker of ours reads it; the results streams are read by whoever likes.
    pub(super) is_read: bool,
    /// Not yet delivered; `None` if Redis does not know.
    pub(super) lag: Option<u64>,
    /// In the hands of workers.
    pub(super) pending: u64,
    /// Waits for its time or its turn.
    pub(super) waiting: u64,
    pub(super) dead: u64,
    /// How many entries ever came, and how many of them were done with.
    pub(super) added: u64,
    pub(super) done: Option<u64>,
    /// The age of the oldest message that is not done with.
    pub(super) oldest: Option<Duration>,
    /// Living replicas.
    pub(super) alive: usize,
}

/// Something that goes on, or has just ended: a heal, an environment, a verdict.
#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) what: &'static str,
    /// Where it stands, in a word.
    pub(super) state: String,
    pub(super) tone: Tone,
    pub(super) age: Duration,
    pub(super) subject: String,
    pub(super) detail: Detail,
}

/// A message that was set aside.
#[derive(Debug, Clone)]
pub(super) struct Letter {
    pub(super) stream: Stream,
    pub(super) id: EntryId,
    pub(super) reason: String,
    pub(super) age: Duration,
    /// The message's own id, if it has one, and what was wrong with it.
    pub(super) why: String,
    pub(super) flow: Option<String>,
}

/// One thing at length.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Detail {
    pub(super) title: String,
    pub(super) lines: Vec<String>,
    /// The flow that it belongs to.
    pub(super) flow: Option<String>,
    /// If it is a dead letter: which.
    pub(super) letter: Option<(Stream, EntryId)>,
}

impl Detail {
    /// A message as it stands in its stream.
    pub(super) fn of_message(title: String, fields: &Fields) -> Self {
        let mut lines = Vec::new();
        for (name, value) in fields.iter() {
            let name = String::from_utf8_lossy(name);
            let value = String::from_utf8_lossy(value);
            let json = serde_json::from_str::<serde_json::Value>(&value).ok();
            let json = json.filter(|json| json.is_object() && name == "data");
            let value = json
                .and_then(|json| serde_json::to_string_pretty(&json).ok())
                .unwrap_or_else(|| value.into_owned());
            for (number, line) in value.lines().enumerate() {
                let name = if number == 0 { name.as_ref() } else { "" };
                lines.push(format!("{name:<16}{line}"));
            }
        }
        Self {
            title,
            lines,
            flow: flow_of(fields),
            letter: None,
        }
    }
}

/// The flow that a message belongs to: its correlation id, else its own id, with which a flow begins.
pub(super) fn flow_of(fields: &Fields) -> Option<String> {
    let field = |name| fields.get_str(name).filter(|value| !value.is_empty());
    field("correlationid").or(field("id")).map(str::to_owned)
}
