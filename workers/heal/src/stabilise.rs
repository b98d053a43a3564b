//! The path of a flaky test: what it depends on is found out, repaired, and proven by shuffled runs. Each round takes
//! away one thing that it depends on; what a shuffled run still shows is the next round's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use maestro_protocol::heal::{HealCompleted, RuntimeChanges};

use crate::adapter::Adapter;
use crate::answer::{Answer, explain, millis};
use crate::case::PackageIndex;
use crate::conditions::{Chances, Conditions, Order as Sequence};
use crate::engine::Order;
use crate::failure::{Report, TestOutcome};
use crate::investigate::{Found as Learnt, Inquiry};
use crate::judge::{Target, regression};
use crate::laboratory::{Attempt, AttemptError, Laboratory};
use crate::overlay::Overlay;
use crate::past::Past;
use crate::prove::{Proof, is_cut_off};
use crate::search::{Budget, Found, State, search};
use crate::teeth::{self, Bites, Defect};
use crate::unsteady::{Cause, Unsteady};

/// Shuffled runs, each with seeds of its own, that a stabilised test has to pass.
pub(crate) const SHUFFLES: u32 = 20;
/// The first of their numbers; those below are used up by looking for the failure.
const FIRST_SHUFFLE: u32 = 100;
/// The most things that one test is made independent of.
const ROUNDS: usize = 6;
/// Runs that show the failure under its conditions.
const SHOWN: u32 = 2;

/// The laboratory under the conditions in which a flaky test fails.
struct Under<'a, L> {
    laboratory: &'a L,
    conditions: Conditions,
    unsteady: Option<Arc<Unsteady>>,
}

impl<L: Laboratory> Laboratory for Under<'_, L> {
    async fn attempt_under(
        &self,
        tree: &Overlay,
        changes: &RuntimeChanges,
        conditions: &Conditions,
    ) -> Result<Attempt, AttemptError> {
        let apart = conditions.apart;
        let is_plain = *conditions
            == Conditions {
                apart,
                ..Conditions::default()
            };
        let failing = Conditions {
            apart,
            ..self.conditions.clone()
        };
        let conditions = if is_plain { &failing } else { conditions };
        self.laboratory
            .attempt_under(tree, changes, conditions)
            .await
    }

    fn distrust(&self) {
        self.laboratory.distrust();
    }

    async fn bite(
        &self,
        tree: &Overlay,
        changes: &RuntimeChanges,
        tests: &[String],
        defects: &[Defect],
        within: std::time::Duration,
    ) -> Result<Bites, AttemptError> {
        self.laboratory
            .bite(tree, changes, tests, defects, within)
            .await
    }

    fn index(&self) -> Arc<dyn PackageIndex + Send + Sync> {
        self.laboratory.index()
    }

    fn past(&self) -> Arc<dyn Past> {
        self.laboratory.past()
    }

    fn adapter(&self) -> &'static dyn Adapter {
        self.laboratory.adapter()
    }

    fn unsteady(&self) -> Option<Arc<Unsteady>> {
        self.unsteady.clone()
    }

    fn chances(&self) -> Chances {
        self.laboratory.chances()
    }

    fn at_once(&self) -> bool {
        self.laboratory.at_once()
    }
}

/// What the first look at a test said.
pub(crate) enum Suspicion {
    /// It passes as the command runs it, or does not always fail.
    Passes,
    /// It fails as the command runs it.
    Fails,
}

/// What came of it.
pub(crate) enum Outcome {
    /// A verdict.
    Answer(Box<HealCompleted>),
    /// The test is not flaky as far as so many further runs say; the answer goes on from here.
    Steady(Box<Answer>, u32),
}

/// One flaky test on its way to a verdict.
struct Case<'a, 'o, L> {
    laboratory: &'a L,
    order: &'a Order<'o>,
    start: &'a State,
    budget: Budget,
    answer: Answer,
    state: State,
    rejected: Vec<String>,
}

/// Looks for what the test depends on, and repairs that. `start` has the run of the command as it stands: of the project as it is, or behind
/// what was repaired before.
pub(crate) async fn stabilise<L: Laboratory>(
    laboratory: &L,
    order: &Order<'_>,
    start: &State,
    suspicion: Suspicion,
    answer: Answer,
    budget: Budget,
) -> Result<Outcome, AttemptError> {
    let mut case = Case {
        laboratory,
        order,
        start,
        budget,
        answer,
        state: start.clone(),
        rejected: Vec::new(),
    };
    let began = Instant::now();
    let learnt = case.inquire(&suspicion).await?;
    case.answer.completed.timing_ms.generate += millis(began.elapsed());
    match learnt {
        Learnt::Steady(runs) => Ok(Outcome::Steady(Box::new(case.answer), runs)),
        Learnt::Chance(conditions, attempt) => case.by_chance(conditions, attempt).await,
        Learnt::Cause(unsteady) => case.rounds(unsteady, &suspicion).await,
    }
    .map(|outcome| match outcome {
        Outcome::Answer(mut completed) => {
            classed(&mut completed, start);
            Outcome::Answer(completed)
        }
        steady @ Outcome::Steady(..) => steady,
    })
}

/// Behind a link, the class stays that of the failure which was reproduced.
fn classed(completed: &mut HealCompleted, start: &State) {
    if start.steps.is_empty() {
        "flaky".clone_into(&mut completed.evidence.error_class);
    }
}

impl<L: Laboratory> Case<'_, '_, L> {
    /// The run of the command as it stood at the start.
    fn plain(&self) -> &Report {
        &self.start.attempt.report
    }

    async fn inquire(&mut self, suspicion: &Suspicion) -> Result<Learnt, AttemptError> {
        match suspicion {
            Suspicion::Passes => {
                let plain = &self.start.attempt.report;
                self.inquiry().of_passing(plain).await
            }
            Suspicion::Fails => {
                let failing = self.state.attempt.clone();
                self.inquiry().of_failing(&failing).await
            }
        }
    }

    /// The same where a shuffled run has shown the conditions already.
    async fn inquire_into(&mut self, shown: Contradiction) -> Result<Learnt, AttemptError> {
        let plain = &self.start.attempt.report;
        self.inquiry()
            .of_shown(shown.conditions, shown.attempt, plain)
            .await
    }

    fn inquiry(&mut self) -> Inquiry<'_, L> {
        Inquiry {
            laboratory: self.laboratory,
            tree: &self.state.tree,
            runtime: &self.state.runtime,
            target: &self.order.target,
            budget: &mut self.budget,
        }
    }

    async fn rounds(
        mut self,
        first: Unsteady,
        suspicion: &Suspicion,
    ) -> Result<Outcome, AttemptError> {
        let mut unsteady = first;
        for round in 0..ROUNDS {
            if round < 3 {
                let said = unsteady.to_string();
                self.answer.completed.evidence.caveats.push(said);
            }
            let found = self.repair(&unsteady, round == 0).await?;
            if !found.green {
                return self.unhealed(found, &unsteady);
            }
            self.state = found.state;
            self.rejected.extend(found.rejected);
            let began = Instant::now();
            let plain = self.plain_run().await?;
            self.answer.completed.timing_ms.validate += millis(began.elapsed());
            let next = if self.order.target.is_green(&plain.report) {
                self.state.attempt = plain;
                match self.shuffles(&HashSeeds::for_what(&unsteady)).await? {
                    Shuffled::Green(passed, lines) => return self.healed(passed, &lines).await,
                    Shuffled::Failed(contradiction) => {
                        self.rejected.push(contradiction.reason.clone());
                        self.inquire_into(*contradiction).await?
                    }
                    Shuffled::Worse(reason) => return self.rejected(reason),
                }
            } else {
                self.state.attempt = plain;
                match suspicion {
                    Suspicion::Fails => self.inquire(&Suspicion::Fails).await?,
                    Suspicion::Passes => self.inquire(&Suspicion::Passes).await?,
                }
            };
            match next {
                Learnt::Cause(next) => unsteady = next,
                Learnt::Chance(..) | Learnt::Steady(_) => break,
            }
        }
        let reason = self.rejected.last().cloned().unwrap_or_else(|| {
            "one thing that the test depends on was taken away, and it still fails".to_owned()
        });
        self.rejected(reason)
    }

    /// One round: the candidates, tried under the conditions that fail.
    async fn repair(&mut self, unsteady: &Unsteady, first: bool) -> Result<Found, AttemptError> {
        let under = Under {
            laboratory: self.laboratory,
            conditions: unsteady.failing.clone(),
            unsteady: Some(Arc::new(unsteady.clone())),
        };
        let began = Instant::now();
        let mut start = self.state.clone();
        let mut shown = 0;
        for _ in 0..if first { SHOWN } else { 1 } {
            start.attempt = under.attempt(&start.tree, &start.runtime).await?;
            shown += u32::from(!start.attempt.report.passed(&unsteady.victim));
        }
        if first && self.start.steps.is_empty() {
            self.answer.completed.evidence.reproduced = format!("{shown}/{SHOWN}");
            self.answer
                .failed_with(&start.attempt.report, &unsteady.victim);
        }
        self.answer.completed.timing_ms.reproduce += millis(began.elapsed());
        let found = Box::pin(search(
            &under,
            start,
            &Target::Test(unsteady.victim.clone()),
            &self.order.guard,
            &mut self.budget,
            &self.order.menu("flaky"),
        ))
        .await?;
        self.answer.spent(&found);
        Ok(found)
    }

    async fn plain_run(&mut self) -> Result<Attempt, AttemptError> {
        self.budget.take(1);
        let (tree, changes) = (&self.state.tree, &self.state.runtime);
        self.laboratory
            .attempt_under(tree, changes, &Conditions::apart())
            .await
    }

    /// The proof: the whole command in other orders, with other seeds, several runs at a time. The last one is traced.
    async fn shuffles(&mut self, hash_seeds: &HashSeeds) -> Result<Shuffled, AttemptError> {
        let began = Instant::now();
        if let Some(reason) = regression(self.plain(), &self.state.attempt.report) {
            return Ok(Shuffled::Worse(reason));
        }
        let mut passed = 0;
        let mut lines = BTreeMap::new();
        let mut compared = 0;
        let mut others = BTreeSet::new();
        while passed < SHUFFLES && self.budget.runs > 0 && Instant::now() < self.budget.deadline {
            let at_once = self
                .laboratory
                .at_a_time()
                .min(SHUFFLES - passed)
                .min(self.budget.runs);
            let runs: Vec<Conditions> = (passed..passed + at_once)
                .map(|number| self.shuffled(number, hash_seeds))
                .collect();
            let (tree, changes) = (&self.state.tree, &self.state.runtime);
            let attempts = self.laboratory.attempts_under(tree, changes, &runs).await?;
            self.budget
                .take(u32::try_from(attempts.len()).unwrap_or(at_once));
            if attempts.is_empty() || is_cut_off(&attempts, self.budget.deadline) {
                break;
            }
            for (attempt, conditions) in attempts.into_iter().zip(&runs) {
                if !self.order.target.is_green(&attempt.report) && self.fails_here(&attempt.report)
                {
                    let reason = format!(
                        "after {passed} shuffled runs the test failed again ({conditions})"
                    );
                    return Ok(Shuffled::Failed(Box::new(Contradiction {
                        reason,
                        conditions: conditions.clone(),
                        attempt,
                    })));
                }
                for test in failing(&attempt.report) {
                    // Another test may depend on the order as well, and did before.
                    if self.plain().passed(test) && compared < 3 && others.insert(test.to_owned()) {
                        compared += 1;
                        let original = self
                            .laboratory
                            .attempt_under(&self.start.tree, &self.state.runtime, conditions)
                            .await?;
                        if original.report.passed(test) {
                            return Ok(Shuffled::Worse(format!(
                                "{test} passed before and fails now ({conditions})"
                            )));
                        }
                    }
                }
                passed += 1;
                lines.extend(attempt.report.lines);
            }
        }
        if !others.is_empty() {
            self.answer.completed.evidence.caveats.push(format!(
                "other tests of the command depend on the order too, as they did before: {}",
                others.into_iter().collect::<Vec<_>>().join(", ")
            ));
        }
        if passed < SHUFFLES {
            self.state.doubts.push(format!(
                "the budget allowed {passed} of {SHUFFLES} shuffled runs"
            ));
        }
        self.answer.completed.timing_ms.validate += millis(began.elapsed());
        Ok(Shuffled::Green(passed, lines))
    }

    /// The conditions of the shuffled run of this number, from 0; the last one is traced.
    fn shuffled(&self, number: u32, hash_seeds: &HashSeeds) -> Conditions {
        let chances = self.laboratory.chances();
        let mut conditions = Conditions::shuffled(FIRST_SHUFFLE + number, chances);
        if chances.hashes {
            conditions.hash_seed = hash_seeds.of(number);
        }
        // Where tests run at the same time, an order of them is only half of it.
        if self.laboratory.at_once() && number % 4 == 1 {
            conditions.order = Sequence::AtOnce;
        }
        if number + 1 == SHUFFLES {
            let (before, after) = (self.plain(), &self.state.attempt.report);
            conditions.trace = teeth::subjects(&self.order.target, before, after);
        }
        conditions
    }

    /// Whether something fails that this heal is about. A command's other flaky tests are not: they passed.
    fn fails_here(&self, report: &Report) -> bool {
        match &self.order.target {
            Target::Test(_) => true,
            Target::Command => failing(report).any(|test| !self.plain().passed(test)),
        }
    }

    async fn healed(
        mut self,
        passed: u32,
        lines: &BTreeMap<String, BTreeSet<u32>>,
    ) -> Result<Outcome, AttemptError> {
        let subjects =
            teeth::subjects(&self.order.target, self.plain(), &self.state.attempt.report);
        let time_left = self
            .budget
            .deadline
            .saturating_duration_since(Instant::now());
        let checked = teeth::check(
            self.laboratory,
            self.start,
            &self.state,
            &subjects,
            lines,
            time_left,
        )
        .await?;
        let proof = Proof {
            reproduced: SHOWN,
            // The plain run is one of them.
            passed: passed + 1,
            runs: passed + 1,
            failed: None,
            checked,
        };
        let found = self.found(true);
        // What was decided before is known by the class.
        classed(&mut self.answer.completed, self.start);
        let completed = self.answer.healed(self.order, &found, &proof)?;
        Ok(Outcome::Answer(Box::new(completed)))
    }

    /// The test fails now and then, and nothing that can be set decides: whatever repairs it has to hold for long.
    async fn by_chance(
        mut self,
        conditions: Conditions,
        attempt: Attempt,
    ) -> Result<Outcome, AttemptError> {
        let under = Under {
            laboratory: self.laboratory,
            conditions,
            unsteady: None,
        };
        let victim = failing(&attempt.report).next().map(str::to_owned);
        if let Some(victim) = &victim
            && self.start.steps.is_empty()
        {
            self.answer.failed_with(&attempt.report, victim);
        }
        let start = State {
            attempt,
            ..self.state.clone()
        };
        let diagnosis = explain(&under, &start, &self.order.target);
        let mut found = Box::pin(search(
            &under,
            start,
            &self.order.target,
            &self.order.guard,
            &mut self.budget,
            &self.order.menu("flaky"),
        ))
        .await?;
        self.answer.spent(&found);
        if !found.green {
            let completed = self
                .answer
                .now_and_then(&found, &diagnosis, victim.as_deref());
            return Ok(Outcome::Answer(Box::new(completed)));
        }
        found.state.doubts.push(
            "the failure comes and goes by itself, so that no number of runs proves the repair"
                .to_owned(),
        );
        self.state = found.state;
        self.state.attempt = self.plain_run().await?;
        match self
            .shuffles(&HashSeeds::with(FIRST_SHUFFLE + 6, 6))
            .await?
        {
            Shuffled::Green(passed, lines) => self.healed(passed, &lines).await,
            Shuffled::Failed(contradiction) => self.rejected(contradiction.reason),
            Shuffled::Worse(reason) => self.rejected(reason),
        }
    }

    fn unhealed(mut self, mut found: Found, unsteady: &Unsteady) -> Result<Outcome, AttemptError> {
        found
            .rejected
            .splice(0..0, std::mem::take(&mut self.rejected));
        if found.state.steps.len() > self.start.steps.len() {
            found.rejected.push(format!(
                "made independent of one thing, {unsteady}, and nothing that was tried changes that"
            ));
        }
        let target = Target::Test(unsteady.victim.clone());
        let diagnosis = explain(self.laboratory, &found.state, &target);
        let completed = self
            .answer
            .unstable(self.order, self.start, &found, unsteady, &diagnosis)?;
        Ok(Outcome::Answer(Box::new(completed)))
    }

    fn rejected(mut self, reason: String) -> Result<Outcome, AttemptError> {
        self.rejected.push(reason);
        let found = self.found(false);
        let completed = self.answer.not_stabilised(self.order, &found)?;
        Ok(Outcome::Answer(Box::new(completed)))
    }

    fn found(&self, green: bool) -> Found {
        Found {
            green,
            rejected: self.rejected.clone(),
            ..Found::at(self.state.clone())
        }
    }
}

/// The seeds of hashes that shuffled runs are made with: each is a process to start, so that runs share one.
struct HashSeeds(Vec<Option<u32>>);

impl HashSeeds {
    /// Where they decide nothing as far as is known, a few are enough to notice that they do: that with which the test failed, that of
    /// the plain runs, and two others.
    fn for_what(unsteady: &Unsteady) -> Self {
        let others = match unsteady.cause {
            Cause::HashSeed => 6,
            _ => 2,
        };
        let failed = unsteady.failing.hash_seed;
        Self::with(failed.unwrap_or(FIRST_SHUFFLE + others), others)
    }

    fn with(one: u32, others: u32) -> Self {
        let others = (FIRST_SHUFFLE..FIRST_SHUFFLE + others).map(Some);
        Self([None, Some(one)].into_iter().chain(others).collect())
    }

    /// That of the run of this number: two runs at a time, each time the same two for some runs.
    fn of(&self, number: u32) -> Option<u32> {
        let (pair, lane) = (number as usize / 2, number as usize % 2);
        let pairs = SHUFFLES as usize / 2;
        let at = lane + 2 * (pair * self.0.len() / 2 / pairs);
        self.0.get(at).copied().flatten()
    }
}

/// A shuffled run in which the test failed again.
struct Contradiction {
    /// One sentence.
    reason: String,
    conditions: Conditions,
    attempt: Attempt,
}

/// What the shuffled runs said.
enum Shuffled {
    /// So many passed; and the lines that the healed tests ran.
    Green(u32, BTreeMap<String, BTreeSet<u32>>),
    /// The test failed in one of them.
    Failed(Box<Contradiction>),
    /// Something else broke.
    Worse(String),
}

fn failing(report: &Report) -> impl Iterator<Item = &str> {
    report
        .outcomes
        .iter()
        .filter(|(_, outcome): &(&String, &TestOutcome)| outcome.is_bad())
        .map(|(test, _)| test.as_str())
}

#[cfg(test)]
mod hash_seeds_tests {
    use std::collections::BTreeMap;

    use super::{HashSeeds, SHUFFLES};

    #[test]
    fn every_seed_has_its_runs_and_two_runs_at_a_time_never_share_one() {
        for others in [2, 6] {
            let seeds = HashSeeds::with(7, others);
            let mut runs: BTreeMap<Option<u32>, u32> = BTreeMap::new();
            for number in 0..SHUFFLES {
                *runs.entry(seeds.of(number)).or_default() += 1;
                assert_ne!(seeds.of(number), seeds.of(number ^ 1));
            }
            assert_eq!(runs.len(), others as usize + 2);
            assert!(runs.values().all(|count| *count >= 2), "{runs:?}");
        }
    }
}

#[cfg(test)]
#[path = "stabilise_tests.rs"]
mod tests;
