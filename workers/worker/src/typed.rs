//! The adapter from a [`Worker`] to a handler of the stream runtime.

use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use maestro_protocol::{DeadReason, Decoded, Envelope, Inbound, Refusal, decode_as};
use maestro_streams::{DeadLetter, Delivery, Entry, Handler, Inspection, Outgoing};
use tracing::{error, info, warn};

use crate::Worker;
use crate::clock::{Clock, SystemClock};
use crate::context::Context;
use crate::meters;
use crate::outcome::Outcome;
use crate::reply::{Reply, named};
use crate::span::{Span, Spans, contexts};
use crate::unwind::caught;
use crate::voice::Live;

/// A worker as a handler of the stream runtime: it decodes what comes in, derives the envelopes of what goes
/// out, and writes one log line for each message.
///
/// An entry is decoded twice, once to inspect it and once to handle it. That costs some microseconds a message,
/// and saves a table of messages between the two that would have to forget those that are never handled.
pub struct Typed<W> {
    worker: W,
    clock: Arc<dyn Clock>,
    spans: Option<Arc<dyn Spans>>,
    handled: meters::Handled,
}

impl<W: Worker> Typed<W> {
    /// The worker, by the system's clock.
    pub fn new(worker: W) -> Self {
        Self::with_clock(worker, Arc::new(SystemClock))
    }

    /// The worker, by this clock.
    pub fn with_clock(worker: W, clock: Arc<dyn Clock>) -> Self {
        meters::prepare(W::NAME);
        Self {
            worker,
            clock,
            spans: None,
            handled: meters::Handled::by(W::NAME),
        }
    }

    /// Tells a tracing system what is done about each message; what the worker says is then of that span. Without it a trace context
    /// is carried on as it came.
    #[must_use]
    pub fn telling(self, spans: Option<Arc<dyn Spans>>) -> Self {
        Self { spans, ..self }
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
                match outgoing::<W, _>(cause, &replies, |n| n, self.clock.now(), urgent) {
                    Ok(outgoing) => {
                        let said = Said::new("done", named(&replies));
                        (maestro_streams::Outcome::Done(outgoing), said)
                    }
                    Err(refusal) => {
                        let detail = format!(
                            "the {} worker's answer cannot be published: {refusal}",
                            W::NAME
                        );
                        refused(detail, Vec::new())
                    }
                }
            }
            Outcome::Refuse { detail, also } => {
                let part = |number| format!("refused.{number}");
                let now = self.clock.now();
                let also = outgoing::<W, _>(cause, &also, part, now, urgent);
                let also = also.unwrap_or_else(|refusal| {
                    // It is set aside all the same: its producer must hear of that at least.
                    error!(worker = W::NAME, detail = %refusal, "what goes with a refusal cannot be published");
                    Vec::new()
                });
                refused(detail, also)
            }
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

fn refused(detail: String, also: Vec<Outgoing>) -> (maestro_streams::Outcome, Said) {
    let letter = DeadLetter {
        also,
        ..DeadLetter::new(DeadReason::Refused.name(), detail.clone())
    };
    (
        maestro_streams::Outcome::Dead(letter),
        Said::new("refused", detail),
    )
}

/// The replies as the runtime publishes them; `part` names each one within its id.
fn outgoing<W: Worker, P: Display>(
    cause: &Envelope,
    replies: &[Reply],
    part: impl Fn(usize) -> P,
    now: Timestamp,
    urgent: bool,
) -> Result<Vec<Outgoing>, Refusal> {
    replies
        .iter()
        .enumerate()
        .map(|(number, reply)| {
            let envelope = Envelope::caused_by(cause, part(number), W::NAME, now);
            reply.outgoing(envelope, urgent)
        })
        .collect()
}

/// How long it is since a message entered its stream, by two clocks that may differ.
pub(crate) fn since(entered: u64, now: Timestamp) -> Duration {
    let now = u64::try_from(now.as_millisecond()).unwrap_or(0);
    Duration::from_millis(now.saturating_sub(entered))
}

/// What makes a message the same as another: its source and its id. Ids are unique for their source only.
///
/// Read from the fields as they are, so that a message that is set aside leaves its mark like any other.
pub(crate) fn deduplication_key(entry: &Entry) -> Option<String> {
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
                meters::unfit(W::NAME, reason);
                Inspection::dead(reason.name(), detail)
            }
        };
        match deduplication_key(entry) {
            Some(key) => inspection.key(key),
            None => inspection,
        }
    }

    fn key(&self, entry: &Entry) -> Option<String> {
        deduplication_key(entry)
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
        let (urgent, deliveries) = (delivery.urgent, delivery.deliveries);
        let entry = delivery.entry.id;
        let kind = delivery.entry.fields.get_str("type").unwrap_or_default();
        let traced = self.spans.as_ref().map(|spans| {
            let kind = kind.to_owned();
            let seed = format!("{} {entry} {deliveries} {started}", W::NAME);
            let keeps = |trace| spans.keeps(trace);
            let (context, parent) = contexts(&message.envelope, &seed, keeps);
            message.envelope.traceparent = Some(context.to_string());
            (spans, context, parent, kind)
        });
        let entered = delivery.entry.id.ms;
        let live = Arc::new(Live {
            cause: message.envelope.clone(),
            worker: W::NAME,
            delivery,
        });
        let cause = &live.cause;
        let context = Context::live(Arc::clone(&self.clock), Arc::clone(&live));
        let (outcome, panicked) = match caught(self.worker.handle(message, context)).await {
            Ok(outcome) => (outcome, false),
            Err(panic) => {
                let reason = format!("the {} worker panicked: {panic}", W::NAME);
                (Outcome::Retry { reason }, true)
            }
        };
        if let Outcome::Done(replies) | Outcome::Refuse { also: replies, .. } = &outcome {
            let age = since(entered, self.clock.now());
            for reply in replies {
                meters::said(reply.message(), age);
            }
        }
        let (outcome, said) = self.commit(cause, outcome, urgent);
        let counted = if panicked { "panicked" } else { said.outcome };
        self.handled.count(counted);
        let id = cause.id.as_deref().unwrap_or_default();
        let correlation = cause.correlation().unwrap_or_default();
        let ended = self.clock.now();
        let ms = ended.duration_since(started).as_millis();
        let ms = i64::try_from(ms).unwrap_or(i64::MAX);
        let Said {
            outcome: word,
            detail,
        } = said;
        let stream = Self::stream().name();
        macro_rules! line {
            ($level:ident) => {
                $level!(
                    worker = W::NAME,
                    stream,
                    %entry,
                    id,
                    correlation,
                    outcome = word,
                    detail,
                    deliveries,
                    ms,
                    "handled"
                )
            };
        }
        if word == "done" {
            line!(info);
        } else {
            line!(warn);
        }
        if let Some((spans, context, parent, kind)) = traced
            && context.is_sampled()
        {
            spans.ended(Span {
                context,
                parent,
                worker: W::NAME,
                stream,
                kind,
                entry: entry.to_string(),
                id: id.to_owned(),
                correlation: correlation.to_owned(),
                deliveries: deliveries.into(),
                began: started,
                ended,
                outcome: counted,
                detail,
            });
        }
        outcome
    }
}

impl<W: Worker> fmt::Debug for Typed<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Typed({})", W::NAME)
    }
}
