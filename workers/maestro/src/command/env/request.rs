//! What goes to the workers: one message, checked by the code that reads it at the other end.

use std::hash::{BuildHasher, Hasher, RandomState};

use maestro_protocol::{Message, Stream};
use maestro_streams::EntryId;
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::fleet::connection;
use crate::message::Draft;
use crate::session::Session;

/// Who asks.
const SOURCE: &str = "maestro/env";

/// A message that was sent.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) stream: Stream,
    pub(super) id: String,
    pub(super) entry: EntryId,
}

impl Asked {
    /// As `maestro publish` tells it.
    pub(super) fn as_json(&self) -> Value {
        json!({
            "id": self.id,
            "stream": self.stream.name(),
            "entry": self.entry.to_string(),
        })
    }
}

/// An id that nobody else has.
pub(super) fn fresh_id() -> String {
    // The standard library seeds this from the operating system.
    let mut random = RandomState::new().build_hasher();
    random.write_u32(std::process::id());
    format!("{:016x}", random.finish())
}

/// The message with this payload.
pub(super) fn draft(message: &str, stream: Stream, id: &str, subject: &str, data: &Value) -> Draft {
    let fields = [
        ("specversion", "1.0"),
        ("type", message),
        ("id", id),
        ("source", SOURCE),
        ("subject", subject),
    ];
    let fields = fields.into_iter().filter(|(_, value)| !value.is_empty());
    let mut fields: Vec<_> = fields
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    fields.push(("data".to_owned(), data.to_string()));
    Draft {
        stream: stream.name().to_owned(),
        fields,
    }
}

/// A message about the environment `subject`, which may be empty, with an id of its own.
pub(super) fn about(message: &Message, subject: &str) -> Result<(String, Draft), Fault> {
    let data = serde_json::to_value(message)
        .map_err(|error| Fault::data(format!("the request cannot be written as JSON: {error}")))?;
    let id = fresh_id();
    let draft = draft(message.type_name(), message.stream(), &id, subject, &data);
    draft
        .check()
        .map_err(|refusal| Fault::usage(refusal.detail))?;
    Ok((id, draft))
}

/// Sends it.
pub(super) async fn send(session: &Session, id: &str, draft: &Draft) -> Result<Asked, Fault> {
    let fault = |error| connection::fault(&error);
    let publisher = connection::publisher(session)?;
    let sent = publisher.publish(&[draft.outgoing()]).await;
    let entry = sent.map_err(fault)?.into_iter().next();
    let stream = draft.stream.parse().map_err(|error| {
        // Every draft here is for a stream of the fleet.
        Fault::usage(format!("{error}"))
    })?;
    Ok(Asked {
        stream,
        id: id.to_owned(),
        entry: entry.unwrap_or_default(),
    })
}
