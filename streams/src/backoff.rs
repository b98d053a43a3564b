//! Pauses between attempts, and spans of time that are not the same for all replicas.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;

/// Growing pauses between attempts, each drawn at random between half and one and a half of its nominal length, so that
/// many replicas do not come back at the same moment. The only file that knows the `backoff` crate.
#[derive(Debug)]
pub struct Pauses(ExponentialBackoff);

impl Pauses {
    /// Beginning with about `base`, doubled up to `cap`.
    pub fn new(base: Duration, cap: Duration) -> Self {
        let mut pauses = ExponentialBackoff {
            initial_interval: base,
            max_interval: cap.max(base),
            multiplier: 2.0,
            randomization_factor: 0.5,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        pauses.reset();
        Self(pauses)
    }

    /// How long to wait before the next attempt.
    pub fn next_pause(&mut self) -> Duration {
        // Without a maximal elapsed time there is always a next one.
        self.0.next_backoff().unwrap_or(self.0.max_interval)
    }

    /// An attempt succeeded: the next pause is the first again.
    pub fn reset(&mut self) {
        self.0.reset();
    }
}

/// A moment between nothing and `limit`, each as likely.
pub fn up_to(limit: Duration) -> Duration {
    Pauses(ExponentialBackoff {
        current_interval: limit / 2,
        max_interval: limit,
        randomization_factor: 1.0,
        max_elapsed_time: None,
        ..ExponentialBackoff::default()
    })
    .next_pause()
    .min(limit)
}

/// About `nominal`: between three quarters and five quarters of it.
pub fn about(nominal: Duration) -> Duration {
    nominal * 3 / 4 + up_to(nominal / 2)
}

/// The wait before the next delivery after `deliveries` of them: full jitter below `base × 2^(deliveries - 1)`, at most `cap`.
/// Full jitter spreads a burst of failures best (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>).
pub(crate) fn full_jitter(base: Duration, cap: Duration, deliveries: u32) -> Duration {
    let doublings = deliveries.saturating_sub(1).min(31);
    up_to(base.saturating_mul(1 << doublings).min(cap))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_jitter_stays_below_a_doubling_limit_and_its_cap() {
        let (base, cap) = (Duration::from_millis(100), Duration::from_secs(1));
        let longest = |n| (0..500).map(|_| full_jitter(base, cap, n)).max().unwrap();
        let shortest = |n| (0..500).map(|_| full_jitter(base, cap, n)).min().unwrap();
        assert!(longest(1) <= base);
        assert!(longest(3) <= base * 4 && longest(3) > base * 2);
        assert!(longest(40) <= cap && longest(40) > cap / 2);
        assert!(shortest(3) < base);
        assert_eq!(full_jitter(Duration::ZERO, cap, 3), Duration::ZERO);
    }

    #[test]
    fn pauses_grow_to_their_cap_and_start_again_after_a_success() {
        let mut pauses = Pauses::new(Duration::from_millis(10), Duration::from_millis(100));
        assert!(pauses.next_pause() <= Duration::from_millis(15));
        for _ in 0..10 {
            assert!(pauses.next_pause() <= Duration::from_millis(150));
        }
        assert!(pauses.next_pause() >= Duration::from_millis(50));
        pauses.reset();
        assert!(pauses.next_pause() <= Duration::from_millis(15));
    }
}
