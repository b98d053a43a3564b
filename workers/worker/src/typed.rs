//! The adapter from a [`Worker`] to a handler of the stream runtime.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use maestro_protocol::{DeadReason, Decoded, Envelope, Inbound, Refusal, decode_as};
use maestro_streams::{DeadLetter, Delivery, Entry, Handler, Inspection, Outgoing};
use tracing::{info, warn};

use crate::Worker;
use crate::clock::{Clock, SystemClock};
use crate::context::Context;
use crate::outcome::Outcome;
use crate::reply::Reply;
use crate::unwind::caught;

/// A worker as a handler of the stream runtime: it decodes what comes in, derives the envelopes of what goes
/// out, and writes one log line for each message.
///
/// An entry is decoded twice, once to inspect it and once to handle it. That costs some microseconds a message,
/// and saves a table of messages between the two that would have to forget those that are never handled.
pub struct Typed<W> {
    worker: W,
    clock: Arc<dyn Clock>,
}

impl<W: Worker> Typed<W> {
    /// The worker, by the system's clock.
    pub fn new(worker: W) -> Self {
        Self::with_clock(worker, Arc::new(SystemClock))
    }

    /// The worker, by this clock.
    pub fn with_clock(worker: W, clock: Arc<dyn Clock>) -> Self {
        Self { worker, clock }
    }

    /// The stream that the worker reads.
    pub fn stream() -> maestro_protocol::Stream {
        <W::Message as Inbound>::STREAM
    }

    fn decode(&self, entry: &Entry) -> Result<Decoded<W::Message>, Refusal> {
        let fields = entry
            .fields
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_ref()));
        let decoded = decode_as(fields)?;
        decoded.envelope.check_expiry(self.clock.now())?;
        Ok(decoded)
    }

    /// The worker's outcome as the runtime's, with what its log line says of it.
    fn commit(
        &self,
        cause: &Envelope,
        outcome: Outcome,
        urgent: bool,
    ) -> (maestro_streams::Outcome, Said) {
        match outcome {
            Outcome::Done(replies) => {
                match outgoing::<W>(cause, &replies, self.clock.now(), urgent) {
                    Ok(outgoing) => {
                        let said = Said::new("done", replies_named(&replies));
                        (maestro_streams::Outcome::Done(outgoing), said)
                    }
                    Err(refusal) => {
                        let detail = format!(
                            "the {} worker's answer cannot be published: {refusal}",
                            W::NAME
                        );
                        refused(detail)
                    }
                }
            }
            Outcome::Refuse { detail } => refused(detail),
            Outcome::Retry { reason } => {
                let said = Said::new("retry", reason.clone());
                (
                    maestro_streams::Outcome::Retry {
                        reason,
                        after: None,
                    },
                    said,
                )
            }
            Outcome::Unavailable { dependency, detail } => {
                let said = Said::new("unavailable", format!("{dependency}: {detail}"));
                (
                    maestro_streams::Outcome::Unavailable { dependency, detail },
                    said,
                )
            }
        }
    }
}

/// What the log line says of an outcome.
struct Said {
    outcome: &'static str,
    detail: String,
}

impl Said {
    fn new(outcome: &'static str, detail: String) -> Self {
        Self { outcome, detail }
    }
}

fn refused(detail: String) -> (maestro_streams::Outcome, Said) {
    let letter = DeadLetter::new(DeadReason::Refused.name(), detail.clone());
    (
        maestro_streams::Outcome::Dead(letter),
        Said::new("refused", detail),
    )
}

fn replies_named(replies: &[Reply]) -> String {
    let names: Vec<&str> = replies
        .iter()
        .map(|reply| reply.message().type_name())
        .collect();
    names.join(", ")
}

fn outgoing<W: Worker>(
    cause: &Envelope,
    replies: &[Reply],
    now: Timestamp,
    urgent: bool,
) -> Result<Vec<Outgoing>, Refusal> {
    replies
        .iter()
        .enumerate()
        .map(|(number, reply)| {
            let (stream, fields) = reply.encode(cause, number, W::NAME, now)?;
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
        })
        .collect()
}

/// What makes a message the same as another: its source and its id. Ids are unique for their source only.
///
/// Read from the fields as they are, so that a message that is set aside leaves its mark like any other.
fn deduplication_key(entry: &Entry) -> Option<String> {
    let id = entry.fields.get_str("id").filter(|id| !id.is_empty())?;
    let source = entry.fields.get_str("source").unwrap_or_default();
    // Neither can be mistaken for a part of the other: the length of the source stands before it.
    Some(format!("{} {source} {id}", source.len()))
}

impl<W: Worker> Handler for Typed<W> {
    fn inspect(&self, entry: &Entry) -> Inspection {
        let inspection = match self.decode(entry) {
            Ok(decoded) => match decoded.envelope.notbefore {
                Some(due) if due > self.clock.now() => {
                    Inspection::not_before(u64::try_from(due.as_millisecond()).unwrap_or(0))
                }
                _ => Inspection::handle(),
            },
            Err(Refusal { reason, detail }) => {
                warn!(worker = W::NAME, entry = %entry.id, reason = reason.name(), detail, "not handled");
                Inspection::dead(reason.name(), detail)
            }
        };
        match deduplication_key(entry) {
            Some(key) => inspection.key(key),
            None => inspection,
        }
    }

    async fn handle(&self, delivery: Delivery) -> maestro_streams::Outcome {
        let started = self.clock.now();
        let mut message = match self.decode(&delivery.entry) {
            Ok(message) => message,
            Err(Refusal { reason, detail }) => {
                return maestro_streams::Outcome::Dead(DeadLetter::new(reason.name(), detail));
            }
        };
        if message.envelope.id.is_none() {
            message.envelope.id = Some(delivery.entry.id.to_string());
        }
        let cause = message.envelope.clone();
        let context = Context::new(
            Arc::clone(&self.clock),
            delivery.cancelled,
            delivery.deliveries.into(),
        );
        let outcome = match caught(self.worker.handle(message, context)).await {
            Ok(outcome) => outcome,
            Err(panic) => Outcome::Retry {
                reason: format!("the {} worker panicked: {panic}", W::NAME),
            },
        };
        let (outcome, said) = self.commit(&cause, outcome, delivery.urgent);
        let id = cause.id.as_deref().unwrap_or_default();
        let correlation = cause.correlation().unwrap_or_default();
        let ms = self.clock.now().duration_since(started).as_millis();
        let ms = i64::try_from(ms).unwrap_or(i64::MAX);
        let Said {
            outcome: word,
            detail,
        } = said;
        if word == "done" {
            info!(
                worker = W::NAME,
                id,
                correlation,
                outcome = word,
                detail,
                delivery.deliveries,
                ms,
                "handled"
            );
        } else {
            warn!(
                worker = W::NAME,
                id,
                correlation,
                outcome = word,
                detail,
                delivery.deliveries,
                ms,
                "handled"
            );
        }
        outcome
    }
}

impl<W: Worker> fmt::Debug for Typed<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Typed({})", W::NAME)
    }
}
