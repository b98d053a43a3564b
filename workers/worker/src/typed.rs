//! The adapter from a [`Worker`] to a handler of the stream runtime.

use std::fmt;
use std::sync::Arc;

use crate::Worker;
use crate::clock::{Clock, SystemClock};

/// A worker as a handler of the stream runtime.
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
}

impl<W: Worker> fmt::Debug for Typed<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Typed({})", W::NAME)
    }
}
