//! Finds out what a flaky test depends on, by running it: in other orders and with other seeds until it fails, then
//! with one condition less at a time, then behind fewer tests at a time (bisection).

use std::time::{Duration, Instant};

use maestro_protocol::heal::RuntimeChanges;

use crate::case::Tree as _;
use crate::conditions::{Chances, Conditions, Order};
use crate::failure::Report;
use crate::judge::Target;
use crate::laboratory::{Attempt, AttemptError, Laboratory};
use crate::overlay::Overlay;
use crate::runner::{belongs, file_of};
use crate::search::Budget;
use crate::unsteady::{Cause, Left, Unsteady};

/// Shuffled runs that look for a failure.
const EXPLORATIONS: u32 = 8;
/// How long they may take together.
const LONGEST: Duration = Duration::from_secs(90);
/// Seeds that are tried in place of the one that fails.
const OTHERS: u32 = 4;
/// Seeds with which a test that draws is run alone, where a run costs little: one that fails one time in six shows itself in 199 cases of 200.
const DRAWS: u32 = 24;
/// The first of them; those below are the explorations'.
const FIRST_DRAW: u32 = 40;
/// The most tests that pollute together.
const MOST_POLLUTERS: usize = 4;

/// One tree and environment under investigation.
pub(crate) struct Inquiry<'a, L> {
    pub(crate) laboratory: &'a L,
    pub(crate) tree: &'a Overlay,
    pub(crate) runtime: &'a RuntimeChanges,
    pub(crate) target: &'a Target,
    pub(crate) budget: &'a mut Budget,
}

/// What an inquiry came to.
pub(crate) enum Found {
    /// What the test depends on.
    Cause(Unsteady),
    /// It failed under these conditions once and passed under the same, so nothing that can be set decides.
    Chance(Conditions, Attempt),
    /// It did the same whatever was tried, in so many runs.
    Steady(u32),
}

impl<L: Laboratory> Inquiry<'_, L> {
    /// For a test that passes as the command runs it: looks for conditions under which it does not.
    pub(crate) async fn of_passing(&mut self, plain: &Report) -> Result<Found, AttemptError> {
        let began = Instant::now();
        let conditions: Vec<Conditions> = (0..=EXPLORATIONS + 1)
            .map(|number| self.exploration(number))
            .chain(self.draws(plain))
            .collect();
        let mut runs: u32 = 0;
        let mut cheap = true;
        while let Some(left) = conditions
            .get(runs as usize..)
            .filter(|left| !left.is_empty())
        {
            if began.elapsed() > LONGEST || runs > EXPLORATIONS + 1 && !cheap {
                break;
            }
            let attempts = self.several(left).await?;
            if attempts.is_empty() {
                break;
            }
            for (attempt, conditions) in attempts.into_iter().zip(left) {
                runs += 1;
                cheap = attempt.forked;
                if self.shows(&attempt) {
                    return self.of_shown(conditions.clone(), attempt, plain).await;
                }
            }
        }
        Ok(Found::Steady(runs))
    }

    /// For a run under these conditions in which it failed.
    pub(crate) async fn of_shown(
        &mut self,
        conditions: Conditions,
        attempt: Attempt,
        plain: &Report,
    ) -> Result<Found, AttemptError> {
        match self.victim(&attempt.report) {
            Some(victim) => self.explain(victim, conditions, attempt, plain).await,
            None => Ok(Found::Chance(conditions, attempt)),
        }
    }

    fn shows(&self, attempt: &Attempt) -> bool {
        attempt.stopped.is_none() && self.victim(&attempt.report).is_some()
    }

    /// The conditions of the run of this number, from 0, that looks for a failure.
    fn exploration(&self, number: u32) -> Conditions {
        let chances = self.laboratory.chances();
        match number {
            0 => Conditions {
                only: self.target.id().map(str::to_owned).into_iter().collect(),
                ..Conditions::seeded(1, chances)
            },
            1 => Conditions {
                order: Order::Reversed,
                ..Conditions::seeded(2, chances)
            },
            2 if self.laboratory.at_once() => Conditions {
                order: Order::AtOnce,
                ..Conditions::default()
            },
            _ => Conditions::shuffled(number + 1, chances),
        }
    }

    /// The target alone with one seed after the other, where it draws or has failed already.
    fn draws(&self, plain: &Report) -> impl Iterator<Item = Conditions> + use<L> {
        let target = self.target.id().filter(|_| self.laboratory.chances().draws);
        let may_fail = |id: &&str| self.draws_at_random(id) || !plain.passed(id);
        let only: Vec<String> = target
            .filter(may_fail)
            .map(str::to_owned)
            .into_iter()
            .collect();
        let seeds = if only.is_empty() { 0 } else { DRAWS };
        (0..seeds).map(move |number| Conditions {
            only: only.clone(),
            seed: Some(FIRST_DRAW + number),
            ..Conditions::default()
        })
    }

    /// The first of these runs, as many as are made at a time and the budget allows.
    async fn several(&mut self, conditions: &[Conditions]) -> Result<Vec<Attempt>, AttemptError> {
        let allowed = if Instant::now() >= self.budget.deadline {
            0
        } else {
            self.budget.runs.min(self.laboratory.at_a_time())
        };
        let some = &conditions[..conditions.len().min(allowed as usize)];
        let attempts = self
            .laboratory
            .attempts_under(self.tree, self.runtime, some)
            .await?;
        self.budget
            .take(u32::try_from(attempts.len()).unwrap_or(allowed));
        Ok(attempts)
    }

    /// For a test that fails as the command runs it: whether other tests are to blame.
    pub(crate) async fn of_failing(&mut self, failing: &Attempt) -> Result<Found, AttemptError> {
        let Some(victim) = self.victim(&failing.report) else {
            return Ok(Found::Steady(0));
        };
        let chances = self.laboratory.chances();
        if chances.listings && self.walks_a_directory(&victim) {
            let sorted = Conditions {
                listing: Some(0),
                ..Conditions::default()
            };
            if self.passes(&sorted, &[], &victim).await? == Some(true) {
                let as_it_is = Conditions {
                    listing: Some(1),
                    ..sorted.listing_tests(std::slice::from_ref(&victim))
                };
                let listed = self.cause(victim.clone(), as_it_is, Cause::Listing).await?;
                if let Some(unsteady) = listed {
                    return Ok(Found::Cause(unsteady));
                }
            }
        }
        if chances.hashes
            && is_permuted(&failing.report, &victim)
            && let Some(unsteady) = self.hashed(&victim).await?
        {
            return Ok(Found::Cause(unsteady));
        }
        if chances.draws
            && self.draws_at_random(&victim)
            && let Some(unsteady) = self.drawn(&victim).await?
        {
            return Ok(Found::Cause(unsteady));
        }
        let before = before(&failing.report.order, &victim);
        let plain = Conditions::default();
        let others = others(&failing.report.order, &victim);
        // Where tests run at the same time, any of the others may come first.
        let at_once = self.laboratory.at_once();
        let suspects = if at_once { &others } else { &before };
        if suspects.is_empty() || self.passes(&plain, &[], &victim).await? != Some(true) {
            return Ok(Found::Steady(1));
        }
        let found = self
            .polluted(victim.clone(), plain, suspects.clone())
            .await?;
        match found {
            None if at_once => self.beside(victim, others).await,
            found => Ok(found),
        }
        .map(|found| found.map_or(Found::Steady(1), Found::Cause))
    }

    /// The fewest of the others at whose side the victim fails.
    async fn beside(
        &mut self,
        victim: String,
        others: Vec<String>,
    ) -> Result<Option<Unsteady>, AttemptError> {
        let at_once = Conditions {
            order: Order::AtOnce,
            ..Conditions::default()
        };
        let Some(few) = self.bisect(&at_once, others, &victim, false).await? else {
            return Ok(None);
        };
        let mut together = few.clone();
        together.push(victim.clone());
        let failing = at_once.listing_tests(&together);
        let left = few
            .into_iter()
            .map(|test| Left {
                test,
                passed: true,
                changes: Vec::new(),
            })
            .collect();
        self.cause(victim, failing, Cause::Together(left)).await
    }

    /// Whether the test passes with one seed of hashes and fails with another.
    async fn hashed(&mut self, victim: &str) -> Result<Option<Unsteady>, AttemptError> {
        let (mut passing, mut failing) = (false, None);
        for number in 0..2 * OTHERS {
            let conditions = Conditions {
                hash_seed: Some(number),
                ..Conditions::default()
            };
            match self.passes(&conditions, &[], victim).await? {
                Some(true) => passing = true,
                Some(false) => failing = Some(conditions),
                None => return Ok(None),
            }
            if passing && let Some(conditions) = &failing {
                let failing = conditions.listing_tests(&[victim.to_owned()]);
                return self
                    .cause(victim.to_owned(), failing, Cause::HashSeed)
                    .await;
            }
        }
        Ok(None)
    }

    /// Whether the test passes with most seeds and fails with some. One that fails with most is no matter of chance.
    async fn drawn(&mut self, victim: &str) -> Result<Option<Unsteady>, AttemptError> {
        let (mut passed, mut failing) = (0, Vec::new());
        for number in 0..DRAWS {
            let conditions = Conditions {
                seed: Some(FIRST_DRAW + number),
                ..Conditions::default()
            };
            match self.passes(&conditions, &[], victim).await? {
                Some(true) => passed += 1,
                Some(false) => failing.push(conditions),
                None => return Ok(None),
            }
            if number + 1 >= OTHERS && failing.len() > passed {
                return Ok(None);
            }
            if number + 1 >= OTHERS
                && let Some(conditions) = failing.first()
            {
                let failing = conditions.listing_tests(&[victim.to_owned()]);
                return self
                    .cause(victim.to_owned(), failing, Cause::Randomness)
                    .await;
            }
        }
        Ok(None)
    }

    /// The test failed under these conditions and passed in the plain run: which of them decides?
    async fn explain(
        &mut self,
        victim: String,
        conditions: Conditions,
        attempt: Attempt,
        plain: &Report,
    ) -> Result<Found, AttemptError> {
        let chance = |conditions, attempt| Ok(Found::Chance(conditions, attempt));
        let seeds = Conditions {
            only: Vec::new(),
            order: Order::Given,
            ..conditions.clone()
        };
        let alone = self.passes(&seeds, &[], &victim).await?;
        if alone == Some(true) && conditions.order == Order::AtOnce {
            let others = others(&plain.order, &victim);
            return match self.beside(victim, others).await? {
                Some(unsteady) => Ok(Found::Cause(unsteady)),
                None => chance(conditions, attempt),
            };
        }
        if alone == Some(true) {
            let before = before(&attempt.report.order, &victim);
            return match self.polluted(victim, seeds, before).await? {
                Some(unsteady) => Ok(Found::Cause(unsteady)),
                None => chance(conditions, attempt),
            };
        }
        // It fails alone: for want of what another test sets up, or for a seed.
        let before = before(&plain.order, &victim);
        if !before.is_empty() && self.passes(&seeds, &before, &victim).await? == Some(true) {
            return match self.unset(victim, seeds, before).await? {
                Some(unsteady) => Ok(Found::Cause(unsteady)),
                None => chance(conditions, attempt),
            };
        }
        if self.passes(&seeds, &[], &victim).await? == Some(true) {
            return chance(conditions, attempt);
        }
        let chances = self.laboratory.chances();
        for cause in causes(chances) {
            for number in 0..OTHERS {
                let mut others = seeds.clone();
                match cause {
                    Cause::HashSeed => others.hash_seed = Some(number),
                    Cause::Listing => others.listing = Some(number),
                    _ => others.seed = Some(number),
                }
                if self.passes(&others, &[], &victim).await? == Some(true) {
                    let failing = seeds.listing_tests(std::slice::from_ref(&victim));
                    return Ok(self
                        .cause(victim, failing, cause)
                        .await?
                        .map_or_else(|| Found::Chance(conditions, attempt), Found::Cause));
                }
            }
        }
        Ok(Found::Chance(conditions, attempt))
    }

    /// The fewest of the tests before the victim that make it fail.
    async fn polluted(
        &mut self,
        victim: String,
        seeds: Conditions,
        before: Vec<String>,
    ) -> Result<Option<Unsteady>, AttemptError> {
        let Some(few) = self.bisect(&seeds, before, &victim, false).await? else {
            return Ok(None);
        };
        let mut sequence = few.clone();
        sequence.push(victim.clone());
        let failing = seeds.listing_tests(&sequence);
        let left = self.watch(&failing, &few).await?;
        self.cause(victim, failing, Cause::Polluted(left)).await
    }

    /// The fewest of the tests before the victim that make it pass.
    async fn unset(
        &mut self,
        victim: String,
        seeds: Conditions,
        before: Vec<String>,
    ) -> Result<Option<Unsteady>, AttemptError> {
        let Some(few) = self.bisect(&seeds, before, &victim, true).await? else {
            return Ok(None);
        };
        let mut sequence = few.clone();
        sequence.push(victim.clone());
        let left = self.watch(&seeds.listing_tests(&sequence), &few).await?;
        // A test that fails sets nothing up: the victim fails by itself, and passes behind it by accident.
        let left = if left.iter().all(|setter| setter.passed) {
            left
        } else {
            Vec::new()
        };
        let failing = seeds.listing_tests(std::slice::from_ref(&victim));
        self.cause(victim, failing, Cause::Unset(left)).await
    }

    /// Halves the tests as long as one half behaves as the whole; `None` where the whole does not.
    async fn bisect(
        &mut self,
        seeds: &Conditions,
        tests: Vec<String>,
        victim: &str,
        passing: bool,
    ) -> Result<Option<Vec<String>>, AttemptError> {
        if self.passes(seeds, &tests, victim).await? != Some(passing) {
            return Ok(None);
        }
        let mut tests = tests;
        'halves: while tests.len() > 1 {
            let middle = tests.len() / 2;
            // What stands nearer to the victim is the likelier.
            for half in [tests[middle..].to_vec(), tests[..middle].to_vec()] {
                match self.passes(seeds, &half, victim).await? {
                    Some(outcome) if outcome == passing => {
                        tests = half;
                        continue 'halves;
                    }
                    Some(_) => {}
                    None => return Ok(None),
                }
            }
            break;
        }
        // Several that only act together: leave out one at a time.
        let mut at = 0;
        while tests.len() > 1 && tests.len() <= 4 * MOST_POLLUTERS && at < tests.len() {
            let mut fewer = tests.clone();
            fewer.remove(at);
            if self.passes(seeds, &fewer, victim).await? == Some(passing) {
                tests = fewer;
            } else {
                at += 1;
            }
        }
        Ok((tests.len() <= MOST_POLLUTERS).then_some(tests))
    }

    /// What each of the tests leaves behind.
    async fn watch(
        &mut self,
        conditions: &Conditions,
        tests: &[String],
    ) -> Result<Vec<Left>, AttemptError> {
        let watching = Conditions {
            watch: true,
            ..conditions.clone()
        };
        let report = self.run(&watching).await?.map(|attempt| attempt.report);
        Ok(tests
            .iter()
            .map(|test| Left {
                test: test.clone(),
                passed: report.as_ref().is_some_and(|report| report.passed(test)),
                changes: report
                    .as_ref()
                    .and_then(|report| report.changes.get(test).cloned())
                    .unwrap_or_default(),
            })
            .collect())
    }

    /// Makes it fail once more, and records what it runs; `None` where it does not fail.
    async fn cause(
        &mut self,
        victim: String,
        failing: Conditions,
        cause: Cause,
    ) -> Result<Option<Unsteady>, AttemptError> {
        let traced = Conditions {
            trace: vec![victim.clone()],
            ..failing.clone()
        };
        let Some(attempt) = self.run(&traced).await? else {
            return Ok(None);
        };
        if attempt.report.passed(&victim) {
            return Ok(None);
        }
        Ok(Some(Unsteady {
            victim,
            failing,
            cause,
            lines: attempt.report.lines,
        }))
    }

    /// Whether the victim passes behind these tests; `None` where the budget is spent.
    async fn passes(
        &mut self,
        seeds: &Conditions,
        before: &[String],
        victim: &str,
    ) -> Result<Option<bool>, AttemptError> {
        let mut sequence = before.to_vec();
        sequence.push(victim.to_owned());
        let attempt = self.run(&seeds.listing_tests(&sequence)).await?;
        Ok(attempt.map(|attempt| attempt.report.passed(victim)))
    }

    async fn run(&mut self, conditions: &Conditions) -> Result<Option<Attempt>, AttemptError> {
        if self.budget.runs == 0 || Instant::now() >= self.budget.deadline {
            return Ok(None);
        }
        self.budget.take(1);
        let attempt = self
            .laboratory
            .attempt_under(self.tree, self.runtime, conditions)
            .await?;
        Ok(Some(attempt).filter(|attempt| attempt.stopped.is_none()))
    }

    /// Whether the victim's file asks for the entries of a directory, whose order nothing promises.
    fn walks_a_directory(&self, victim: &str) -> bool {
        self.speaks_of(
            victim,
            &["listdir(", "scandir(", "glob(", "iterdir(", "os.walk("],
        )
    }

    /// Whether the victim's file draws: `random`, `numpy.random`.
    fn draws_at_random(&self, victim: &str) -> bool {
        self.speaks_of(victim, &["random"])
    }

    fn speaks_of(&self, victim: &str, words: &[&str]) -> bool {
        let text = file_of(self.tree, victim).and_then(|path| self.tree.read(&path));
        text.is_some_and(|text| words.iter().any(|word| text.contains(word)))
    }

    /// The first test of the target that failed.
    fn victim(&self, report: &Report) -> Option<String> {
        let aimed = |test: &str| self.target.id().is_none_or(|id| belongs(test, id));
        report
            .order
            .iter()
            .find(|test| {
                aimed(test)
                    && report
                        .outcomes
                        .get(*test)
                        .is_some_and(|outcome| outcome.is_bad())
            })
            .cloned()
    }
}

/// What may decide, of what can be set.
fn causes(chances: Chances) -> impl Iterator<Item = Cause> {
    [
        (chances.hashes, Cause::HashSeed),
        (chances.listings, Cause::Listing),
        (chances.draws, Cause::Randomness),
    ]
    .into_iter()
    .filter_map(|(settable, cause)| settable.then_some(cause))
}

/// Whether the victim's assertion compares two texts of the very same characters in another order, as those of two
/// lists of the same items are.
fn is_permuted(report: &Report, victim: &str) -> bool {
    let letters = |text: &str| {
        let mut letters: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).collect();
        letters.sort_unstable();
        letters
    };
    report
        .failures
        .iter()
        .filter(|failure| failure.test.as_deref() == Some(victim))
        .filter(|failure| failure.exception_name() == Some("AssertionError"))
        .filter_map(|failure| {
            let line = failure.message.lines().next()?;
            let sides = line
                .split_once(" == ")
                .or_else(|| line.split_once(" != "))?;
            Some((sides, &failure.message))
        })
        .any(|((left, right), message)| {
            let left = left.rsplit_once(": ").map_or(left, |(_, value)| value);
            let left = left.strip_prefix("assert ").unwrap_or(left);
            if left.contains("...") {
                // What is cut there stands whole in the difference below, unless that is cut too.
                return difference(message)
                    .is_none_or(|(left, right)| letters(&left) == letters(&right));
            }
            left != right && letters(left) == letters(right)
        })
}

/// The lines that only the one and only the other side of a comparison has, as pytest shows them below it; `None` where it shows none, or not
/// all of them.
fn difference(message: &str) -> Option<(String, String)> {
    let is_cut = ["Use -v", "truncated", "...Full output"];
    if is_cut.iter().any(|mark| message.contains(mark)) {
        return None;
    }
    let side = |mark: &str| {
        let lines = message.lines().skip(1).filter_map(|line| {
            let line = line.strip_prefix('E').unwrap_or(line).trim_start();
            line.strip_prefix(mark)
        });
        let text: String = lines.collect();
        (!text.is_empty()).then_some(text)
    };
    Some((side("- ")?, side("+ ")?))
}

/// All tests but one.
fn others(order: &[String], victim: &str) -> Vec<String> {
    order
        .iter()
        .filter(|test| *test != victim)
        .cloned()
        .collect()
}

/// The tests that ran before one.
fn before(order: &[String], victim: &str) -> Vec<String> {
    order
        .iter()
        .take_while(|test| *test != victim)
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Failure, Phase};

    fn permuted(message: &str) -> bool {
        let failure = Failure {
            test: Some("t".to_owned()),
            phase: Phase::Call,
            exception: Some("AssertionError".to_owned()),
            message: message.to_owned(),
            frames: Vec::new(),
            text: String::new(),
            ..Failure::default()
        };
        let report = Report {
            failures: vec![failure],
            ..Report::default()
        };
        is_permuted(&report, "t")
    }

    #[test]
    fn the_same_items_in_another_order_are_told_from_other_items() {
        assert!(permuted(
            "assert ['ant', 'bee'] == ['bee', 'ant']\n  At index 0 diff"
        ));
        assert!(permuted("Lists differ: ['ant', 'bee'] != ['bee', 'ant']"));
        assert!(!permuted("assert 3 == 4"));
        assert!(permuted(
            "assert 'the amount, th...e' == 'the whole, th...t'\n  \n  - the whole, the amount\n  + the amount, the whole"
        ));
        assert!(!permuted(
            "assert 'the amount m...positive' == 'the amount is not valid'\n  \n  - the amount is not valid\n  + the amount must be positive"
        ));
        assert!(permuted(
            "assert ['ant', ...] == ['bee', ...]\n  Use -v to get more diff"
        ));
        assert!(!permuted("assert ['ant', 'bee'] == ['bee', 'cat']"));
    }
}
