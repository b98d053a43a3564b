//! The path of one heal, from a tree and a way to run its tests to a verdict with its evidence: reproduce,
//! search, confirm, conclude. Git, processes and clocks of the machine stay behind [`Laboratory`].

use std::time::{Duration, Instant};

use maestro_memory::Known;
use maestro_protocol::heal::{HealCompleted, HealRequested, RuntimeChanges, Timing};

use crate::answer::{Answer, Explained, explain, millis, primary};
use crate::guard::Guard;
use crate::judge::Target;
use crate::laboratory::{AttemptError, Laboratory};
use crate::overlay::Overlay;
use crate::prove::prove;
use crate::reproduce::reproduce;
use crate::search::{Budget, Found, Menu, Repairs, State, search};
use crate::stabilise::{Outcome, Suspicion, stabilise};
use crate::trace_back::trace_back;

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
    /// What became of earlier heals.
    pub known: Known,
    /// How long getting the code took.
    pub checkout: Duration,
}

impl Order<'_> {
    /// What a search on a failure of this class chooses from.
    pub(crate) fn menu<'o>(&'o self, class: &'o str) -> Menu<'o> {
        Menu {
            repairs: self.repairs,
            known: &self.known,
            class,
            directory: self.request.project.directory.as_deref(),
        }
    }
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
    if reproduced.shown < reproduced.runs {
        // Nobody said which test of a green command is to be flaky.
        let looked_at = order.target == Target::Command || !laboratory.arranges();
        if reproduced.shown == 0 && looked_at {
            return Ok(answer.not_reproduced(&reproduced, 0));
        }
        if !laboratory.arranges() {
            return Ok(answer.unsteady(&reproduced, 0));
        }
        let plain = &reproduced.attempt;
        budget.runs = budget.runs.max(budget.for_flaky);
        let outcome = stabilise(
            laboratory,
            &order,
            plain,
            Suspicion::Passes,
            answer,
            &mut budget,
        );
        return Ok(match outcome.await? {
            Outcome::Answer(completed) => *completed,
            Outcome::Steady(answer, runs) if reproduced.shown == 0 => {
                answer.not_reproduced(&reproduced, runs)
            }
            Outcome::Steady(answer, runs) => answer.unsteady(&reproduced, runs),
        });
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
    if diagnosis.may_be_flaky() && laboratory.arranges() {
        let mut for_flaky = Budget {
            runs: budget.runs.max(budget.for_flaky),
            ..budget
        };
        let outcome = stabilise(
            laboratory,
            &order,
            &first,
            Suspicion::Fails,
            answer,
            &mut for_flaky,
        );
        answer = match outcome.await? {
            Outcome::Answer(completed) => return Ok(*completed),
            Outcome::Steady(answer, _) => *answer,
        };
    }
    let mut found = Box::pin(search(
        laboratory,
        start,
        &order.target,
        &order.guard,
        &mut budget,
        &order.menu(diagnosis.class()),
    ))
    .await?;
    answer.spent(&found);
    if !found.green {
        let mut completed = unhealed(laboratory, &order, answer, &found, &diagnosis)?;
        let failing = primary(&first.report, &order.target);
        trace_back(laboratory, &order, &failing, &budget, &mut completed).await?;
        return Ok(completed);
    }
    let began = Instant::now();
    let before = &first.report;
    let proof = prove(
        laboratory,
        &order,
        before,
        reproduced.runs,
        &mut found,
        &mut budget,
    )
    .await?;
    let beside_teeth = began.elapsed().saturating_sub(proof.checked.run);
    answer.completed.timing_ms.validate += millis(beside_teeth);
    answer.healed(&order, &found, &proof, &first.report)
}

/// The answer where nothing turned the target green.
fn unhealed<L: Laboratory>(
    laboratory: &L,
    order: &Order<'_>,
    answer: Answer,
    found: &Found,
    diagnosis: &Explained,
) -> Result<HealCompleted, AttemptError> {
    let behind = explain(laboratory, &found.state, &order.target);
    answer.unhealed(order, found, diagnosis, &behind)
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
