//! The same messages as one JSON object each (a CloudEvent in structured mode), since the peers carry one value a message.

use serde::{Deserialize, Serialize};

use crate::message::job;

/// A message that waits to be handled.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Event {
    pub specversion: String,
    pub id: String,
    pub source: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub time: String,
    pub datacontenttype: String,
    pub data: Data,
}

/// Its payload.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Data {
    pub test: String,
    pub seconds: f64,
    pub log: String,
}

impl Event {
    /// The `n`th message, of exactly `bytes` as JSON: the log is shortened by what the punctuation takes.
    pub fn new(n: usize, bytes: usize) -> anyhow::Result<Self> {
        let mut members = serde_json::Map::new();
        for (name, value) in job(n) {
            let value = match name {
                "data" => serde_json::from_str(&value)?,
                _ => value.into(),
            };
            members.insert(name.to_owned(), value);
        }
        let mut event: Self = serde_json::from_value(members.into())?;
        let excess = serde_json::to_vec(&event)?.len().saturating_sub(bytes);
        let left = event.data.log.len().saturating_sub(excess);
        event.data.log.truncate(left);
        Ok(event)
    }
}
