use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A view on a running consumer for a liveness probe. It never asks Redis: an outage must not look like a dead worker.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<Mutex<Lanes>>);

/// The usual lane and the urgent one.
type Lanes = [Beat; 2];

#[derive(Debug, Default)]
struct Beat {
    looped: Option<Instant>,
    oldest: Option<Instant>,
    in_hand: usize,
    connected: bool,
}

impl Pulse {
    /// Since the consumer's loop last went round (that of the slower lane), which it does at least once per [`crate::ConsumerConfig::upkeep`],
    /// also while it waits for Redis; `None` before the first time.
    pub fn loop_age(&self) -> Option<Duration> {
        self.read(|lanes| {
            let looped = lanes.iter().filter_map(|beat| beat.looped);
            looped.min().map(|at| at.elapsed())
        })
    }

    /// How long the longest-running handler has been at it; `None` if none runs.
    pub fn oldest_handler_age(&self) -> Option<Duration> {
        self.read(|lanes| {
            let oldest = lanes.iter().filter_map(|beat| beat.oldest);
            oldest.min().map(|at| at.elapsed())
        })
    }

    /// How many messages are fetched and not yet committed.
    pub fn in_hand(&self) -> usize {
        self.read(|lanes| lanes.iter().map(|beat| beat.in_hand).sum())
    }

    /// Whether it has a connection to Redis, in both lanes if it reads both. What is noticed late (a server that hangs) still counts as one.
    pub fn is_connected(&self) -> bool {
        self.read(|lanes| {
            let mut begun = lanes.iter().filter(|beat| beat.looped.is_some()).peekable();
            begun.peek().is_some() && begun.all(|beat| beat.connected)
        })
    }

    pub(super) fn beat(
        &self,
        urgent: bool,
        connected: bool,
        oldest: Option<Instant>,
        in_hand: usize,
    ) {
        let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lanes[usize::from(urgent)] = Beat {
            looped: Some(Instant::now()),
            oldest,
            in_hand,
            connected,
        };
    }

    /// The loop waits for its first connection.
    pub(super) fn beat_unconnected(&self, urgent: bool) {
        self.beat(urgent, false, None, 0);
    }

    fn read<T>(&self, look: impl FnOnce(&Lanes) -> T) -> T {
        look(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
