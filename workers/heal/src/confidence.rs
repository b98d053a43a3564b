//! Confidence from counted evidence alone: every factor is a rule of succession over something counted.

use maestro_protocol::heal::{Counts, Strategy, Touch};

/// What was counted.
#[derive(Debug, Clone, Copy)]
pub struct Counted<'a> {
    /// Runs that showed the failure before the change.
    pub reproduced: u32,
    /// Runs that passed with it.
    pub passed: u32,
    /// Neighbours with the change.
    pub neighbours: Counts,
    /// Strategies used, in order.
    pub strategies: &'a [Strategy],
    /// What is touched.
    pub touches: &'a [Touch],
    /// Whether planted defects were caught: `(caught, planted)`, `None` where the check was not made.
    pub teeth: Option<(u32, u32)>,
}

/// A figure between 0 and 1.
///
/// It is the product of: the chance that the failure is steady, and the chance that the repair holds, each
/// `(n + 1) / (n + 2)` after `n` agreeing runs of `n` (Laplace's rule of succession); the same over the
/// neighbours, with an eighth of their weight, because they were green before and say little about the
/// repair; 0.98 for each further link of a chain; 0.95 where product code is touched; and the share of planted
/// defects caught, or 0.95 where none were planted.
pub fn confidence(counted: &Counted<'_>) -> f64 {
    let neighbours = f64::from(counted.neighbours.passed) / 8.0;
    let links = i32::try_from(counted.strategies.len().saturating_sub(1)).unwrap_or(i32::MAX);
    let product = if counted.touches.contains(&Touch::Product) {
        0.95
    } else {
        1.0
    };
    let teeth = match counted.teeth {
        Some((caught, planted)) => (f64::from(caught) + 1.0) / (f64::from(planted) + 1.0),
        None => 0.95,
    };
    // The runs are deterministic programs on the same input: each counts for four independent trials.
    let figure = succession(4.0 * f64::from(counted.reproduced))
        * succession(4.0 * f64::from(counted.passed))
        * succession(2.0 + neighbours).max(0.8)
        * 0.98_f64.powi(links)
        * product
        * teeth;
    (figure * 1000.0).round() / 1000.0
}

fn succession(agreeing: f64) -> f64 {
    (agreeing + 1.0) / (agreeing + 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(passed: u32, neighbours: u32) -> f64 {
        confidence(&Counted {
            reproduced: 2,
            passed,
            neighbours: Counts {
                passed: neighbours,
                ..Counts::default()
            },
            strategies: &[Strategy::SyntaxRepair],
            touches: &[Touch::Test],
            teeth: None,
        })
    }

    #[test]
    fn more_evidence_never_lowers_it_and_none_makes_it_certain() {
        assert!(counted(3, 10) > counted(1, 10));
        assert!(counted(3, 100) >= counted(3, 0));
        assert!(counted(1000, 100_000) < 1.0);
    }

    #[test]
    fn planted_defects_that_slip_through_lower_it() {
        let with = |caught| {
            confidence(&Counted {
                reproduced: 2,
                passed: 3,
                neighbours: Counts::default(),
                strategies: &[Strategy::DependencyFix],
                touches: &[Touch::Environment],
                teeth: Some((caught, 8)),
            })
        };
        assert!(with(8) > with(4));
    }
}
