use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::Pauses;

/// Keeps messages in the stream while something the handler needs is down: a circuit breaker
/// (<https://martinfowler.com/bliki/CircuitBreaker.html>).
#[derive(Debug)]
pub(super) struct Breaker {
    state: State,
    pauses: Pauses,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// All is well.
    Closed,
    /// Nothing is fetched until then.
    Open { until: Instant },
    /// One message at a time is let through, to see.
    HalfOpen { probing: bool },
}

impl Breaker {
    pub(super) fn new(base: Duration, cap: Duration) -> Self {
        Self {
            state: State::Closed,
            pauses: Pauses::new(base, cap),
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// How many messages one fetch may bring.
    pub(super) fn gate(&self) -> usize {
        match self.state {
            State::Closed => usize::MAX,
            State::Open { .. } | State::HalfOpen { probing: true } => 0,
            State::HalfOpen { probing: false } => 1,
        }
    }

    /// A handler found its dependency unavailable. Returns how long to wait before the next try.
    pub(super) fn failed(&mut self, now: Instant) -> Duration {
        if let State::Open { until } = self.state {
            // One of those that were running when it opened: the same failure, not a further one.
            return until.saturating_duration_since(now);
        }
        let pause = self.pauses.next_pause();
        self.state = State::Open { until: now + pause };
        pause
    }

    /// A handler came to another outcome than "unavailable".
    pub(super) fn succeeded(&mut self) -> bool {
        // While it is open this can only be one that began before.
        let was_half_open = matches!(self.state, State::HalfOpen { .. });
        if was_half_open {
            self.state = State::Closed;
            self.pauses.reset();
        }
        was_half_open
    }

    /// Lets a probe through when the pause is over.
    pub(super) fn tick(&mut self, now: Instant) -> bool {
        let over = matches!(self.state, State::Open { until } if until <= now);
        if over {
            self.state = State::HalfOpen { probing: false };
        }
        over
    }

    /// A message is about to be handled: as the probe, if one is due.
    pub(super) fn admit(&mut self) -> bool {
        match &mut self.state {
            State::Closed => true,
            State::Open { .. } | State::HalfOpen { probing: true } => false,
            State::HalfOpen { probing } => {
                *probing = true;
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_breaker_opens_probes_once_and_closes_again() {
        let mut breaker = Breaker::new(Duration::from_secs(1), Duration::from_secs(8));
        let start = Instant::now();
        assert!(breaker.admit());
        let pause = breaker.failed(start);
        assert!(!breaker.admit());
        assert_eq!(breaker.gate(), 0);
        assert!(!breaker.tick(start));
        assert_eq!(breaker.failed(start), pause);
        let later = start + pause;
        assert!(breaker.tick(later));
        assert_eq!(breaker.gate(), 1);
        assert!(breaker.admit());
        assert!(!breaker.admit());
        let longer = breaker.failed(later);
        assert!(longer > Duration::ZERO);
        assert!(breaker.tick(later + longer));
        assert!(breaker.admit());
        assert!(breaker.succeeded());
        assert_eq!(breaker.state(), State::Closed);
        assert!(!breaker.succeeded());
    }
}
