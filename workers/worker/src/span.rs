//! What was done about one message, as a tracing system is told it.

use jiff::Timestamp;
use maestro_protocol::{Envelope, TraceParent};

/// What was done about one message in one delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Its trace and itself. What the worker says carries this on.
    pub context: TraceParent,
    /// The span that it belongs under: its producer's, or that of the worker which said the message.
    pub parent: Option<TraceParent>,
    /// The worker.
    pub worker: &'static str,
    /// The stream it reads.
    pub stream: &'static str,
    /// The message's type, as the entry has it.
    pub kind: String,
    /// The entry's id.
    pub entry: String,
    /// The message's id.
    pub id: String,
    /// The flow's.
    pub correlation: String,
    /// How often the message was delivered, this time included.
    pub deliveries: u64,
    /// When the handler began.
    pub began: Timestamp,
    /// When it had ended.
    pub ended: Timestamp,
    /// `done`, `retry`, `refused` or `unavailable`.
    pub outcome: &'static str,
    /// What the log line says of it.
    pub detail: String,
}

/// Whoever is told of spans.
pub trait Spans: Send + Sync + 'static {
    /// Whether a trace that begins here is kept. All replicas must say the same of the same trace.
    fn keeps(&self, trace: u128) -> bool;

    /// A span has ended. This must not wait.
    fn ended(&self, span: Span);
}

/// The context of what is done about a message, and the one that it belongs under.
pub(crate) fn contexts(
    envelope: &Envelope,
    seed: &str,
    keeps: impl FnOnce(u128) -> bool,
) -> (TraceParent, Option<TraceParent>) {
    let parent = envelope.traceparent.as_deref().and_then(TraceParent::parse);
    let context = parent.map_or_else(
        || {
            let root = TraceParent::of_flow(envelope.correlation().unwrap_or_default(), seed);
            root.sampled(keeps(root.trace()))
        },
        |parent| parent.child(seed),
    );
    (context, parent)
}
