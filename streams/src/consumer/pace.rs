use std::time::Duration;

use crate::CheckFirst;

/// How fast the handler is, to choose the cheapest way to run it.
#[derive(Debug)]
pub(super) struct Pace {
    mean: f64,
    seen: u32,
}

/// Until so many have been timed, the handler is taken to be slow.
const ENOUGH: u32 = 32;
/// A handler this fast is run where it is fetched; a task of its own would cost more than it does.
const INLINE: f64 = 50e-6;

impl Pace {
    pub(super) fn new() -> Self {
        Self { mean: 0.0, seen: 0 }
    }

    pub(super) fn record(&mut self, took: Duration) {
        let took = took.as_secs_f64();
        if self.seen < ENOUGH {
            self.seen += 1;
            self.mean += (took - self.mean) / f64::from(self.seen);
        } else {
            self.mean += (took - self.mean) / 16.0;
        }
    }

    pub(super) fn is_inline(&self) -> bool {
        self.seen >= ENOUGH && self.mean < INLINE
    }

    pub(super) fn checks_first(&self, policy: CheckFirst) -> bool {
        match policy {
            CheckFirst::Always => true,
            CheckFirst::Never => false,
            CheckFirst::WhenSlower(limit) => self.seen < ENOUGH || self.mean >= limit.as_secs_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_counts_as_slow_until_it_has_proven_fast_and_again_when_it_slows_down() {
        let policy = CheckFirst::WhenSlower(Duration::from_millis(1));
        let mut pace = Pace::new();
        assert!(pace.checks_first(policy) && !pace.is_inline());
        for _ in 0..ENOUGH {
            pace.record(Duration::from_micros(3));
        }
        assert!(!pace.checks_first(policy) && pace.is_inline());
        pace.record(Duration::from_millis(40));
        assert!(pace.checks_first(policy) && !pace.is_inline());
    }
}
