//! The path of a flaky test against a laboratory whose tests are a function of their order, of the seeds and of what
//! stands in their file.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering as Atomic};
use std::time::{Duration, Instant};

use maestro_protocol::heal::{HealCompleted, HealRequested, RuntimeChanges, Strategy, Verdict};

use crate::case::{Candidate, Case, Edit, Finding, Installed, PackageIndex, Repair, Tree as _};
use crate::conditions::{Conditions, Order as Sequence};
use crate::engine::{Order, heal};
use crate::failure::{Failure, Phase, Report, TestOutcome};
use crate::guard::Guard;
use crate::judge::Target;
use crate::laboratory::{Attempt, AttemptError, Laboratory};
use crate::overlay::Overlay;
use crate::roles::Roles;
use crate::search::{Budget, Repairs};
use crate::teeth::{Bites, Defect};
use crate::unsteady::Cause;

const VICTIM: &str = "test_a.py::victim";

/// One run, as a house sees it.
struct Run<'a> {
    number: u32,
    order: &'a [String],
    conditions: &'a Conditions,
    text: &'a str,
}

impl Run<'_> {
    fn is_after(&self, test: &str, other: &str) -> bool {
        let place = |name: &str| self.order.iter().position(|known| known.ends_with(name));
        matches!((place(test), place(other)), (Some(one), Some(two)) if one > two)
    }
}

/// `test_a.py` has the tests `t0` to `t9` and `victim`, in the given order; which of them fail is the house's rule.
struct House {
    last: bool,
    fails: fn(&Run<'_>) -> Vec<&'static str>,
    caught: fn(&str) -> Vec<bool>,
    forked: bool,
    /// The run of this number is stopped when the heal's time is over.
    cut_off: Option<(u32, Instant)>,
    runs: AtomicU32,
}

impl House {
    fn new(fails: fn(&Run<'_>) -> Vec<&'static str>) -> Self {
        Self {
            last: true,
            fails,
            caught: |_| vec![true; 2],
            forked: false,
            cut_off: None,
            runs: AtomicU32::new(0),
        }
    }

    fn order(&self, conditions: &Conditions) -> Vec<String> {
        let mut all: Vec<String> = (0..10).map(|n| format!("test_a.py::t{n}")).collect();
        let at = if self.last { all.len() } else { 0 };
        all.insert(at, VICTIM.to_owned());
        if !conditions.only.is_empty() {
            all.retain(|test| conditions.only.contains(test));
        }
        match conditions.order {
            Sequence::Given | Sequence::AtOnce => {}
            Sequence::Reversed => all.reverse(),
            Sequence::Shuffled(seed) => {
                let by = usize::try_from(seed).unwrap() % all.len();
                all.rotate_left(by);
            }
            Sequence::Listed => {
                all.sort_by_key(|test| conditions.only.iter().position(|name| name == test));
            }
        }
        all
    }
}

struct NoIndex;

impl PackageIndex for NoIndex {
    fn versions(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

impl Laboratory for House {
    async fn attempt_under(
        &self,
        tree: &Overlay,
        _: &RuntimeChanges,
        conditions: &Conditions,
    ) -> Result<Attempt, AttemptError> {
        let order = self.order(conditions);
        let text = tree.read("test_a.py").unwrap();
        let number = self.runs.fetch_add(1, Atomic::Relaxed) + 1;
        let stopped = match self.cut_off {
            Some((at, over)) if number >= at => {
                tokio::time::sleep_until(over.into()).await;
                Some("the run took too long".to_owned())
            }
            _ => None,
        };
        let failing = (self.fails)(&Run {
            number,
            order: &order,
            conditions,
            text: &text,
        });
        let (exception, message) = if text.contains("lacks") {
            ("LookupError", "something is missing")
        } else {
            ("AssertionError", "assert 1 == 2")
        };
        let mut report = Report {
            order: order.clone(),
            ..Report::default()
        };
        for test in order.into_iter().filter(|_| stopped.is_none()) {
            let bad = failing.iter().any(|name| test.ends_with(name));
            if bad {
                report.failures.push(Failure {
                    test: Some(test.clone()),
                    phase: Phase::Call,
                    exception: Some(exception.into()),
                    message: message.into(),
                    frames: Vec::new(),
                    text: String::new(),
                    ..Failure::default()
                });
            }
            let outcome = if bad {
                TestOutcome::Failed
            } else {
                TestOutcome::Passed
            };
            report.outcomes.insert(test, outcome);
        }
        if !conditions.trace.is_empty() {
            let lines = BTreeSet::from([2, 3]);
            report.lines.insert("product.py".to_owned(), lines);
        }
        Ok(Attempt {
            report,
            installed: Arc::new(Installed::default()),
            install: Duration::ZERO,
            run: Duration::from_millis(1),
            stopped,
            forked: self.forked,
        })
    }

    async fn bite(
        &self,
        tree: &Overlay,
        _: &RuntimeChanges,
        _: &[String],
        defects: &[Defect],
        _: Duration,
    ) -> Result<Bites, AttemptError> {
        let caught = (self.caught)(&tree.read("test_a.py").unwrap());
        assert_eq!(defects.len(), caught.len());
        Ok(Bites {
            sound: true,
            caught: caught.into_iter().map(Some).collect(),
            run: Duration::from_millis(1),
        })
    }

    fn index(&self) -> Arc<dyn PackageIndex + Send + Sync> {
        Arc::new(NoIndex)
    }
}

/// Writes `steady` into the file of a test whose polluter is known.
struct Steadies;

impl Repair for Steadies {
    fn strategy(&self) -> Strategy {
        Strategy::FlakyTestStabilization
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        let Some(unsteady) = case.unsteady else {
            return Vec::new();
        };
        let whose = match &unsteady.cause {
            Cause::Polluted(by) => &by[0].test,
            Cause::Randomness => "seeds",
            _ => return Vec::new(),
        };
        let text = case.tree.read("test_a.py").unwrap();
        vec![Finding::Try(Candidate {
            strategy: Strategy::FlakyTestStabilization,
            description: format!("{whose} gives back"),
            edits: vec![Edit {
                path: "test_a.py".into(),
                text: format!("{text}steady {whose}\n"),
            }],
            runtime: RuntimeChanges::default(),
            rank: 0,
        })]
    }
}

/// Takes the word `lacks` out of a file whose tests fail without being flaky.
struct Supplies;

impl Repair for Supplies {
    fn strategy(&self) -> Strategy {
        Strategy::DependencyFix
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        let text = case.tree.read("test_a.py").unwrap();
        if case.unsteady.is_some() || !text.contains("lacks") {
            return Vec::new();
        }
        vec![Finding::Try(Candidate {
            strategy: Strategy::DependencyFix,
            description: "supplies what is missing".to_owned(),
            edits: vec![Edit {
                path: "test_a.py".into(),
                text: text.replace("lacks\n", ""),
            }],
            runtime: RuntimeChanges::default(),
            rank: 0,
        })]
    }
}

async fn healed(house: &House, runs: u32, for_flaky: u32) -> HealCompleted {
    healed_from("assert x\n", house, runs, for_flaky).await
}

async fn healed_from(test: &str, house: &House, runs: u32, for_flaky: u32) -> HealCompleted {
    static REPAIRS: Repairs = &[&Steadies, &Supplies];
    let base = tempfile::tempdir().unwrap();
    std::fs::write(base.path().join("test_a.py"), test).unwrap();
    let product = "def f(a):\n    a = a + 1\n    return a\n";
    std::fs::write(base.path().join("product.py"), product).unwrap();
    let request: HealRequested = serde_json::from_value(serde_json::json!({
        "project": {"repository": "/r"}, "kind": "test_failure", "message": "m"
    }))
    .unwrap();
    let order = Order {
        request: &request,
        tree: Overlay::new(base.path()).unwrap(),
        target: Target::Test(VICTIM.into()),
        guard: Guard::new(&[], true, Roles::default()).unwrap(),
        budget: Budget {
            runs,
            for_flaky,
            deadline: house
                .cut_off
                .map_or(Instant::now() + Duration::from_mins(1), |(_, over)| over),
        },
        repairs: REPAIRS,
        known: maestro_memory::Known::default(),
        checkout: Duration::ZERO,
    };
    heal(house, order).await.unwrap()
}

fn victim_after_t3(run: &Run<'_>) -> Vec<&'static str> {
    let polluted = run.is_after("victim", "t3") && !run.text.contains("steady test_a.py::t3");
    if polluted { vec!["victim"] } else { Vec::new() }
}

#[tokio::test]
async fn the_polluter_of_a_failing_test_is_found_by_halves_and_the_repair_proven_by_shuffles() {
    let house = House::new(victim_after_t3);
    let answer = healed(&house, 20, 100).await;
    assert_eq!(answer.verdict, Verdict::Healed, "{answer:#?}");
    assert_eq!(answer.evidence.error_class, "flaky");
    assert_eq!(answer.evidence.reproduced, "2/2");
    assert_eq!(answer.evidence.after, "21/21");
    assert!(answer.evidence.caveats[0].contains("passes alone and fails after test_a.py::t3"));
    let teeth = answer.evidence.teeth.unwrap();
    assert_eq!(
        (teeth.planted, teeth.caught_before, teeth.caught_after),
        (2, Some(2), 2)
    );
    // Twice plain, alone, the whole, five to ten halves, watched, traced, shown twice, tried, plain, shuffled.
    let runs = house.runs.load(Atomic::Relaxed);
    assert!((30..45).contains(&runs), "{runs}");
}

#[tokio::test]
async fn a_test_that_fails_only_in_another_order_is_found_out_and_healed() {
    let house = House {
        last: false,
        ..House::new(victim_after_t3)
    };
    let answer = healed(&house, 20, 100).await;
    assert_eq!(answer.verdict, Verdict::Healed, "{answer:#?}");
    assert!(answer.patch.unwrap().contains("+steady test_a.py::t3"));
}

#[tokio::test]
async fn a_second_polluter_is_the_next_rounds() {
    let house = House::new(|run| {
        let by = |other: &str| {
            run.is_after("victim", other)
                && !run.text.contains(&format!("steady test_a.py::{other}"))
        };
        if by("t3") || by("t7") {
            vec!["victim"]
        } else {
            Vec::new()
        }
    });
    let answer = healed(&house, 20, 100).await;
    assert_eq!(answer.verdict, Verdict::Healed, "{answer:#?}");
    assert_eq!(answer.steps.len(), 2);
}

/// All tests fail as long as something is missing; then the victim after `t3`.
fn behind_a_link(run: &Run<'_>) -> Vec<&'static str> {
    if run.text.contains("lacks") {
        vec!["victim", "t0", "t3"]
    } else {
        victim_after_t3(run)
    }
}

#[tokio::test]
async fn a_test_that_is_flaky_behind_a_repair_is_made_steady_from_there() {
    let house = House::new(behind_a_link);
    let answer = healed_from("assert x\nlacks\n", &house, 20, 100).await;
    assert_eq!(answer.verdict, Verdict::Healed, "{answer:#?}");
    let done: Vec<Strategy> = answer.steps.iter().map(|step| step.strategy).collect();
    assert_eq!(
        done,
        [Strategy::DependencyFix, Strategy::FlakyTestStabilization]
    );
    assert_ne!(
        answer.evidence.error_class, "flaky",
        "it is the first failure's"
    );
    assert_eq!(answer.evidence.after, "21/21");
    let patch = answer.patch.unwrap();
    assert!(patch.contains("-lacks") && patch.contains("+steady test_a.py::t3"));
}

#[tokio::test]
async fn a_repaired_test_that_passes_and_fails_is_asked_what_it_depends_on() {
    let house = House::new(|run| {
        let fails = match run.conditions.seed {
            Some(seed) => seed % 2 == 1,
            // The first run that confirms the repair.
            None => run.number == 5,
        };
        if run.text.contains("lacks") {
            vec!["victim", "t0"]
        } else if fails && !run.text.contains("steady seeds") {
            vec!["victim"]
        } else {
            Vec::new()
        }
    });
    let answer = healed_from("assert x\nlacks\n", &house, 20, 120).await;
    assert_eq!(answer.verdict, Verdict::Healed, "{answer:#?}");
    assert_eq!(answer.steps.len(), 2);
}

#[tokio::test]
async fn a_test_that_is_flaky_behind_a_repair_and_stays_so_is_not_healed() {
    let house = House::new(|run| {
        let mut failing = behind_a_link(run);
        if run.is_after("victim", "t3") {
            failing.push("victim");
        }
        failing
    });
    let answer = healed_from("assert x\nlacks\n", &house, 20, 100).await;
    assert_eq!(answer.verdict, Verdict::NoFix, "{answer:#?}");
    assert!(
        answer
            .reason
            .contains("passes alone and fails after test_a.py::t3"),
        "{}",
        answer.reason
    );
}

#[tokio::test]
async fn what_a_shuffled_run_shows_is_looked_into_under_its_own_conditions() {
    // A second polluter that shows under one seed alone: no exploration of new seeds would find it again.
    let house = House::new(|run| {
        let second = run.conditions.seed == Some(115)
            && run.is_after("victim", "t7")
            && !run.text.contains("steady test_a.py::t7");
        let mut failing = victim_after_t3(run);
        if second {
            failing.push("victim");
        }
        failing
    });
    let answer = healed(&house, 20, 120).await;
    assert_eq!(answer.verdict, Verdict::Healed, "{answer:#?}");
    assert_eq!(answer.steps.len(), 2);
}

#[tokio::test]
async fn a_test_that_draws_and_failed_twice_by_chance_is_not_taken_for_broken() {
    let house = House::new(|run| {
        let fails = match run.conditions.seed {
            Some(seed) => seed % 6 == 1,
            None => run.number < 3,
        };
        if fails && !run.text.contains("steady seeds") {
            vec!["victim"]
        } else {
            Vec::new()
        }
    });
    let answer = healed_from("import random\nassert x\n", &house, 20, 120).await;
    assert_eq!(answer.verdict, Verdict::Healed, "{answer:#?}");
    let caveat = &answer.evidence.caveats[0];
    assert!(caveat.contains("with what is drawn at random"), "{caveat}");
}

#[tokio::test]
async fn a_test_that_draws_and_fails_with_most_seeds_is_not_a_matter_of_chance() {
    let house = House::new(|run| match run.conditions.seed {
        Some(seed) if seed % 3 == 0 => Vec::new(),
        _ => vec!["victim"],
    });
    let answer = healed_from("import random\nassert x\n", &house, 20, 120).await;
    assert!(answer.patch.is_none(), "{answer:#?}");
    assert_ne!(answer.evidence.error_class, "flaky");
}

#[tokio::test]
async fn a_rare_draw_is_looked_for_where_runs_are_forked() {
    let rare = |run: &Run<'_>| match run.conditions.seed {
        Some(55) if !run.text.contains("steady seeds") => vec!["victim"],
        _ => Vec::new(),
    };
    for (forked, verdict) in [(true, Verdict::Healed), (false, Verdict::NotReproduced)] {
        let house = House {
            forked,
            ..House::new(rare)
        };
        let answer = healed_from("import random\nassert x\n", &house, 20, 120).await;
        assert_eq!(answer.verdict, verdict, "{answer:#?}");
    }
}

#[tokio::test]
async fn a_repair_that_a_shuffled_run_contradicts_is_none() {
    let house = House::new(|run| {
        let mut failing = victim_after_t3(run);
        // What the repair does not reach: it shows in one of the shuffled runs only.
        if run.conditions.seed == Some(115) {
            failing.push("victim");
        }
        failing
    });
    let answer = healed(&house, 20, 100).await;
    assert_eq!(answer.verdict, Verdict::NoFix, "{answer:#?}");
    assert!(answer.patch.is_none());
    assert!(
        answer.reason.contains(
            "made independent of one thing, test_a.py::victim passes or fails with what is drawn"
        ),
        "{}",
        answer.reason
    );
}

#[tokio::test]
async fn a_repair_that_breaks_a_neighbour_in_another_order_is_rejected() {
    let house = House::new(|run| {
        let mut failing = victim_after_t3(run);
        if run.text.contains("steady") && run.is_after("t1", "t8") {
            failing.push("t1");
        }
        failing
    });
    let answer = healed(&house, 20, 100).await;
    assert_eq!(answer.verdict, Verdict::NoFix, "{answer:#?}");
    assert!(
        answer.reason.contains("t1 passed before and fails now"),
        "{}",
        answer.reason
    );
}

#[tokio::test]
async fn a_neighbour_that_depends_on_the_order_as_before_is_told_and_stands_in_nobodys_way() {
    let house = House::new(|run| {
        let mut failing = victim_after_t3(run);
        if run.is_after("t1", "t8") {
            failing.push("t1");
        }
        failing
    });
    let answer = healed(&house, 20, 100).await;
    assert_eq!(answer.verdict, Verdict::Healed, "{answer:#?}");
    let told =
        |caveat: &String| caveat.contains("depend on the order too") && caveat.contains("t1");
    assert!(
        answer.evidence.caveats.iter().any(told),
        "{:?}",
        answer.evidence.caveats
    );
}

#[tokio::test]
async fn a_failure_that_no_condition_decides_is_not_healed() {
    let house = House::new(|run| {
        if run.number == 3 {
            vec!["victim"]
        } else {
            Vec::new()
        }
    });
    let answer = healed(&house, 20, 100).await;
    assert!(
        matches!(answer.verdict, Verdict::Refused | Verdict::NoFix),
        "{answer:#?}"
    );
    assert!(answer.reason.contains("now and then"), "{}", answer.reason);
    assert!(answer.patch.is_none());
}

#[tokio::test]
async fn too_few_runs_to_prove_it_leave_the_repair_to_a_person() {
    let answer = healed(&House::new(victim_after_t3), 30, 30).await;
    assert_eq!(answer.verdict, Verdict::Proposed, "{answer:#?}");
    assert!(
        answer.reason.contains("of 20 shuffled runs"),
        "{}",
        answer.reason
    );
}

#[tokio::test]
async fn a_shuffled_run_that_is_cut_off_says_nothing_against_the_repair() {
    let over = Instant::now() + Duration::from_secs(2);
    let house = House {
        cut_off: Some((28, over)),
        ..House::new(victim_after_t3)
    };
    let answer = healed(&house, 20, 120).await;
    assert_eq!(answer.verdict, Verdict::Proposed, "{answer:#?}");
    assert!(
        answer.reason.contains("of 20 shuffled runs"),
        "{}",
        answer.reason
    );
}

#[tokio::test]
async fn a_repair_that_lost_the_tests_teeth_is_refused_without_a_patch() {
    let house = House {
        caught: |text| vec![true, !text.contains("steady")],
        ..House::new(victim_after_t3)
    };
    let answer = healed(&house, 20, 100).await;
    assert_eq!(answer.verdict, Verdict::Refused, "{answer:#?}");
    assert!(
        answer.reason.contains("as it was it caught 2"),
        "{}",
        answer.reason
    );
    assert!(answer.patch.is_none());
}
