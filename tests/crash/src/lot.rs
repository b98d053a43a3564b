//! What a message says beside its kind (an ordering key, the urgent lane, a time before which it is not handled): a function of the
//! seed and of its id, so that producer and check agree without a word.

use std::time::Duration;

use crate::load::{Job, Kind};
use crate::names::has_urgent_lane;

/// So many keys are used often.
const HOT: u16 = 3;
/// So many are used now and then.
const COLD: u16 = 200;
/// Of a thousand messages of a stream with an urgent lane, so many go by it.
const URGENT: u32 = 150;
/// And so many are scheduled.
const SCHEDULED: u32 = 60;

/// What was drawn for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Lot {
    /// Its ordering key.
    pub(crate) key: Option<u16>,
    /// Whether it goes by the urgent lane.
    pub(crate) urgent: bool,
    /// Not to be handled before so long after it was first published.
    pub(crate) delay: Option<Duration>,
}

/// Of a thousand messages of a kind, so many have a hot and so many a cold key: what takes long would pile up behind a hot one.
fn keyed(kind: Kind) -> (u32, u32) {
    match kind {
        Kind::Fast => (8, 142),
        Kind::Long => (30, 220),
        Kind::Fatal => (100, 300),
        _ => (80, 320),
    }
}

impl Lot {
    /// That of this message.
    pub(crate) fn of(seed: u64, job: Job) -> Self {
        let Some(kind) = job.kind.place() else {
            return Self::default();
        };
        let id = u64::from(job.round) << 40 | (kind as u64) << 32 | u64::from(job.n);
        // Neighbouring seeds have neighbouring beginnings: the first draws are mixed in.
        let mut random = fastrand::Rng::with_seed(seed ^ id.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (hot, cold) = keyed(job.kind);
        let key = match random.u32(..1000) {
            n if n < hot => Some(random.u16(..HOT)),
            n if n < hot + cold => Some(HOT + random.u16(..COLD)),
            _ => None,
        };
        Self {
            key,
            urgent: random.u32(..1000) < URGENT && has_urgent_lane(job.kind.stream()),
            delay: (random.u32(..1000) < SCHEDULED)
                .then(|| Duration::from_millis(random.u64(50..1500))),
        }
    }

    /// Before when it is not handled, in milliseconds since 1970, if it was drawn up then.
    pub(crate) fn due(self, drawn_up: u64) -> Option<u64> {
        let delay = u64::try_from(self.delay?.as_millis());
        Some(drawn_up + delay.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lots(seed: u64, kind: Kind) -> Vec<Lot> {
        let job = |n| Job { round: 2, kind, n };
        (0..10_000).map(|n| Lot::of(seed, job(n))).collect()
    }

    #[test]
    fn the_same_seed_draws_the_same_lots() {
        assert_eq!(lots(7, Kind::Fast), lots(7, Kind::Fast));
        assert_ne!(lots(7, Kind::Fast), lots(8, Kind::Fast));
        assert_ne!(lots(7, Kind::Fast), lots(7, Kind::Slow));
    }

    #[test]
    fn lots_come_in_their_shares_and_hot_keys_are_hot() {
        let lots = lots(1, Kind::Fast);
        let count = |is_so: fn(&&Lot) -> bool| lots.iter().filter(is_so).count();
        assert!((1300..1700).contains(&count(|lot| lot.key.is_some())));
        assert!((1300..1700).contains(&count(|lot| lot.urgent)));
        assert!((480..720).contains(&count(|lot| lot.delay.is_some())));
        let of_key = |key| lots.iter().filter(|lot| lot.key == Some(key)).count();
        assert!(of_key(0) > 2 * of_key(HOT));
    }
}
