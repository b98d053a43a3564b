//! The teeth check: small defects are planted in the product lines that the healed test runs, and the test must
//! catch at least those that it caught as it was. A test that is green because it no longer bites is no heal.
//!
//! [`check`] plants, runs and compares; [`Defect`]s come from [`plant`], which knows nothing of tests.
//! The idea is mutation analysis ("Hints on Test Data Selection", 1978), kept to a handful.

pub(crate) mod lanes;
pub(crate) mod plant;
pub(crate) mod slip;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use maestro_protocol::heal::{Strategy, Teeth, Touch};
use serde::Serialize;

use crate::adapter;
use crate::case::Tree as _;
use crate::failure::{Report, TestOutcome};
use crate::judge::Target;
use crate::laboratory::{AttemptError, Laboratory};
use crate::overlay::Overlay;
use crate::roles::{Role, Roles};
use crate::runner::file_of;
use crate::search::State;

/// The most defects that are planted for one heal.
const MOST: usize = 6;
/// So many defects of which none is caught say that the test has no teeth.
const ENOUGH: u32 = 4;
/// A test that has caught so many need not prove more.
pub(crate) const NOTICED: usize = 4;
/// The most tests that are run against each defect.
const MOST_TESTS: usize = 12;
/// All runs with defects together may take as long as so many plain runs, and [`AT_LEAST`].
const PLAIN_RUNS: u32 = 6;
const AT_LEAST: Duration = Duration::from_secs(10);

/// A small defect in one file of the product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Defect {
    /// The file, relative to the project's directory.
    pub path: String,
    /// The line, counted from 1.
    pub line: u32,
    /// What is wrong there: `< becomes >=`.
    pub what: String,
    /// The file's whole text with the defect in it.
    pub text: String,
}

/// What the runs with planted defects did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bites {
    /// Whether the tests pass where nothing is planted, before and after all the others: only then does a failure
    /// say something about a defect.
    pub sound: bool,
    /// By defect: whether the tests failed; `None` where they were not run.
    pub caught: Vec<Option<bool>>,
    /// How long it took.
    pub run: Duration,
}

/// What came of the check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Checked {
    /// The counts; `None` where the check could not be made.
    pub(crate) teeth: Option<Teeth>,
    /// What a person should know: why it was not made, or which defects slipped through.
    pub(crate) caveat: Option<String>,
    /// Why the repair may not be called a heal.
    pub(crate) objection: Option<Objection>,
    /// How long it took.
    pub(crate) run: Duration,
}

/// What the check has against a repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Objection {
    /// The test caught more as it was.
    Lost(String),
    /// The test catches nothing, and perhaps never did.
    Toothless(String),
}

/// The tests whose teeth are looked at: those that the heal is about.
pub(crate) fn subjects(target: &Target, before: &Report, after: &Report) -> Vec<String> {
    if let Target::Test(id) = target {
        return vec![id.clone()];
    }
    after
        .outcomes
        .iter()
        .filter(|(test, outcome)| {
            **outcome == TestOutcome::Passed
                && before.outcomes.get(*test) != Some(&TestOutcome::Passed)
        })
        .map(|(test, _)| test.clone())
        .take(MOST_TESTS)
        .collect()
}

/// Plants defects below the healed tests and compares with the tests as they were. `lines` are those that the tests ran.
pub(crate) async fn check<L: Laboratory>(
    laboratory: &L,
    original: &State,
    healed: &State,
    subjects: &[String],
    lines: &BTreeMap<String, BTreeSet<u32>>,
    time_left: Duration,
) -> Result<Checked, AttemptError> {
    let not_made = |why: &str, run| {
        Ok(Checked {
            caveat: Some(format!("the teeth check was not made: {why}")),
            run,
            ..Checked::default()
        })
    };
    let defects = defects(&healed.tree, lines, subjects);
    if defects.is_empty() {
        return not_made(
            "the healed test runs no line of the product in which a defect could be planted",
            Duration::ZERO,
        );
    }
    let within = (healed.attempt.run * PLAIN_RUNS)
        .max(AT_LEAST)
        .min(time_left);
    let bite = |tree| laboratory.bite(tree, &healed.runtime, subjects, &defects, within);
    let as_it_was = async {
        if could_run_before(original, healed) {
            bite(&original.tree).await.map(Some)
        } else {
            Ok(None)
        }
    };
    // Neither knows of the other: each has a tree and a sandbox of its own.
    let (after, before) = tokio::try_join!(bite(&healed.tree), as_it_was)?;
    let run = before
        .as_ref()
        .map_or(after.run, |before| before.run.max(after.run));
    if !after.sound {
        return not_made(
            "the test does not pass alone, or not twice in the same directory",
            run,
        );
    }
    let before = before.filter(|bites| bites.sound);
    let mut checked = compare(&defects, before.as_ref(), &after);
    let asserts = asserts(&healed.tree, subjects);
    if let Some(teeth) = checked.teeth
        && checked.objection.is_none()
        && teeth.planted >= ENOUGH
        && teeth.caught_after == 0
        && asserts
    {
        checked.objection = Some(Objection::Toothless(format!(
            "of {} defects planted in the product lines that it runs the test catches none, so that it passes proves little",
            teeth.planted
        )));
    }
    checked.run = run;
    Ok(checked)
}

/// Whether the test as it was can be asked too: repairs of these kinds change under what a test runs, not whether it can.
fn could_run_before(original: &State, healed: &State) -> bool {
    let since = healed.steps.iter().skip(original.steps.len());
    let steady = since.clone().count() > 0
        && since.clone().all(|step| {
            matches!(
                step.strategy,
                Strategy::FlakyTestStabilization
                    | Strategy::EnvironmentHealing
                    | Strategy::TimingAdjustment
            )
        });
    steady && healed.touches.contains(&Touch::Test) && !healed.touches.contains(&Touch::Product)
}

fn compare(defects: &[Defect], before: Option<&Bites>, after: &Bites) -> Checked {
    let mut teeth = Teeth {
        planted: 0,
        caught_before: before.map(|_| 0),
        caught_after: 0,
    };
    let (mut slipped, mut lost) = (Vec::new(), Vec::new());
    for (index, defect) in defects.iter().enumerate() {
        let Some(Some(caught)) = after.caught.get(index).copied() else {
            continue;
        };
        let earlier = match before {
            Some(bites) => match bites.caught.get(index).copied().flatten() {
                Some(earlier) => Some(earlier),
                None => continue,
            },
            None => None,
        };
        teeth.planted += 1;
        teeth.caught_after += u32::from(caught);
        if let Some(count) = &mut teeth.caught_before {
            *count += u32::from(earlier == Some(true));
        }
        if !caught {
            let place = format!("{}:{} ({})", defect.path, defect.line, defect.what);
            if earlier == Some(true) {
                lost.push(place.clone());
            }
            slipped.push(place);
        }
    }
    let objection = teeth
        .caught_before
        .filter(|count| *count > teeth.caught_after)
        .map(|count| {
            Objection::Lost(format!(
                "the repaired test catches {} of {} planted defects, as it was it caught {count}: it no longer notices {}",
                teeth.caught_after,
                teeth.planted,
                lost.join(", ")
            ))
        });
    Checked {
        teeth: (teeth.planted > 0).then_some(teeth),
        caveat: (!slipped.is_empty()).then(|| {
            format!(
                "planted defects that the test does not notice: {}",
                slipped.join(", ")
            )
        }),
        objection,
        run: Duration::ZERO,
    }
}

/// A handful of defects in the product lines that were run, spread over files and functions.
fn defects(
    tree: &Overlay,
    lines: &BTreeMap<String, BTreeSet<u32>>,
    subjects: &[String],
) -> Vec<Defect> {
    let roles = Roles::naming(subjects.iter().map(String::as_str));
    let mut by_file: Vec<std::vec::IntoIter<Defect>> = lines
        .iter()
        .filter(|(path, _)| roles.of(path) == Role::Product)
        .filter_map(|(path, lines)| {
            let adapter = adapter::of_file(path)?;
            Some(adapter.plant(path, &tree.read(path)?, lines).into_iter())
        })
        .collect();
    let mut chosen = Vec::new();
    while chosen.len() < MOST {
        let round: Vec<Defect> = by_file.iter_mut().filter_map(Iterator::next).collect();
        if round.is_empty() {
            break;
        }
        chosen.extend(round);
    }
    chosen.truncate(MOST);
    chosen
}

/// Whether the files of the tests assert anything. A test that only runs the product has no teeth to lose.
fn asserts(tree: &Overlay, subjects: &[String]) -> bool {
    subjects
        .iter()
        .filter_map(|test| file_of(tree, test))
        .any(|path| {
            let count = |text: String| Some(adapter::of_file(&path)?.assertions(&path, &text));
            tree.read(&path)
                .and_then(count)
                .is_some_and(|count| count > 0)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn defect(line: u32) -> Defect {
        Defect {
            path: "p.py".into(),
            line,
            what: "+ becomes -".into(),
            text: String::new(),
        }
    }

    fn bites(caught: &[bool]) -> Bites {
        Bites {
            sound: true,
            caught: caught.iter().copied().map(Some).collect(),
            run: Duration::ZERO,
        }
    }

    #[test]
    fn a_test_that_catches_less_than_before_has_lost_its_teeth() {
        let defects = [defect(1), defect(2)];
        let checked = compare(
            &defects,
            Some(&bites(&[true, true])),
            &bites(&[true, false]),
        );
        assert_eq!(
            checked.teeth,
            Some(Teeth {
                planted: 2,
                caught_before: Some(2),
                caught_after: 1
            })
        );
        let Some(Objection::Lost(reason)) = checked.objection else {
            panic!("{checked:?}");
        };
        assert!(reason.contains("no longer notices p.py:2"), "{reason}");
        let kept = compare(
            &defects,
            Some(&bites(&[true, false])),
            &bites(&[true, false]),
        );
        assert_eq!(kept.objection, None);
    }

    #[test]
    fn a_defect_that_was_not_run_is_not_counted() {
        let after = Bites {
            caught: vec![Some(true), None],
            ..bites(&[])
        };
        let checked = compare(&[defect(1), defect(2)], None, &after);
        let teeth = checked.teeth.unwrap();
        assert_eq!(
            (teeth.planted, teeth.caught_after, teeth.caught_before),
            (1, 1, None)
        );
    }
}
