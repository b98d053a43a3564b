//! The path of one heal, from a tree and a way to run its tests to a verdict with its evidence: reproduce,
//! search, confirm, conclude. Git, processes and clocks of the machine stay behind [`Laboratory`].

use std::time::{Duration, Instant};

use maestro_memory::Known;
use maestro_protocol::heal::{HealCompleted, HealRequested, Timing, Verdict};

use crate::answer::{Answer, Behind, Explained, explain, millis, primary};
use crate::failure::Report;
use crate::guard::Guard;
use crate::judge::{Target, alike};
use crate::laboratory::{AttemptError, Laboratory};
use crate::overlay::Overlay;
use crate::prove::{matters_of_time, prove};
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
        let start = State::before(&order.tree, reproduced.attempt.clone());
        let outcome = stabilise(
            laboratory,
            &order,
            &start,
            Suspicion::Passes,
            answer,
            budget.of_flaky(),
        );
        return Ok(match Box::pin(outcome).await? {
            Outcome::Answer(completed) => *completed,
            Outcome::Steady(answer, runs) if reproduced.shown == 0 => {
                answer.not_reproduced(&reproduced, runs)
            }
            Outcome::Steady(answer, runs) => answer.unsteady(&reproduced, runs),
        });
    }
    let start = State::before(&order.tree, reproduced.attempt);
    let diagnosis = explain(laboratory, &start, &order.target);
    diagnosis
        .class()
        .clone_into(&mut answer.completed.evidence.error_class);
    if diagnosis.may_be_flaky() && laboratory.arranges() {
        let outcome = stabilise(
            laboratory,
            &order,
            &start,
            Suspicion::Fails,
            answer,
            budget.of_flaky(),
        );
        answer = match Box::pin(outcome).await? {
            Outcome::Answer(completed) => return Ok(*completed),
            Outcome::Steady(answer, _) => *answer,
        };
    }
    let mut found = Box::pin(search(
        laboratory,
        start.clone(),
        &order.target,
        &order.guard,
        &mut budget,
        &order.menu(diagnosis.class()),
    ))
    .await?;
    answer.spent(&found);
    if !found.green {
        let mut completed = Box::pin(unhealed(
            laboratory, &order, answer, &found, &diagnosis, &budget,
        ))
        .await?;
        let failing = primary(&start.attempt.report, &order.target);
        trace_back(laboratory, &order, &failing, &budget, &mut completed).await?;
        return Ok(completed);
    }
    let began = Instant::now();
    let shown = reproduced.runs;
    let proof = prove(laboratory, &order, &start, shown, &mut found, &mut budget).await?;
    let beside_teeth = began.elapsed().saturating_sub(proof.checked.run);
    answer.completed.timing_ms.validate += millis(beside_teeth);
    if let Some(failed) = &proof.failed
        && laboratory.arranges()
        && !may_be_luck(&order.target, &start, &found, failed)
    {
        let (flaky, answer) = (budget.of_flaky(), answer.clone());
        let outcome = stabilise(
            laboratory,
            &order,
            &found.state,
            Suspicion::Passes,
            answer,
            flaky,
        );
        if let Some(offered) = offered(Box::pin(outcome).await?) {
            return Ok(offered);
        }
    }
    answer.healed(&order, &found, &proof)
}

/// Whether a repair after which the target passed once may have had no part in that: what failed at first is what fails again, or the repair
/// is a matter of time.
fn may_be_luck(target: &Target, start: &State, found: &Found, failed: &Report) -> bool {
    let first = primary(&start.attempt.report, target);
    alike(&first, &primary(failed, target)) || matters_of_time(found)
}

/// The answer, where it offers a repair.
fn offered(outcome: Outcome) -> Option<HealCompleted> {
    match outcome {
        Outcome::Answer(completed) => Some(*completed).filter(offers),
        Outcome::Steady(..) => None,
    }
}

fn offers(completed: &HealCompleted) -> bool {
    matches!(completed.verdict, Verdict::Healed | Verdict::Proposed)
}

/// The answer where the search turned nothing green. What fails behind a repair may be flaky as well as what failed first.
async fn unhealed<L: Laboratory>(
    laboratory: &L,
    order: &Order<'_>,
    mut answer: Answer,
    found: &Found,
    diagnosis: &Explained,
    budget: &Budget,
) -> Result<HealCompleted, AttemptError> {
    let explained = explain(laboratory, &found.state, &order.target);
    let is_chain = !found.state.steps.is_empty();
    if !(is_chain && explained.may_be_flaky() && laboratory.arranges()) {
        return answer.unhealed(order, found, diagnosis, &Behind::Failure(explained));
    }
    let outcome = stabilise(
        laboratory,
        order,
        &found.state,
        Suspicion::Fails,
        answer.clone(),
        budget.of_flaky(),
    );
    let behind = match Box::pin(outcome).await? {
        Outcome::Answer(completed) if offers(&completed) => return Ok(*completed),
        Outcome::Answer(completed) => {
            answer.completed.timing_ms = completed.timing_ms;
            Behind::Unsteady(completed)
        }
        Outcome::Steady(steady, _) => {
            answer = *steady;
            Behind::Failure(explained)
        }
    };
    answer.unhealed(order, found, diagnosis, &behind)
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
