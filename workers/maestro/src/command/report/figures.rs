//! The statistics of the report.

use serde::Serialize;

/// The share of successes, with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Share {
    /// Successes.
    pub(super) of: u64,
    /// Trials.
    pub(super) all: u64,
    /// The lower end of the interval.
    pub(super) low: f64,
    /// Its upper end.
    pub(super) high: f64,
}

impl Share {
    /// By [Wilson's score interval](https://doi.org/10.1080/01621459.1927.10502953), which holds for few trials and for shares near
    /// 0 and 1 too.
    #[expect(
        clippy::cast_precision_loss,
        reason = "nobody counts to 2^52 decisions"
    )]
    pub(super) fn new(of: u64, all: u64) -> Self {
        const Z: f64 = 1.959_963_985;
        if all == 0 {
            return Self {
                of,
                all,
                low: 0.0,
                high: 1.0,
            };
        }
        let (n, p) = (all as f64, of as f64 / all as f64);
        let z2 = Z * Z;
        let middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let half = Z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
        Self {
            of,
            all,
            low: (middle - half).max(0.0),
            high: (middle + half).min(1.0),
        }
    }
}

/// How well what was said came true.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Calibration {
    bins: [Bin; BINS],
    squares: f64,
}

/// Tenths of the confidence.
const BINS: usize = 10;

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Bin {
    said: f64,
    right: u64,
    all: u64,
}

/// One line of the reliability table.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Reliability {
    /// The bin's lower end.
    pub(super) from: f64,
    /// Its upper end.
    pub(super) to: f64,
    /// The mean of what was said.
    pub(super) said: f64,
    /// What came true.
    pub(super) right: Share,
}

impl Calibration {
    /// A confidence that was said, and whether the patch was right.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is between 0 and 1"
    )]
    pub(super) fn add(&mut self, said: f64, right: bool) {
        let said = said.clamp(0.0, 1.0);
        let bin = &mut self.bins[((said * 10.0) as usize).min(BINS - 1)];
        bin.said += said;
        bin.all += 1;
        bin.right += u64::from(right);
        self.squares += (said - f64::from(u8::from(right))).powi(2);
    }

    /// How many decisions there are.
    pub(super) fn all(&self) -> u64 {
        self.bins.iter().map(|bin| bin.all).sum()
    }

    /// The [Brier score](https://doi.org/10.1175/1520-0493(1950)078%3C0001:VOFEIT%3E2.0.CO;2): the mean of (said - came true)^2. 0 is
    /// perfect; always saying one half gives 0.25. `None` without decisions.
    #[expect(
        clippy::cast_precision_loss,
        reason = "nobody counts to 2^52 decisions"
    )]
    pub(super) fn brier(&self) -> Option<f64> {
        let all = self.all();
        (all > 0).then(|| self.squares / all as f64)
    }

    /// The score of always saying what is right on average: a model that is worse knows less than the average.
    #[expect(
        clippy::cast_precision_loss,
        reason = "nobody counts to 2^52 decisions"
    )]
    pub(super) fn base(&self) -> Option<f64> {
        let all = self.all();
        let right: u64 = self.bins.iter().map(|bin| bin.right).sum();
        (all > 0).then(|| {
            let share = right as f64 / all as f64;
            share * (1.0 - share)
        })
    }

    /// The bins that have decisions.
    #[expect(
        clippy::cast_precision_loss,
        reason = "nobody counts to 2^52 decisions"
    )]
    pub(super) fn reliability(&self) -> Vec<Reliability> {
        let line = |(number, bin): (usize, &Bin)| Reliability {
            from: number as f64 / 10.0,
            to: (number + 1) as f64 / 10.0,
            said: bin.said / bin.all as f64,
            right: Share::new(bin.right, bin.all),
        };
        self.bins
            .iter()
            .enumerate()
            .filter(|(_, bin)| bin.all > 0)
            .map(line)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        // Newcombe 1998, table I: 81 of 263.
        let share = Share::new(81, 263);
        assert!((share.low - 0.2553).abs() < 0.0005, "{share:?}");
        assert!((share.high - 0.3662).abs() < 0.0005, "{share:?}");
        let none = Share::new(0, 10);
        assert!(
            none.low.abs() < 1e-9 && (none.high - 0.2775).abs() < 0.0005,
            "{none:?}"
        );
    }

    #[test]
    fn the_score_is_the_mean_square_and_its_bins_say_where_it_comes_from() {
        let mut calibration = Calibration::default();
        assert_eq!(calibration.brier(), None);
        for (said, right) in [(0.9, true), (0.95, true), (0.9, false), (0.3, false)] {
            calibration.add(said, right);
        }
        let expected = (0.01 + 0.0025 + 0.81 + 0.09) / 4.0;
        assert!((calibration.brier().unwrap() - expected).abs() < 1e-9);
        assert!((calibration.base().unwrap() - 0.25).abs() < 1e-9);
        let bins = calibration.reliability();
        assert_eq!(bins.len(), 2);
        assert_eq!((bins[1].right.of, bins[1].right.all), (2, 3));
        calibration.add(1.0, true);
        assert_eq!(calibration.reliability()[1].right.all, 4);
    }
}
