use std::time::Duration;

use bytes::Bytes;

/// A message to append to a stream.
///
/// Give it an id of its own that is a function of its cause (for example [`crate::EntryId::derive`] of the entry it came
/// from, in whichever field your messages carry their id). On a single server the outcome is appended and
/// the cause acknowledged in one atomic step. In a cluster the two live in different slots: the messages are appended
/// first, a crash in between appends them again, and the receiver's deduplication by that id closes the gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The stream's name, without the key prefix.
    pub stream: String,
    /// Names and values, in order; at least one.
    pub fields: Vec<(Bytes, Bytes)>,
    /// Goes to the stream's urgent lane, which consumers read first; see [`crate::ConsumerConfig::urgent_lane`].
    pub urgent: bool,
}

impl Outgoing {
    /// A message for this stream, to be filled by [`Outgoing::field`].
    pub fn new(stream: impl Into<String>) -> Self {
        Self {
            stream: stream.into(),
            fields: Vec::new(),
            urgent: false,
        }
    }

    /// Sends it by the urgent lane.
    #[must_use]
    pub fn urgent(self, urgent: bool) -> Self {
        Self { urgent, ..self }
    }

    /// Appends a field.
    #[must_use]
    pub fn field(mut self, name: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// The bytes of all names and values together.
    pub fn byte_len(&self) -> usize {
        self.fields
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum()
    }
}

/// What a handler made of a message. Nothing of it happens before the commit, and the commit happens only if
/// this worker still owns the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Handled: append these messages and acknowledge.
    Done(Vec<Outgoing>),
    /// Not now, and it may work later: the message waits and is delivered again. It counts as a delivery.
    Retry {
        /// Why, for people.
        reason: String,
        /// How long to wait; exponential back-off with full jitter if `None`.
        after: Option<Duration>,
    },
    /// Never: the message goes to the dead-letter stream.
    Dead(DeadLetter),
    /// Something the handler needs is down, which is no fault of the message: it goes back without counting as a
    /// delivery, and this consumer stops fetching until a single message, let through as a probe, comes out otherwise.
    Unavailable {
        /// What is down, for example `kubernetes`.
        dependency: String,
        /// How that showed.
        detail: String,
    },
}

/// Why a message is set aside, and what to publish all the same.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeadLetter {
    /// One word for machines, for example `invalid`; becomes `deadreason`.
    pub reason: String,
    /// One sentence for people; becomes `deaddetail`.
    pub detail: String,
    /// Messages that go out in the same step, for example a result that says "refused".
    pub also: Vec<Outgoing>,
}

impl DeadLetter {
    /// A dead letter with nothing else to publish.
    pub fn new(reason: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            detail: detail.into(),
            also: Vec::new(),
        }
    }
}
