//! Compares two runs: is the target green, is anything worse, is there progress?

use std::collections::BTreeSet;

use maestro_protocol::heal::Counts;

use crate::failure::{Failure, Phase, Report, TestOutcome};
use crate::runner::belongs;

/// What a heal aims at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// One test, or one file of tests.
    Test(String),
    /// Everything that the command runs.
    Command,
}

impl Target {
    /// The id, if it is one test or file.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Test(id) => Some(id),
            Self::Command => None,
        }
    }

    /// Whether nothing of the target could run at all: the command was blocked, or the file was not collected.
    pub fn was_blocked(&self, report: &Report) -> bool {
        match self {
            Self::Command => report
                .failures
                .iter()
                .any(|failure| failure.phase <= Phase::Collection),
            Self::Test(id) => {
                report.outcomes.get(id) == Some(&TestOutcome::Error)
                    && !report
                        .outcomes
                        .keys()
                        .any(|test| test != id && belongs(test, id))
            }
        }
    }

    /// Whether everything aimed at passes, where a run of the original code stands beside it: a file that could not be
    /// collected there, and turns out to have no tests of its own, is met where all else passes.
    pub fn is_met(&self, original: &Report, report: &Report) -> bool {
        let empty = |id: &String| {
            original.outcomes.get(id) == Some(&TestOutcome::Error)
                && !report.knows(id)
                && Self::Command.is_green(report)
        };
        self.is_green(report) || matches!(self, Self::Test(id) if empty(id))
    }

    fn covers(&self, test: &str) -> bool {
        self.id().is_none_or(|id| belongs(test, id))
    }

    /// Whether everything aimed at passes.
    pub fn is_green(&self, report: &Report) -> bool {
        match self {
            Self::Test(id) => report.passed(id),
            Self::Command => {
                report.failures.is_empty()
                    && report
                        .outcomes
                        .values()
                        .any(|outcome| *outcome == TestOutcome::Passed)
                    && !report.outcomes.values().any(|outcome| outcome.is_bad())
            }
        }
    }
}

/// What a candidate did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assessment {
    /// The target passes and nothing is worse.
    Green,
    /// The failure that was there is gone, another stands behind it, and nothing is worse.
    Progress,
    /// Nothing changed that matters.
    Same,
    /// Something that passed does not any more; one sentence.
    Worse(String),
}

/// Judges the run of a candidate against the run before it and the run on the original code.
pub fn assess(
    original: &Report,
    current: &Report,
    candidate: &Report,
    target: &Target,
) -> Assessment {
    if let Some(reason) = regression(original, candidate).or_else(|| regression(current, candidate))
    {
        return Assessment::Worse(reason);
    }
    if target.is_met(original, candidate) {
        return Assessment::Green;
    }
    if advanced(current, candidate, target) {
        Assessment::Progress
    } else {
        Assessment::Same
    }
}

/// The first thing that was fine before and is not any more.
pub fn regression(before: &Report, after: &Report) -> Option<String> {
    before
        .outcomes
        .iter()
        .find_map(|(test, outcome)| {
            if *outcome != TestOutcome::Passed {
                // A failing test that is skipped instead is hidden, not healed.
                return (outcome.is_bad()
                    && after.outcomes.get(test) == Some(&TestOutcome::Skipped)
                    && !comes_to_its_skip(test, before, after))
                .then(|| format!("{test} failed before and is skipped now"));
            }
            match after.outcomes.get(test) {
                Some(TestOutcome::Passed) => None,
                Some(TestOutcome::Skipped) => {
                    Some(format!("{test} passed before and is skipped now"))
                }
                Some(_) => Some(format!("{test} passed before and fails now")),
                None if goes_by_another_name(test, before, after) => None,
                None => Some(format!("{test} passed before and is not collected now")),
            }
        })
        .or_else(|| new_complaint(before, after))
}

/// Whether a test comes now to a skip of the project's own that it did not come to before, because it could not be set up. That this is gone,
/// and not only out of sight, shows where another test that failed at the same place is set up now. (No patch gains a skip: [`crate::guard`].)
pub fn comes_to_its_skip(test: &str, before: &Report, after: &Report) -> bool {
    if before.outcomes.get(test) != Some(&TestOutcome::Error) || !after.own_skips.contains(test) {
        return false;
    }
    let its = failed(before, test);
    let in_setup = |failure: &&Failure| failure.phase == Phase::Setup;
    let is_set_up = |test: &str, outcome: TestOutcome| match outcome {
        TestOutcome::Passed => true,
        TestOutcome::Failed => !failed(after, test).iter().any(in_setup),
        TestOutcome::Error | TestOutcome::Skipped => false,
    };
    !its.is_empty()
        && its.iter().all(in_setup)
        && after.outcomes.iter().any(|(other, outcome)| {
            is_set_up(other, *outcome)
                && failed(before, other)
                    .iter()
                    .any(|failure| at_one_place(failure, its[0]))
        })
}

/// The failures of one test.
fn failed<'a>(report: &'a Report, test: &str) -> Vec<&'a Failure> {
    let of_test = |failure: &&Failure| failure.test.as_deref() == Some(test);
    report.failures.iter().filter(of_test).collect()
}

/// What a checker reports more often than before.
fn new_complaint(before: &Report, after: &Report) -> Option<String> {
    let (complaint, _) = after.complaints.iter().find(|(complaint, count)| {
        before.complaints.get(*complaint).copied().unwrap_or(0) < **count
    })?;
    Some(format!("the checker reports something new: {complaint}"))
}

/// Whether a test's parameters hold what differs from run to run (a time, an address), so that it is there under
/// another id: one that is the same but for digits in its brackets, was not there before, and passed. There are as
/// many of that kind as before, so that none of them is lost.
fn goes_by_another_name(test: &str, before: &Report, after: &Report) -> bool {
    let Some(kind) = kind(test) else {
        return false;
    };
    let alike = |report: &Report| {
        report
            .outcomes
            .keys()
            .filter(|other| self::kind(other).as_ref() == Some(&kind))
            .count()
    };
    alike(before) == alike(after)
        && after
            .outcomes
            .iter()
            .filter(|(other, _)| {
                !before.outcomes.contains_key(*other) && self::kind(other).as_ref() == Some(&kind)
            })
            .all(|(_, outcome)| *outcome == TestOutcome::Passed)
}

/// A test's id with the digits in its brackets made one; `None` where there are none.
fn kind(test: &str) -> Option<String> {
    let (name, parameters) = test.split_once('[')?;
    let mut kind = format!("{name}[");
    for character in parameters.chars() {
        if !character.is_ascii_hexdigit() {
            kind.push(character);
        } else if !kind.ends_with('0') {
            kind.push('0');
        }
    }
    parameters
        .contains(|c: char| c.is_ascii_digit())
        .then_some(kind)
}

/// Whether the failure moved: fewer of the target's tests fail, or a run got further, or what was wrong is gone
/// altogether and something else shows.
fn advanced(before: &Report, after: &Report, target: &Target) -> bool {
    let (bad_before, bad_after) = (bad(before, target), bad(after, target));
    let blocked = |report: &Report| report.failures.iter().any(|failure| failure.test.is_none());
    if blocked(before) && !blocked(after) && !after.outcomes.is_empty() {
        return true;
    }
    if !blocked(after)
        && !bad_after.is_empty()
        && bad_after.len() < bad_before.len()
        && bad_after.is_subset(&bad_before)
    {
        return true;
    }
    if collected_at_last(before, after, target) {
        return true;
    }
    let signatures = |report: &Report| -> BTreeSet<String> {
        report
            .failures
            .iter()
            .filter(|failure| {
                failure
                    .test
                    .as_deref()
                    .is_none_or(|test| target.covers(test))
            })
            .map(signature)
            .collect()
    };
    let (old, new) = (signatures(before), signatures(after));
    // Of several things that stand in the way of all tests one is gone: before the first file, or in all files that were to be
    // collected.
    let barred = |report: &Report| {
        blocked(report)
            || (report.outcomes.values().all(|outcome| outcome.is_bad())
                && report
                    .failures
                    .iter()
                    .all(|failure| failure.phase <= Phase::Collection))
    };
    if barred(before) && barred(after) && !new.is_empty() && new.len() < old.len() {
        return new.is_subset(&old);
    }
    // Where one phase gives way to an earlier one, the change broke something instead.
    let furthest = |report: &Report| report.failures.iter().map(|failure| failure.phase).min();
    !new.is_empty() && old.is_disjoint(&new) && furthest(after) >= furthest(before)
}

/// Whether the target's own file is collected now where it was not. Its tests need not have run for that: pytest runs
/// nothing while another file stands in the way.
fn collected_at_last(before: &Report, after: &Report, target: &Target) -> bool {
    let Target::Test(id) = target else {
        return false;
    };
    let uncollected = |report: &Report| {
        report.failures.iter().any(|failure| {
            failure.phase <= Phase::Collection
                && failure
                    .test
                    .as_deref()
                    .is_none_or(|test| belongs(test, id) || belongs(id, test))
        })
    };
    uncollected(before) && !uncollected(after) && after.knows(id) && bad(after, target).is_empty()
}

fn bad<'a>(report: &'a Report, target: &Target) -> BTreeSet<&'a str> {
    report
        .outcomes
        .iter()
        .filter(|(test, outcome)| outcome.is_bad() && target.covers(test))
        .map(|(test, _)| test.as_str())
        .collect()
}

/// Whether two runs of the same code failed the same way. Texts may differ (addresses, times, the order of a set);
/// the test, the exception and the place may not.
pub fn alike(one: &Failure, other: &Failure) -> bool {
    one.test == other.test && at_one_place(one, other)
}

/// Whether two failures have one phase, exception and place, perhaps of two tests.
fn at_one_place(one: &Failure, other: &Failure) -> bool {
    let place = |failure: &Failure| {
        failure
            .innermost_own()
            .map(|frame| (frame.path.clone(), frame.function.clone()))
    };
    one.phase == other.phase && one.exception == other.exception && place(one) == place(other)
}

/// What makes two failures the same: where in the run, the exception, and its text without numbers and addresses.
pub fn signature(failure: &Failure) -> String {
    let line = failure.message.lines().next().unwrap_or_default();
    let mut message = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("0x") {
        message.push_str(before);
        rest = after.trim_start_matches(|c: char| c.is_ascii_hexdigit());
    }
    message.push_str(rest);
    // Where an environment lies says nothing, and a candidate that installs something has another.
    while let Some(from) = message.find("(/") {
        let to = message[from..]
            .find(')')
            .map_or(message.len(), |length| from + length + 1);
        message.replace_range(from..to, "");
    }
    message.retain(|c| !c.is_ascii_digit());
    let message: String = message.chars().take(200).collect();
    let phase = match failure.phase {
        Phase::Usage | Phase::Configuration => "before",
        Phase::Collection => "collect",
        _ => "run",
    };
    format!(
        "{phase} {} {message}",
        failure.exception.as_deref().unwrap_or_default()
    )
}

/// How many tests of a run ended how, without those of the target.
pub fn neighbours(report: &Report, target: &Target) -> Counts {
    let mut counts = Counts::default();
    for (test, outcome) in &report.outcomes {
        if matches!(target, Target::Test(_)) && target.covers(test) {
            continue;
        }
        match outcome {
            TestOutcome::Passed => counts.passed += 1,
            TestOutcome::Failed => counts.failed += 1,
            TestOutcome::Error => counts.errors += 1,
            TestOutcome::Skipped => counts.skipped += 1,
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_tests_of_its_own_is_met_once_it_is_collected_and_all_else_passes() {
        let target = Target::Test("tests/all.py".into());
        let (passed, failed, error) =
            (TestOutcome::Passed, TestOutcome::Failed, TestOutcome::Error);
        let blocked = report(&[("tests/all.py", error)], &[]);
        let green = report(&[("tests/a.py::t", passed)], &[]);
        assert!(target.is_met(&blocked, &green));
        assert!(!target.is_met(&green, &green), "it was never there");
        let red = report(&[("tests/a.py::t", passed), ("tests/b.py::t", failed)], &[]);
        assert!(!target.is_met(&blocked, &red));
    }

    fn report(outcomes: &[(&str, TestOutcome)], failures: &[(&str, Phase, &str)]) -> Report {
        Report {
            outcomes: outcomes
                .iter()
                .map(|(test, outcome)| ((*test).to_owned(), *outcome))
                .collect(),
            failures: failures
                .iter()
                .map(|(test, phase, message)| Failure {
                    test: Some((*test).to_owned()).filter(|test| !test.is_empty()),
                    phase: *phase,
                    exception: Some("ImportError".into()),
                    message: (*message).to_owned(),
                    frames: Vec::new(),
                    text: String::new(),
                    ..Failure::default()
                })
                .collect(),
            ..Report::default()
        }
    }

    use TestOutcome::{Error, Failed, Passed, Skipped};

    #[test]
    fn a_green_target_with_a_broken_neighbour_is_worse() {
        let before = report(&[("t::a", Failed), ("t::b", Passed)], &[]);
        let after = report(&[("t::a", Passed), ("t::b", Failed)], &[]);
        let target = Target::Test("t::a".into());
        assert!(matches!(
            assess(&before, &before, &after, &target),
            Assessment::Worse(_)
        ));
    }

    #[test]
    fn what_a_checker_did_not_report_before_is_worse() {
        let with = |complaints: &[(&str, u32)]| Report {
            complaints: complaints
                .iter()
                .map(|(complaint, count)| ((*complaint).to_owned(), *count))
                .collect(),
            ..report(&[], &[])
        };
        let before = with(&[("a.py: F401 m", 2)]);
        assert_eq!(regression(&before, &with(&[("a.py: F401 m", 1)])), None);
        for after in [with(&[("a.py: F401 m", 3)]), with(&[("a.py: F811 m", 1)])] {
            let reason = regression(&before, &after).unwrap_or_default();
            assert!(reason.contains("something new: a.py"), "{reason}");
        }
    }

    #[test]
    fn skipping_or_losing_a_test_is_never_green() {
        let before = report(&[("t::a", Failed), ("t::b", Passed)], &[]);
        let target = Target::Test("t::a".into());
        for after in [
            report(&[("t::a", Skipped), ("t::b", Passed)], &[]),
            report(&[("t::a", Passed), ("t::b", Skipped)], &[]),
            report(&[("t::a", Passed)], &[]),
        ] {
            assert!(
                matches!(
                    assess(&before, &before, &after, &target),
                    Assessment::Worse(_)
                ),
                "{after:?}"
            );
        }
    }

    #[test]
    fn a_test_that_comes_to_its_own_skip_is_not_hidden_where_another_that_failed_there_is_set_up() {
        let failures = [
            ("t::a", Phase::Setup, "f called directly"),
            ("t::b", Phase::Setup, "g called directly"),
        ];
        let before = report(&[("t::a", Error), ("t::b", Error)], &failures);
        let after = |a, b, own: &[&str]| Report {
            own_skips: own.iter().map(|test| (*test).to_owned()).collect(),
            ..report(&[("t::a", a), ("t::b", b)], &[])
        };
        let own = ["t::a"];
        assert_eq!(regression(&before, &after(Skipped, Passed, &own)), None);
        // Skipped by anything else, where nothing passes that failed there, or where it had come further before.
        assert!(regression(&before, &after(Skipped, Passed, &[])).is_some());
        assert!(regression(&before, &after(Skipped, Error, &own)).is_some());
        assert!(regression(&before, &after(Skipped, Skipped, &own)).is_some());
        let mut elsewhere = before.clone();
        elsewhere.failures[1].exception = Some("ValueError".to_owned());
        assert!(regression(&elsewhere, &after(Skipped, Passed, &own)).is_some());
        let called = [
            ("t::a", Phase::Call, "f called directly"),
            ("t::b", Phase::Call, "g called directly"),
        ];
        let before = report(&[("t::a", Failed), ("t::b", Failed)], &called);
        assert!(regression(&before, &after(Skipped, Passed, &own)).is_some());
        let target = Target::Test("t::a".into());
        assert!(!target.is_green(&after(Skipped, Passed, &own)));
    }

    #[test]
    fn a_test_whose_id_holds_the_time_is_not_lost_but_one_that_is_gone_is() {
        let before = report(&[("t::a[04:41:11]", Passed), ("t::b[1]", Passed)], &[]);
        let later = report(&[("t::a[04:42:59]", Passed), ("t::b[1]", Passed)], &[]);
        assert_eq!(regression(&before, &later), None);
        let failing = report(&[("t::a[04:42:59]", Failed), ("t::b[1]", Passed)], &[]);
        assert!(regression(&before, &failing).is_some());
        let gone = report(&[("t::a[04:41:11]", Passed)], &[]);
        assert!(regression(&before, &gone).is_some());
        let two = report(&[("t::b[1]", Passed), ("t::b[2]", Passed)], &[]);
        let one = report(&[("t::b[3]", Passed)], &[]);
        assert!(regression(&two, &one).is_some());
    }

    #[test]
    fn a_failure_behind_a_failure_is_progress() {
        let before = report(&[], &[("", Phase::Configuration, "no module a")]);
        let after = report(&[("t", Error)], &[("t", Phase::Collection, "no module b")]);
        assert_eq!(
            assess(&before, &before, &after, &Target::Command),
            Assessment::Progress
        );
        assert_eq!(
            assess(&before, &before, &before, &Target::Command),
            Assessment::Same
        );
    }

    #[test]
    fn breaking_the_configuration_to_be_rid_of_a_failure_is_no_progress() {
        let before = report(&[("t", Error)], &[("t", Phase::Collection, "no module a")]);
        let after = report(&[], &[("", Phase::Usage, "bad option")]);
        assert_eq!(
            assess(&before, &before, &after, &Target::Command),
            Assessment::Same
        );
    }

    #[test]
    fn an_address_in_a_message_does_not_make_another_failure() {
        let with = |message: &str| {
            report(&[], &[("t", Phase::Call, message)])
                .failures
                .remove(0)
        };
        let (one, other) = (
            with("<A at 0x7fd3> broke 1"),
            with("<A at 0xffab12> broke 23"),
        );
        assert_eq!(signature(&one), signature(&other));
        assert!(alike(&one, &other));
        assert!(!alike(
            &one,
            &report(&[], &[("u", Phase::Call, "broke")]).failures[0]
        ));
    }

    #[test]
    fn another_environment_does_not_make_another_failure() {
        let with = |place: &str| {
            let said = format!("cannot import name 'a' from 'b' (/{place}/b/__init__.py)");
            signature(&report(&[], &[("t", Phase::Collection, &said)]).failures[0])
        };
        assert_eq!(with("environments/ab12"), with("environments/cd34"));
    }

    #[test]
    fn of_two_reasons_why_no_file_is_collected_one_less_is_progress() {
        let target = Target::Command;
        let outcomes = [("a.py", Error), ("b.py", Error)];
        let before = report(
            &outcomes,
            &[
                ("a.py", Phase::Collection, "no module a"),
                ("b.py", Phase::Collection, "no name b"),
            ],
        );
        let after = report(
            &outcomes,
            &[
                ("a.py", Phase::Collection, "no name b"),
                ("b.py", Phase::Collection, "no name b"),
            ],
        );
        assert_eq!(
            assess(&before, &before, &after, &target),
            Assessment::Progress
        );
        assert_eq!(assess(&after, &after, &before, &target), Assessment::Same);
    }

    #[test]
    fn a_file_that_is_collected_at_last_is_progress_while_others_still_stand_in_the_way() {
        let target = Target::Test("a.py".into());
        let before = report(
            &[("a.py", Error), ("b.py", Error)],
            &[
                ("a.py", Phase::Collection, "no module a"),
                ("b.py", Phase::Collection, "no module a"),
            ],
        );
        let after = report(
            &[("a.py::t", Skipped), ("b.py", Error)],
            &[("b.py", Phase::Collection, "yield")],
        );
        assert_eq!(
            assess(&before, &before, &after, &target),
            Assessment::Progress
        );
        assert_eq!(assess(&before, &after, &after, &target), Assessment::Same);
    }

    #[test]
    fn a_run_that_collects_nothing_is_not_green() {
        assert!(!Target::Command.is_green(&report(&[], &[])));
        assert!(!Target::Test("t".into()).is_green(&report(&[], &[])));
    }
}
