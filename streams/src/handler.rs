use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::{Entry, Outcome, Progress};

/// A message in the hands of a handler.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The stream it came from, without the key prefix.
    pub stream: Arc<str>,
    /// Whether it came by the urgent lane.
    pub urgent: bool,
    /// The message.
    pub entry: Entry,
    /// The how-manieth delivery this is, from 1. Waiting for a dependency and a hand-over at a shutdown do not count.
    pub deliveries: u32,
    /// Fires when the work has become pointless: the lease was lost to another worker, or this one ends and its grace
    /// period is over. An outcome returned afterwards changes nothing.
    pub cancelled: CancellationToken,
    /// What [`Delivery::publish`] publishes through; [`Progress::recording`] in tests.
    pub progress: Progress,
}

/// A cheap look at an entry before it is handled, without waiting for anything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct Inspection {
    pub(crate) key: Option<String>,
    pub(crate) verdict: Verdict,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Verdict {
    #[default]
    Handle,
    Dead {
        reason: String,
        detail: String,
    },
    NotBefore {
        due_ms: u64,
    },
}

impl Inspection {
    /// Handle it; without a [`key`](Self::key) it is never taken for a duplicate.
    pub fn handle() -> Self {
        Self::default()
    }

    /// Do not handle it; set it aside for this reason (one word) and detail (one sentence).
    pub fn dead(reason: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            key: None,
            verdict: Verdict::Dead {
                reason: reason.into(),
                detail: detail.into(),
            },
        }
    }

    /// Not before this time, in milliseconds since 1970. A time that has passed means "handle it".
    pub fn not_before(due_ms: u64) -> Self {
        Self {
            key: None,
            verdict: Verdict::NotBefore { due_ms },
        }
    }

    /// What makes this message the same as another one. Within the deduplication window only one message of each
    /// key takes effect on a stream, however often it is published.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }
}

/// What a consumer does with messages. It holds no connection: it returns an [`Outcome`], and what readers must hear earlier it hands to
/// [`Delivery::publish`].
///
/// A handler that panics is taken for one that asked to be retried.
pub trait Handler: Send + Sync + 'static {
    /// A cheap look before handling: the deduplication key, or why not to handle it at all. Must not block.
    fn inspect(&self, entry: &Entry) -> Inspection {
        let _ = entry;
        Inspection::handle()
    }

    /// The deduplication key alone, of a message that is set aside because its worker ended again and again when it was looked at: its
    /// dead letter is then a duplicate like any other outcome. So nothing here may be as much as
    /// [`inspect`](Self::inspect) does; reading a field is enough.
    fn key(&self, entry: &Entry) -> Option<String> {
        let _ = entry;
        None
    }

    /// Turns one message into one outcome. May take much longer than the lease, which is renewed meanwhile. Work
    /// that keeps a processor busy for more than some milliseconds belongs into `spawn_blocking`.
    fn handle(&self, delivery: Delivery) -> impl Future<Output = Outcome> + Send;
}
