//! What a worker says in answer to a message, and how it is put into its envelope.

use std::fmt::Display;

use jiff::Timestamp;
use maestro_protocol::{Envelope, Message, Refusal, Stream, encode_forwarding};
use maestro_streams::Outgoing;
use serde_json::{Map, Value};

/// A message to be said because of the one handled. Its id, source, time, causation, correlation and trace context
/// are derived from the cause.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    message: Message,
    subject: Option<String>,
    expirytime: Option<Timestamp>,
    members: Map<String, Value>,
}

impl Reply {
    /// Says a payload; its type determines the stream.
    pub fn new(payload: impl Into<Message>) -> Self {
        Self {
            message: payload.into(),
            subject: None,
            expirytime: None,
            members: Map::new(),
        }
    }

    /// What it is about; as the cause without this.
    #[must_use]
    pub fn subject(self, subject: impl Into<String>) -> Self {
        Self {
            subject: Some(subject.into()),
            ..self
        }
    }

    /// Until when it may be handled; for ever without this.
    #[must_use]
    pub fn expires(self, expirytime: Option<Timestamp>) -> Self {
        Self { expirytime, ..self }
    }

    /// Hands on the members of the cause's `data` that the payload does not have itself.
    #[must_use]
    pub fn forwarding(self, members: Map<String, Value>) -> Self {
        Self { members, ..self }
    }

    /// What is said.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// The fields of the entry that says it because of `cause`, with `part` (a reply's number) as the last part of its id, and the
    /// stream that they go to.
    pub fn encode(
        &self,
        cause: &Envelope,
        part: impl Display,
        worker: &str,
        now: Timestamp,
    ) -> Result<(Stream, Vec<(String, String)>), Refusal> {
        self.fields(Envelope::caused_by(cause, part, worker, now))
    }

    fn fields(&self, mut envelope: Envelope) -> Result<(Stream, Vec<(String, String)>), Refusal> {
        if let Some(subject) = &self.subject {
            envelope.subject = Some(subject.clone());
        }
        envelope.expirytime = self.expirytime;
        let fields = encode_forwarding(&envelope, &self.message, &self.members)?;
        Ok((self.message.stream(), fields))
    }

    /// In this envelope, as the runtime publishes it.
    pub(crate) fn outgoing(&self, envelope: Envelope, urgent: bool) -> Result<Outgoing, Refusal> {
        let (stream, fields) = self.fields(envelope)?;
        let fields = fields
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Ok(Outgoing {
            stream: stream.name().to_owned(),
            fields,
            // What an urgent message brings about is urgent too, where a worker reads it.
            urgent: urgent && stream.group().is_some(),
        })
    }
}

/// The names of the messages, for log lines.
pub(crate) fn named(replies: &[Reply]) -> String {
    let names: Vec<&str> = replies
        .iter()
        .map(|reply| reply.message().type_name())
        .collect();
    names.join(", ")
}
