//! The figures of one run, and their medians.

use serde::Serialize;

/// What one contender did in one round.
#[derive(Debug, Clone, Serialize)]
pub struct Round {
    /// From 1.
    pub round: usize,
    /// [`crate::contender::Contender::name`].
    pub contender: &'static str,
    /// How many messages it relayed; each has exactly one result, and nothing is pending.
    pub messages: usize,
    /// From the start to the last acknowledgement.
    pub seconds: f64,
    /// What is compared.
    #[serde(flatten)]
    pub figures: Figures,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figures {
    /// Messages relayed per second.
    pub messages_per_second: f64,
    /// Processor time of the worker process, in microseconds a message (which is milliseconds a thousand messages).
    pub worker_cpu_us: f64,
    /// Processor time of redis-server, in microseconds a message.
    pub redis_cpu_us: f64,
    /// The most memory that the worker process ever had resident, in megabytes (10⁶ bytes).
    pub worker_max_rss_mb: f64,
}

impl Figures {
    /// Each figure's median by itself; `None` if there is no round.
    pub fn medians<'a>(rounds: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let rounds: Vec<_> = rounds.into_iter().collect();
        let of =
            |figure: fn(&Self) -> f64| median(rounds.iter().map(|round| figure(round)).collect());
        Some(Self {
            messages_per_second: of(|round| round.messages_per_second)?,
            worker_cpu_us: of(|round| round.worker_cpu_us)?,
            redis_cpu_us: of(|round| round.redis_cpu_us)?,
            worker_max_rss_mb: of(|round| round.worker_max_rss_mb)?,
        })
    }
}

/// The middle one, or the mean of the two in the middle.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 {
        values.get(half).copied()
    } else {
        Some(f64::midpoint(
            *values.get(half.checked_sub(1)?)?,
            *values.get(half)?,
        ))
    }
}

/// For a rate or a share: counts of this program fit a float exactly.
#[expect(clippy::cast_precision_loss, reason = "a figure for people, below 2⁵³")]
pub fn float(n: u64) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_both_middles() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), Some(2.5));
    }
}
