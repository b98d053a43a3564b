//! Whether a repair holds: the repaired tree runs again, and defects are planted below the tests that it healed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use maestro_protocol::heal::Strategy;

use crate::conditions::Conditions;
use crate::engine::Order;
use crate::failure::Report;
use crate::judge::regression;
use crate::laboratory::{Attempt, AttemptError, Laboratory};
use crate::search::{Budget, Found, State};
use crate::teeth::{self, Checked};

/// Runs with the change that must pass, the first of the search among them.
const CONFIRMATIONS: u32 = 3;

/// What the runs of a repaired tree came to.
pub(crate) struct Proof {
    /// Runs that showed the failure before.
    pub(crate) reproduced: u32,
    /// Runs that passed with the change.
    pub(crate) passed: u32,
    /// Of so many.
    pub(crate) runs: u32,
    /// What the one that did not pass reported, where it is the target that failed.
    pub(crate) failed: Option<Report>,
    /// The teeth check.
    pub(crate) checked: Checked,
}

/// Runs a repaired tree again, and looks at the teeth of the tests that it healed.
pub(crate) async fn prove<L: Laboratory>(
    laboratory: &L,
    order: &Order<'_>,
    start: &State,
    reproduced: u32,
    found: &mut Found,
    budget: &mut Budget,
) -> Result<Proof, AttemptError> {
    let confirmed = confirm(laboratory, order, start, found, budget).await?;
    let checked = match confirmed.checked {
        _ if confirmed.passed < confirmed.runs => Checked::default(),
        Some(checked) => checked,
        None => {
            let (state, lines) = (&found.state, &confirmed.lines);
            bite(laboratory, order, start, state, lines, budget).await?
        }
    };
    Ok(Proof {
        reproduced,
        passed: confirmed.passed,
        runs: confirmed.runs,
        failed: confirmed.failed,
        checked,
    })
}

/// How often the repaired tree passed, of how many runs, and the lines that the healed tests ran.
struct Confirmed {
    passed: u32,
    runs: u32,
    lines: BTreeMap<String, BTreeSet<u32>>,
    failed: Option<Report>,
    /// The teeth check, where it was made beside a run.
    checked: Option<Checked>,
}

/// The teeth check of a repair, by the lines that the healed tests ran.
async fn bite<L: Laboratory>(
    laboratory: &L,
    order: &Order<'_>,
    start: &State,
    healed: &State,
    lines: &BTreeMap<String, BTreeSet<u32>>,
    budget: &Budget,
) -> Result<Checked, AttemptError> {
    if !laboratory.bites() {
        return Ok(Checked::default());
    }
    let (before, after) = (&start.attempt.report, &healed.attempt.report);
    let subjects = teeth::subjects(&order.target, before, after);
    let time_left = budget.deadline.saturating_duration_since(Instant::now());
    teeth::check(laboratory, start, healed, &subjects, lines, time_left).await
}

/// Runs the repaired tree again, until it has passed as often as is asked for, or fails once. The last of the runs is
/// traced: it costs no run of its own to know which lines the healed tests run. The others have a process of their own. They run side by
/// side, each on a copy of its own, and the teeth check behind the traced one beside the other, unless the repair is a matter of time: then one
/// would be the other's load.
async fn confirm<L: Laboratory>(
    laboratory: &L,
    order: &Order<'_>,
    start: &State,
    found: &mut Found,
    budget: &mut Budget,
) -> Result<Confirmed, AttemptError> {
    let before = &start.attempt.report;
    let mut confirmed = Confirmed {
        passed: 1,
        runs: 1,
        lines: BTreeMap::new(),
        failed: None,
        checked: None,
    };
    let subjects = teeth::subjects(&order.target, before, &found.state.attempt.report);
    let mut traceable = true;
    while confirmed.runs < CONFIRMATIONS && budget.runs > 0 && Instant::now() < budget.deadline {
        let wanted = (CONFIRMATIONS - confirmed.runs).min(budget.runs);
        let beside = wanted > 1 && !matters_of_time(found);
        let is_last = wanted == 1 || beside;
        budget.take(if beside { 2 } else { 1 });
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
                Some(bite(laboratory, order, start, state, lines, budget).await?)
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
        if is_cut_off(alone.iter().chain(&traced), budget.deadline) {
            found.state.doubts.push(
                "the time of the heal was over before all runs that were to confirm it were"
                    .to_owned(),
            );
            break;
        }
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
            if !order.target.is_met(before, &attempt.report) {
                confirmed.failed = Some(attempt.report);
            }
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

/// Whether one of the runs was stopped because no time was left: what it did not come to says nothing.
pub(crate) fn is_cut_off<'a>(
    runs: impl IntoIterator<Item = &'a Attempt>,
    deadline: Instant,
) -> bool {
    Instant::now() >= deadline && runs.into_iter().any(|attempt| attempt.stopped.is_some())
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

pub(crate) fn matters_of_time(found: &Found) -> bool {
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
    budget.take(3);
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
