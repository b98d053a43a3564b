//! Whether a failure shows here, before anything is tried.

use std::time::{Duration, Instant};

use maestro_protocol::heal::{RuntimeChanges, Timing};

use crate::answer::{millis, primary};
use crate::conditions::Conditions;
use crate::engine::Order;
use crate::judge::alike;
use crate::laboratory::{Attempt, AttemptError, Laboratory};
use crate::search::Budget;

/// Runs that show the failure.
const REPRODUCTIONS: u32 = 2;

/// The failing run, and how often it failed that way.
pub(crate) struct Reproduced {
    pub(crate) attempt: Attempt,
    pub(crate) shown: u32,
    pub(crate) runs: u32,
}

/// Runs the tests as they are, twice if they fail. The first run has a process of its own; a later one that was forked and says something
/// else is not believed before another of each has said the same.
pub(crate) async fn reproduce<L: Laboratory>(
    laboratory: &L,
    order: &Order<'_>,
    budget: &mut Budget,
    timing: &mut Timing,
) -> Result<Reproduced, AttemptError> {
    let mut trial = Trial {
        laboratory,
        order,
        budget,
        timing,
    };
    let first = trial.run(&Conditions::apart()).await?;
    let mut apart = vec![first.run];
    trial.timing.run = Some(millis(first.run));
    if order.target.is_green(&first.report) {
        // One green run says as much as two when nothing failed so far.
        return Ok(Reproduced {
            attempt: first,
            shown: 0,
            runs: 1,
        });
    }
    // A test that fails in another way each time was not reproduced, it is unsteady.
    let alike = |attempt: &Attempt| {
        !order.target.is_green(&attempt.report)
            && alike(
                &primary(&first.report, &order.target),
                &primary(&attempt.report, &order.target),
            )
    };
    let (mut shown, mut runs) = (1, 1);
    while runs < REPRODUCTIONS && trial.budget.runs > 0 {
        let plain = Conditions::default();
        let mut again = trial.run(&plain).await?;
        if again.forked && !alike(&again) {
            let by_itself = trial.run(&Conditions::apart()).await?;
            if alike(&by_itself) && !alike(&trial.run(&plain).await?) {
                tracing::debug!(
                    "forked runs of these tests end otherwise; each run has a process of its own"
                );
                laboratory.distrust();
                again = by_itself;
            }
        }
        if !again.forked {
            apart.push(again.run);
        }
        runs += 1;
        shown += u32::from(alike(&again));
    }
    // Of a compiled language the first run builds, and the others do not.
    let together: Duration = apart.iter().sum();
    trial.timing.run = Some(millis(together) / apart.len() as u64);
    Ok(Reproduced {
        attempt: first,
        shown,
        runs,
    })
}

/// Runs of the tests as they are, counted and timed.
struct Trial<'a, 'o, L> {
    laboratory: &'a L,
    order: &'a Order<'o>,
    budget: &'a mut Budget,
    timing: &'a mut Timing,
}

impl<L: Laboratory> Trial<'_, '_, L> {
    async fn run(&mut self, conditions: &Conditions) -> Result<Attempt, AttemptError> {
        let none = RuntimeChanges::default();
        let began = Instant::now();
        let attempt = self
            .laboratory
            .attempt_under(&self.order.tree, &none, conditions)
            .await?;
        if let Some(stopped) = attempt.stopped {
            return Err(AttemptError::Stopped(stopped));
        }
        self.budget.take(1);
        self.timing.install += millis(attempt.install);
        self.timing.reproduce += millis(began.elapsed().saturating_sub(attempt.install));
        Ok(attempt)
    }
}
