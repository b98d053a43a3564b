//! What a worker may know of the world while it handles a message.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

/// What a worker may know of the world while it handles a message.
#[derive(Clone)]
pub struct Context {
    clock: Arc<dyn Clock>,
    cancelled: CancellationToken,
    deliveries: u64,
}

impl Context {
    /// The context of one delivery.
    pub fn new(clock: Arc<dyn Clock>, cancelled: CancellationToken, deliveries: u64) -> Self {
        Self {
            clock,
            cancelled,
            deliveries,
        }
    }

    /// The context of a first delivery at a time that stands still, for tests.
    pub fn at(now: Timestamp) -> Self {
        Self::new(Arc::new(now), CancellationToken::new(), 1)
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Cancelled when the worker is to stop or has lost the message.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// How often the message was delivered, this time included.
    pub fn deliveries(&self) -> u64 {
        self.deliveries
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("now", &self.now())
            .field("cancelled", &self.cancelled.is_cancelled())
            .field("deliveries", &self.deliveries)
            .finish_non_exhaustive()
    }
}
