//! The path of one heal, from a tree and a way to run its tests to a verdict with its evidence: reproduce,
//! search, confirm, conclude. Git, processes and clocks of the machine stay behind [`Laboratory`].

use std::time::{Duration, Instant};

use maestro_protocol::heal::{HealCompleted, HealRequested, RuntimeChanges, Timing};

use crate::answer::{Answer, explain, millis, primary};
use crate::guard::Guard;
use crate::judge::{Target, alike, regression};
use crate::laboratory::{Attempt, AttemptError, Laboratory};
use crate::overlay::Overlay;
use crate::search::{Budget, Found, Repairs, State, search};

/// Runs that show the failure before anything is tried.
const REPRODUCTIONS: u32 = 2;
/// Runs with the change that must pass, the first of the search among them.
const CONFIRMATIONS: u32 = 3;

/// What is to be healed, everything resolved.
pub struct Order<'a> {
    /// The message.
    pub request: &'a HealRequested,
    /// The project's files.
    pub tree: Overlay,
    /// What must pass.
    pub target: Target,
    /// What no repair may do.
    pub guard: Guard,
    /// Runs and time.
    pub budget: Budget,
    /// The strategies that are asked.
    pub repairs: Repairs,
    /// How long getting the code took.
    pub checkout: Duration,
}

/// Heals.
pub async fn heal<L: Laboratory>(
    laboratory: &L,
    order: Order<'_>,
) -> Result<HealCompleted, AttemptError> {
    let mut budget = order.budget;
    let mut timing = Timing {
        checkout: millis(order.checkout),
        ..Timing::default()
    };
    let reproduced = reproduce(laboratory, &order, &mut budget, &mut timing).await?;
    let mut answer = Answer::new(&order, &reproduced, timing);
    if reproduced.shown == 0 {
        return Ok(answer.not_reproduced(&reproduced));
    }
    if reproduced.shown < reproduced.runs {
        return Ok(answer.unsteady(&reproduced));
    }
    let first = reproduced.attempt;
    let start = State {
        tree: order.tree.clone(),
        runtime: RuntimeChanges::default(),
        steps: Vec::new(),
        touches: Vec::new(),
        doubts: Vec::new(),
        attempt: first.clone(),
    };
    let diagnosis = explain(laboratory, &start, &order.target);
    diagnosis
        .class()
        .clone_into(&mut answer.completed.evidence.error_class);
    let mut found = search(
        laboratory,
        start,
        &order.target,
        &order.guard,
        &mut budget,
        order.repairs,
    )
    .await?;
    answer.spent(&found);
    if !found.green {
        let behind = explain(laboratory, &found.state, &order.target);
        return answer.unhealed(&order, &found, &diagnosis, &behind);
    }
    let began = Instant::now();
    let (passed, runs) = confirm(laboratory, &order, &mut found, &mut budget).await?;
    answer.completed.timing_ms.validate += millis(began.elapsed());
    answer.healed(&order, &found, reproduced.runs, passed, runs, &first.report)
}

/// The failing run, and how often it failed that way.
pub(crate) struct Reproduced {
    pub(crate) attempt: Attempt,
    pub(crate) shown: u32,
    pub(crate) runs: u32,
}

async fn reproduce<L: Laboratory>(
    laboratory: &L,
    order: &Order<'_>,
    budget: &mut Budget,
    timing: &mut Timing,
) -> Result<Reproduced, AttemptError> {
    let none = RuntimeChanges::default();
    let mut shown = 0;
    let mut runs = 0;
    let mut kept: Option<Attempt> = None;
    while runs < REPRODUCTIONS.min(budget.runs.max(1)) {
        let attempt = laboratory.attempt(&order.tree, &none).await?;
        if let Some(stopped) = attempt.stopped {
            return Err(AttemptError::Stopped(stopped));
        }
        runs += 1;
        timing.install += millis(attempt.install);
        timing.reproduce += millis(attempt.run);
        let same = |kept: &Attempt| {
            alike(
                &primary(&kept.report, &order.target),
                &primary(&attempt.report, &order.target),
            )
        };
        let failed = !order.target.is_green(&attempt.report);
        // A test that fails in another way each time was not reproduced, it is unsteady.
        if failed && kept.as_ref().is_none_or(same) {
            shown += 1;
        }
        // The failing run is the one to explain; of two failing ones the first.
        if kept.is_none() || failed && shown == 1 {
            kept = Some(attempt);
        }
        // One green run says as much as two when nothing failed so far.
        if !failed && shown == 0 {
            break;
        }
    }
    budget.runs = budget.runs.saturating_sub(runs);
    match kept {
        Some(attempt) => Ok(Reproduced {
            attempt,
            shown,
            runs,
        }),
        None => Err(AttemptError::Machine("no run was made".to_owned())),
    }
}

/// Runs the repaired tree again, until it has passed as often as is asked for, or fails once.
async fn confirm<L: Laboratory>(
    laboratory: &L,
    order: &Order<'_>,
    found: &mut Found,
    budget: &mut Budget,
) -> Result<(u32, u32), AttemptError> {
    let (mut passed, mut runs) = (1, 1);
    while runs < CONFIRMATIONS && budget.runs > 0 && Instant::now() < budget.deadline {
        budget.runs -= 1;
        let attempt = laboratory
            .attempt(&found.state.tree, &found.state.runtime)
            .await?;
        runs += 1;
        let worse = regression(&found.state.attempt.report, &attempt.report);
        if order.target.is_green(&attempt.report) && worse.is_none() {
            passed += 1;
        } else {
            found
                .rejected
                .push(worse.unwrap_or_else(|| {
                    "the repaired test passed once and failed again".to_owned()
                }));
            break;
        }
    }
    Ok((passed, runs))
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
