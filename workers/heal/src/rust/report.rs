//! From what a run left behind to a report: which tests there are, how each ended, and by which id it goes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::compiler::{self, Build, Built, Places, is_source, said_by_cargo};
use super::panics;
use super::plan::Plan;
use crate::bench::read_records;
use crate::edge::cargo_excerpt;
use crate::failure::{Failure, Phase, Report, TestOutcome};
use crate::runner::belongs;

/// The code of a failure that does not come each time.
pub(super) const UNSTEADY: &str = "unsteady";
/// The code of a failure that comes only where other tests of the same program run as well.
pub(super) const TOGETHER: &str = "together";

/// A test as its program knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Known {
    pub(super) of: Built,
    /// The name in the program; empty for a program that is one test.
    pub(super) name: String,
}

/// A report, and by id the tests in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Read {
    pub(super) report: Report,
    pub(super) known: BTreeMap<String, Known>,
    /// Whether everything was built.
    pub(super) built: bool,
    /// By the number of a defect that was switched on: whether a test failed for it.
    pub(super) noticed: BTreeMap<usize, bool>,
}

/// What a run left: cargo's own words, and the driver's directory.
pub(super) struct Left<'a> {
    pub(super) stdout: &'a [u8],
    pub(super) stderr: &'a str,
    pub(super) records: &'a Path,
}

/// Reads a run.
pub(super) fn read(plan: &Plan, places: &Places, left: &Left<'_>) -> Read {
    let build = compiler::read(left.stdout, places);
    if build.succeeded != Some(true) {
        return Read {
            report: blocked(plan, &build, left.stderr, places),
            ..Read::default()
        };
    }
    let mut read = Read {
        built: true,
        ..Read::default()
    };
    for program in &build.programs {
        let Some(file) = Path::new(&program.path).file_name() else {
            continue;
        };
        let place = left.records.join(file);
        one(&mut read, &program.of, &place, places);
        for (number, status) in defects(&place) {
            *read.noticed.entry(number).or_default() |= status != 0;
        }
    }
    name_target(plan, &mut read);
    read
}

/// The numbers of the defects that were switched on, and the status with which a program ended.
fn defects(place: &Path) -> Vec<(usize, i32)> {
    let text = read_records(&place.join("defects"));
    let pair = |line: &str| {
        let (number, status) = line.split_once(' ')?;
        Some((number.parse().ok()?, status.parse().ok()?))
    };
    String::from_utf8_lossy(&text)
        .lines()
        .filter_map(pair)
        .collect()
}

/// The report of a run in which nothing could be built: it stands in the way of every test.
fn blocked(plan: &Plan, build: &Build, stderr: &str, places: &Places) -> Report {
    let mut failures = build.errors.clone();
    if failures.is_empty() {
        failures.push(said_by_cargo(&cargo_excerpt(stderr), Some(places)));
    }
    Report {
        outcomes: plan
            .target
            .iter()
            .map(|target| (target.clone(), TestOutcome::Error))
            .collect(),
        failures,
        ..Report::default()
    }
}

/// The report of a project whose crates cannot be brought together.
pub(super) fn unresolved(plan: &Plan, excerpt: &str) -> Report {
    Report {
        outcomes: plan
            .target
            .iter()
            .map(|target| (target.clone(), TestOutcome::Error))
            .collect(),
        failures: vec![said_by_cargo(excerpt, None)],
        ..Report::default()
    }
}

/// What the driver wrote of one program.
struct Written<'a> {
    of: &'a Built,
    place: &'a Path,
    places: &'a Places,
    /// The statuses of the runs of all its tests.
    together: Vec<i32>,
}

/// Takes in what the driver wrote of one program.
fn one(read: &mut Read, of: &Built, place: &Path, places: &Places) {
    // The code under test owned it: a link would lead to files of the host.
    if !place.symlink_metadata().is_ok_and(|of| of.is_dir()) {
        return;
    }
    let mut written = Written {
        of,
        place,
        places,
        together: Vec::new(),
    };
    written.together = written
        .text("together")
        .lines()
        .map(|line| line.trim().parse().unwrap_or(-1))
        .collect();
    let tests = written.listed("list");
    let failed = !written.together.is_empty() && !written.passed();
    if tests.is_empty() && (place.join("unlisted").exists() || failed) {
        written.own_harness(read);
        return;
    }
    let any_bad = written.each(read, &tests);
    if failed && !any_bad {
        written.none_by_itself(read, &tests);
    }
}

impl Written<'_> {
    fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(&read_records(&self.place.join(name))).into_owned()
    }

    fn listed(&self, name: &str) -> Vec<String> {
        self.text(name)
            .lines()
            .filter_map(|line| line.strip_suffix(": test"))
            .map(str::to_owned)
            .collect()
    }

    fn passed(&self) -> bool {
        self.together.last() == Some(&0)
    }

    fn id(&self, test: &str) -> String {
        format!("{}::{test}", self.of.source)
    }

    /// What the run of all tests printed, as the failure of one of this id.
    fn of_all(&self, name: &str) -> Failure {
        let mut failure = of_test(&self.of.source);
        panics::describe(
            &mut failure,
            name,
            &self.text("all.out"),
            &self.text("all.err"),
            self.together.last().copied().unwrap_or(-1),
            self.places,
        );
        failure
    }

    fn note(&self, read: &mut Read, id: String, name: &str, outcome: TestOutcome) {
        read.report.outcomes.insert(id.clone(), outcome);
        read.report.order.push(id.clone());
        let known = Known {
            of: self.of.clone(),
            name: name.to_owned(),
        };
        read.known.insert(id, known);
    }

    /// A program with a harness of its own, which lists nothing: all of it is one test.
    fn own_harness(&self, read: &mut Read) {
        let outcome = if self.passed() {
            TestOutcome::Passed
        } else {
            read.report.failures.push(self.of_all("main"));
            TestOutcome::Failed
        };
        self.note(read, self.of.source.clone(), "", outcome);
    }

    /// Each test by its own; whether any failed.
    fn each(&self, read: &mut Read, tests: &[String]) -> bool {
        let alone = alone(&self.text("alone"));
        let ignored: BTreeSet<String> = self.listed("ignored").into_iter().collect();
        let mut any_bad = false;
        for test in tests {
            let id = self.id(test);
            let outcome = match alone.iter().find(|run| run.name == *test) {
                Some(run) if run.first == 0 => TestOutcome::Passed,
                Some(run) => {
                    let mut failure = of_test(&id);
                    panics::describe(
                        &mut failure,
                        test,
                        &self.text(&format!("{}.out", run.number)),
                        &self.text(&format!("{}.err", run.number)),
                        run.first,
                        self.places,
                    );
                    if run.second == 0 {
                        failure.code = Some(UNSTEADY.to_owned());
                    }
                    read.report.failures.push(failure);
                    TestOutcome::Failed
                }
                None if ignored.contains(test) => TestOutcome::Skipped,
                None if self.passed() => TestOutcome::Passed,
                // The run was ended before it came to this one.
                None => TestOutcome::Error,
            };
            any_bad |= outcome.is_bad();
            self.note(read, id, test, outcome);
        }
        any_bad
    }

    /// Each passes by itself, and all together fail: one of them depends on the others, or on chance. Which one only prose
    /// would say, so that none of them can be called green.
    fn none_by_itself(&self, read: &mut Read, tests: &[String]) {
        let mut failure = self.of_all("");
        let several = self.together.len() > 1;
        failure.code = Some(if several { UNSTEADY } else { TOGETHER }.to_owned());
        read.report.failures.push(failure);
        for test in tests {
            if let Some(outcome) = read.report.outcomes.get_mut(&self.id(test))
                && *outcome == TestOutcome::Passed
            {
                *outcome = TestOutcome::Failed;
            }
        }
    }
}

/// What the test that runs the others wrote: a line for each, its place in the module and 0 where it passed. `stderr` is what they printed.
pub(super) fn of_order(
    tests: &[(String, String)],
    order: &Path,
    stderr: &Path,
    places: &Places,
) -> Report {
    let mut report = Report::default();
    let stderr = String::from_utf8_lossy(&read_records(stderr)).into_owned();
    for line in String::from_utf8_lossy(&read_records(order)).lines() {
        let ended = line
            .split_once(' ')
            .and_then(|(at, status)| Some((tests.get(at.parse::<usize>().ok()?)?, status == "0")));
        let Some(((id, name), passed)) = ended else {
            continue;
        };
        report.order.push(id.clone());
        let outcome = if passed {
            TestOutcome::Passed
        } else {
            let mut failure = of_test(id);
            panics::describe(&mut failure, name, "", &stderr, 101, places);
            report.failures.push(failure);
            TestOutcome::Failed
        };
        report.outcomes.insert(id.clone(), outcome);
    }
    report
}

fn of_test(id: &str) -> Failure {
    Failure {
        test: Some(id.to_owned()),
        phase: Phase::Call,
        ..Failure::default()
    }
}

/// A test that was run by itself.
struct Alone {
    number: usize,
    first: i32,
    second: i32,
    name: String,
}

fn alone(text: &str) -> Vec<Alone> {
    (1..)
        .zip(text.lines())
        .filter_map(|(number, line)| {
            let mut parts = line.splitn(3, ' ');
            Some(Alone {
                number,
                first: parts.next()?.parse().ok()?,
                second: parts.next()?.parse().ok()?,
                name: parts.next()?.to_owned(),
            })
        })
        .collect()
}

/// Whether an id that a producer gave is that of a test, or of what it lies in; what of the test's name it leaves open.
fn asked<'k>(id: &str, known: &'k Known) -> Option<&'k str> {
    let Known { of, name } = known;
    if id == of.source {
        return Some(name);
    }
    // The file that the test is written in, which is not always the first one of its program.
    if let Some((path, rest)) = id.split_once("::")
        && is_source(path)
    {
        let same = path == of.source
            || module_of(path, of)
                .is_some_and(|module| belongs(name, &module) && !module.is_empty());
        let matches = name == rest || name.ends_with(&format!("::{rest}"));
        return (same && matches).then_some("");
    }
    if is_source(id) {
        let module = module_of(id, of)?;
        return (!module.is_empty() && belongs(name, &module)).then_some(name);
    }
    let target = of.name.replace('-', "_");
    // As nextest calls a program (<https://nexte.st/docs/glossary/#binary-id>).
    let program = match of.kind.as_str() {
        "test" => format!("{}::{}", of.package, of.name),
        "bin" | "example" | "bench" => format!("{}::{}/{}", of.package, of.kind, of.name),
        _ => of.package.clone(),
    };
    let mut fronts = vec![
        String::new(),
        format!("{target}::"),
        format!("{program} "),
        format!("{program}::"),
        format!("{program}$"),
    ];
    if of.kind == "test" {
        fronts.push(format!("{} ", of.name));
    }
    for front in fronts {
        let Some(rest) = id.strip_prefix(&front) else {
            continue;
        };
        if name == rest {
            return Some("");
        }
        if !rest.is_empty() && belongs(name, rest) {
            return name.get(rest.len() + 2..);
        }
    }
    (id == program || id == of.package).then_some(name)
}

/// The module that a file is by convention: `price` of `src/price.rs` where `src/lib.rs` is the first file.
fn module_of(path: &str, of: &Built) -> Option<String> {
    let directory = of
        .source
        .rsplit_once('/')
        .map_or("", |(directory, _)| directory);
    let inside = path.strip_prefix(directory)?.trim_start_matches('/');
    let stem = inside.strip_suffix(".rs")?;
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    Some(stem.replace('/', "::"))
}

/// The test that is asked about gets the id by which it is asked for.
fn name_target(plan: &Plan, read: &mut Read) {
    let Some(target) = &plan.target else { return };
    let renamed: Vec<(String, String)> = read
        .known
        .iter()
        .filter(|(id, _)| !belongs(id, target))
        .filter_map(|(id, known)| {
            let open = asked(target, known)?;
            let new = if open.is_empty() {
                target.clone()
            } else {
                format!("{target}::{open}")
            };
            Some((id.clone(), new))
        })
        .collect();
    for (old, new) in renamed {
        if let Some(outcome) = read.report.outcomes.remove(&old) {
            let known = read.report.outcomes.entry(new.clone()).or_insert(outcome);
            if outcome.is_bad() {
                *known = outcome;
            }
        }
        for failure in &mut read.report.failures {
            if failure.test.as_deref() == Some(&old) {
                failure.test = Some(new.clone());
            }
        }
        for place in &mut read.report.order {
            if *place == old {
                place.clone_from(&new);
            }
        }
        if let Some(known) = read.known.remove(&old) {
            read.known.insert(new, known);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(kind: &str, target: &str, source: &str, name: &str) -> Known {
        Known {
            of: Built {
                package: "my-shop".to_owned(),
                kind: kind.to_owned(),
                name: target.to_owned(),
                source: source.to_owned(),
            },
            name: name.to_owned(),
        }
    }

    #[test]
    fn a_test_is_found_by_whatever_its_producer_calls_it() {
        let unit = known("lib", "my-shop", "src/lib.rs", "price::tests::members");
        for id in [
            "price::tests::members",
            "my_shop::price::tests::members",
            "my-shop price::tests::members",
            "my-shop::price::tests::members",
            "src/lib.rs::price::tests::members",
            "src/price.rs::tests::members",
        ] {
            assert_eq!(asked(id, &unit), Some(""), "{id}");
        }
        assert_eq!(asked("price::tests", &unit), Some("members"));
        assert_eq!(asked("src/price.rs", &unit), Some("price::tests::members"));
        assert_eq!(asked("my-shop", &unit), Some("price::tests::members"));
        let integration = known("test", "price", "tests/price.rs", "members");
        for id in [
            "members",
            "price::members",
            "my-shop::price members",
            "my-shop::price$members",
            "tests/price.rs::members",
        ] {
            assert_eq!(asked(id, &integration), Some(""), "{id}");
        }
        for id in [
            "member",
            "other::members",
            "src/lib.rs::members",
            "tests/other.rs",
        ] {
            assert_eq!(asked(id, &integration), None, "{id}");
        }
    }

    #[test]
    fn what_passes_by_itself_and_fails_beside_others_is_told_apart() {
        let records = tempfile::tempdir().unwrap();
        let place = records.path().join("price-1");
        std::fs::create_dir(&place).unwrap();
        let write = |name: &str, text: &str| std::fs::write(place.join(name), text).unwrap();
        write("list", "a: test\nb: test\nc: test\n");
        write("ignored", "c: test\n");
        write("together", "101\n");
        write("alone", "0 0 a\n0 0 b\n");
        let of = Built {
            source: "tests/price.rs".to_owned(),
            ..Built::default()
        };
        let places = Places {
            project: "/w".into(),
            workspace: "/w".into(),
        };
        let mut read = Read::default();
        one(&mut read, &of, &place, &places);
        assert_eq!(
            read.report.outcomes["tests/price.rs::a"],
            TestOutcome::Failed,
            "which one it is nobody knows"
        );
        assert_eq!(
            read.report.outcomes["tests/price.rs::c"],
            TestOutcome::Skipped
        );
        assert_eq!(read.report.failures[0].code.as_deref(), Some(TOGETHER));
        let linked = records.path().join("linked-1");
        std::os::unix::fs::symlink(&place, &linked).unwrap();
        let mut read = Read::default();
        one(&mut read, &of, &linked, &places);
        assert!(read.report.outcomes.is_empty());
        write("alone", "0 0 a\n101 0 b\n");
        let mut read = Read::default();
        one(&mut read, &of, &place, &places);
        assert_eq!(
            read.report.outcomes["tests/price.rs::b"],
            TestOutcome::Failed
        );
        assert_eq!(read.report.failures[0].code.as_deref(), Some(UNSTEADY));
    }
}
