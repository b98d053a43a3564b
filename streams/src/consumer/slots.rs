use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// How many more messages may be fetched. Back-pressure is the absence of a read, so the reader asks here before each one.
///
/// Recovered and taken-over messages may drive the count below zero for a while; the reader then waits.
#[derive(Debug)]
pub(super) struct Slots {
    free: AtomicIsize,
    /// At most this many in one fetch, whatever is free: none while a dependency is down, one as a probe.
    gate: AtomicUsize,
    changed: Notify,
}

impl Slots {
    pub(super) fn new(free: usize) -> Self {
        Self {
            free: AtomicIsize::new(signed(free)),
            gate: AtomicUsize::new(usize::MAX),
            changed: Notify::new(),
        }
    }

    /// Waits until something may be fetched, and says how much, at most `batch`. There is one reader only.
    pub(super) async fn wait(&self, batch: usize) -> usize {
        loop {
            let changed = self.changed.notified();
            let free = usize::try_from(self.free.load(Ordering::Acquire)).unwrap_or(0);
            let open = free.min(batch).min(self.gate.load(Ordering::Acquire));
            if open > 0 {
                return open;
            }
            changed.await;
        }
    }

    pub(super) fn take(&self, n: usize) {
        self.free.fetch_sub(signed(n), Ordering::AcqRel);
    }

    pub(super) fn give(&self, n: usize) {
        if n > 0 {
            self.free.fetch_add(signed(n), Ordering::AcqRel);
            self.changed.notify_one();
        }
    }

    pub(super) fn set_gate(&self, at_most: usize) {
        self.gate.store(at_most, Ordering::Release);
        self.changed.notify_one();
    }
}

fn signed(n: usize) -> isize {
    isize::try_from(n).unwrap_or(isize::MAX)
}
