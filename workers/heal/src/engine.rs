//! The path of one heal, from a tree and a way to run its tests to a verdict with its evidence: reproduce,
//! search, confirm, conclude. Git, processes and clocks of the machine stay behind [`Laboratory`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use maestro_memory::Known;
use maestro_protocol::heal::{HealCompleted, HealRequested, RuntimeChanges, Strategy, Timing};

use crate::answer::{Answer, Explained, explain, millis, primary};
use crate::conditions::Conditions;
use crate::failure::Report;
use crate::guard::Guard;
use crate::judge::{Target, alike, regression};
use crate::laboratory::{Attempt, AttemptError, Laboratory};
use crate::overlay::Overlay;
use crate::search::{Budget, Found, Menu, Repairs, State, search};
use crate::stabilise::{Outcome, Suspicion, stabilise};
use crate::teeth::{self, Checked};
use crate::trace_back::trace_back;

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
    let mut found = search(
        laboratory,
        start,
        &order.target,
        &order.guard,
        &mut budget,
        &order.menu(diagnosis.class()),
    )
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

/// What the runs of a repaired tree came to.
pub(crate) struct Proof {
    /// Runs that showed the failure before.
    pub(crate) reproduced: u32,
    /// Runs that passed with the change.
    pub(crate) passed: u32,
    /// Of so many.
    pub(crate) runs: u32,
    /// The teeth check.
    pub(crate) checked: Checked,
}

/// Runs a repaired tree again, and looks at the teeth of the tests that it healed.
async fn prove<L: Laboratory>(
    laboratory: &L,
    order: &Order<'_>,
    before: &Report,
    reproduced: u32,
    found: &mut Found,
    budget: &mut Budget,
) -> Result<Proof, AttemptError> {
    let confirmed = confirm(laboratory, order, before, found, budget).await?;
    let checked = match confirmed.checked {
        _ if confirmed.passed < confirmed.runs => Checked::default(),
        Some(checked) => checked,
        None => {
            let (state, lines) = (&found.state, &confirmed.lines);
            bite(laboratory, order, before, state, lines, budget).await?
        }
    };
    Ok(Proof {
        reproduced,
        passed: confirmed.passed,
        runs: confirmed.runs,
        checked,
    })
}

/// How often the repaired tree passed, of how many runs, and the lines that the healed tests ran.
struct Confirmed {
    passed: u32,
    runs: u32,
    lines: BTreeMap<String, BTreeSet<u32>>,
    /// The teeth check, where it was made beside a run.
    checked: Option<Checked>,
}

/// The teeth check of a repair, by the lines that the healed tests ran.
async fn bite<L: Laboratory>(
    laboratory: &L,
    order: &Order<'_>,
    before: &Report,
    healed: &State,
    lines: &BTreeMap<String, BTreeSet<u32>>,
    budget: &Budget,
) -> Result<Checked, AttemptError> {
    if !laboratory.bites() {
        return Ok(Checked::default());
    }
    let subjects = teeth::subjects(&order.target, before, &healed.attempt.report);
    let time_left = budget.deadline.saturating_duration_since(Instant::now());
    teeth::check(laboratory, &order.tree, healed, &subjects, lines, time_left).await
}

/// The failing run, and how often it failed that way.
pub(crate) struct Reproduced {
    pub(crate) attempt: Attempt,
    pub(crate) shown: u32,
    pub(crate) runs: u32,
}

/// Runs the tests as they are, twice if they fail. The first run has a process of its own; a later one that was forked and says something
/// else is not believed before another of each has said the same.
async fn reproduce<L: Laboratory>(
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
        self.budget.runs = self.budget.runs.saturating_sub(1);
        self.timing.install += millis(attempt.install);
        self.timing.reproduce += millis(began.elapsed().saturating_sub(attempt.install));
        Ok(attempt)
    }
}

/// Runs the repaired tree again, until it has passed as often as is asked for, or fails once. The last of the runs is
/// traced: it costs no run of its own to know which lines the healed tests run. The others have a process of their own. They run side by
/// side, each on a copy of its own, and the teeth check behind the traced one beside the other, unless the repair is a matter of time: then one
/// would be the other's load.
async fn confirm<L: Laboratory>(
    laboratory: &L,
    order: &Order<'_>,
    before: &Report,
    found: &mut Found,
    budget: &mut Budget,
) -> Result<Confirmed, AttemptError> {
    let mut confirmed = Confirmed {
        passed: 1,
        runs: 1,
        lines: BTreeMap::new(),
        checked: None,
    };
    let subjects = teeth::subjects(&order.target, before, &found.state.attempt.report);
    let mut traceable = true;
    while confirmed.runs < CONFIRMATIONS && budget.runs > 0 && Instant::now() < budget.deadline {
        let wanted = (CONFIRMATIONS - confirmed.runs).min(budget.runs);
        let beside = wanted > 1 && !matters_of_time(found);
        let is_last = wanted == 1 || beside;
        budget.runs -= if beside { 2 } else { 1 };
        let last = Conditions {
            trace: if traceable {
                subjects.clone()
            } else {
                Vec::new()
            },
            apart: !traceable,
            ..Conditions::default()
        };
        let state = &found.state;
        let green = |attempt: &Attempt| {
            order.target.is_met(before, &attempt.report)
                && regression(&state.attempt.report, &attempt.report).is_none()
        };
        let run = async |conditions: &Conditions| {
            laboratory
                .attempt_under(&state.tree, &state.runtime, conditions)
                .await
        };
        let traced = async {
            if !is_last {
                return Ok(None);
            }
            let attempt = run(&last).await?;
            let checked = if beside && green(&attempt) {
                let lines = &attempt.report.lines;
                Some(bite(laboratory, order, before, state, lines, budget).await?)
            } else {
                None
            };
            Ok(Some((attempt, checked)))
        };
        let alone = async {
            if is_last && !beside {
                return Ok(None);
            }
            run(&Conditions::apart()).await.map(Some)
        };
        let (alone, traced) = tokio::try_join!(alone, traced)?;
        let (traced, checked) = traced.unzip();
        confirmed.checked = checked.flatten();
        let traced_lines = !last.trace.is_empty();
        for (attempt, is_traced) in alone
            .into_iter()
            .map(|attempt| (attempt, false))
            .chain(traced.into_iter().map(|attempt| (attempt, traced_lines)))
        {
            let is_green = green(&attempt);
            if !is_green && is_traced && budget.runs > 0 {
                // A test may have something against being watched; that is not the repair's fault.
                traceable = false;
                continue;
            }
            confirmed.runs += 1;
            if is_green {
                confirmed.passed += 1;
                confirmed.lines.extend(attempt.report.lines);
                continue;
            }
            let worse = regression(&state.attempt.report, &attempt.report);
            found
                .rejected
                .push(worse.unwrap_or_else(|| {
                    "the repaired test passed once and failed again".to_owned()
                }));
            return Ok(confirmed);
        }
    }
    if confirmed.passed == confirmed.runs && matters_of_time(found) {
        under_load(laboratory, order, before, found, budget, &mut confirmed).await?;
    }
    Ok(confirmed)
}

/// Polls one or two runs side by side. No more are ever confirmed at once.
pub(crate) async fn together<R>(runs: impl Iterator<Item = R>) -> Result<Vec<Attempt>, AttemptError>
where
    R: Future<Output = Result<Attempt, AttemptError>>,
{
    let mut runs = runs;
    let mut attempts = Vec::new();
    while let Some(one) = runs.next() {
        match runs.next() {
            Some(other) => {
                let (one, other) = tokio::try_join!(one, other)?;
                attempts.extend([one, other]);
            }
            None => attempts.push(one.await?),
        }
    }
    Ok(attempts)
}

fn matters_of_time(found: &Found) -> bool {
    found
        .state
        .steps
        .iter()
        .any(|step| step.strategy == Strategy::TimingAdjustment)
}

/// A repair that gives something more time is run on a busy machine too: three runs at once, which are each other's
/// load. One that does not hold there is a person's to judge.
async fn under_load<L: Laboratory>(
    laboratory: &L,
    order: &Order<'_>,
    before: &Report,
    found: &mut Found,
    budget: &mut Budget,
    confirmed: &mut Confirmed,
) -> Result<(), AttemptError> {
    if budget.runs < 3 || Instant::now() >= budget.deadline {
        return Ok(());
    }
    budget.runs -= 3;
    // Of one fork server's runs one waits for the other.
    let apart = Conditions::apart();
    let state = &found.state;
    let run = || laboratory.attempt_under(&state.tree, &state.runtime, &apart);
    let (one, two, three) = tokio::try_join!(run(), run(), run())?;
    let holds = |attempt: &&Attempt| {
        order.target.is_met(before, &attempt.report)
            && regression(&found.state.attempt.report, &attempt.report).is_none()
    };
    let held = [&one, &two, &three].into_iter().filter(holds).count();
    if held == 3 {
        confirmed.passed += 3;
        confirmed.runs += 3;
    } else {
        // How busy a machine the test has to bear is not for a worker to say.
        found.state.doubts.push(format!(
            "on a busy machine it still fails: of three runs at once {held} passed"
        ));
    }
    Ok(())
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
