//! Reads the probe's file. What stands in it was written by the code under test: nothing of it is trusted to
//! be well formed, and what is not is passed over.

use std::path::Path;

use serde::Deserialize;

use crate::failure::{Change, Compared, Failure, Frame, Phase, Report, TestOutcome};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Record {
    kind: String,
    root: String,
    test: String,
    tests: Vec<String>,
    when: String,
    outcome: String,
    exception: String,
    message: String,
    text: String,
    frames: Vec<(String, u32, String)>,
    path: String,
    lines: Vec<u32>,
    changes: Vec<Change>,
    code: String,
    matcher: String,
    actual: Option<String>,
    expected: Option<String>,
}

/// More failures than this in one run add nothing to the diagnosis.
const MOST_FAILURES: usize = 400;

pub(crate) fn read(records: &[u8], directory: &Path) -> Report {
    let mut report = Report::default();
    let mut root = directory.to_path_buf();
    let mut unexplained: Vec<Failure> = Vec::new();
    for line in records.split(|byte| *byte == b'\n') {
        let Ok(record) = serde_json::from_slice::<Record>(line) else {
            continue;
        };
        match record.kind.as_str() {
            "start" => root = record.root.into(),
            "collected" => {
                for test in record.tests {
                    let test = relative_id(&test, &root, directory);
                    report.order.push(test.clone());
                    report.outcomes.entry(test).or_insert(TestOutcome::Skipped);
                }
            }
            "outcome" => outcome(&mut report, &mut unexplained, record, &root, directory),
            "failure" if report.failures.len() < MOST_FAILURES => {
                let failure = failure(record, &root, directory);
                unexplained.retain(|other| other.test != failure.test);
                report.failures.push(failure);
            }
            "state" => {
                report
                    .changes
                    .entry(relative_id(&record.test, &root, directory))
                    .or_default()
                    .extend(record.changes);
            }
            "lines" => {
                report
                    .lines
                    .entry(relative_path(&record.path, directory))
                    .or_default()
                    .extend(record.lines);
            }
            _ => {}
        }
    }
    // An outcome whose exception the probe was not told (a strict xpass, a hook's own report).
    let explained: Vec<Option<String>> = report
        .failures
        .iter()
        .map(|failure| failure.test.clone())
        .collect();
    unexplained.retain(|failure| !explained.contains(&failure.test));
    report.failures.extend(unexplained);
    report
}

fn outcome(
    report: &mut Report,
    unexplained: &mut Vec<Failure>,
    record: Record,
    root: &Path,
    directory: &Path,
) {
    let test = relative_id(&record.test, root, directory);
    let outcome = match record.outcome.as_str() {
        "passed" | "xpassed" => TestOutcome::Passed,
        "skipped" | "xfailed" => TestOutcome::Skipped,
        _ if record.when == "call" => TestOutcome::Failed,
        _ => TestOutcome::Error,
    };
    let failed = matches!(outcome, TestOutcome::Failed | TestOutcome::Error);
    if failed && unexplained.len() < MOST_FAILURES {
        unexplained.push(Failure {
            test: Some(test.clone()),
            phase: phase(&record.when),
            exception: None,
            message: record.text.lines().last().unwrap_or_default().to_owned(),
            frames: Vec::new(),
            text: record.text,
            ..Failure::default()
        });
    }
    let is_own =
        !record.path.is_empty() && !relative_path(&record.path, directory).starts_with('/');
    if outcome == TestOutcome::Skipped && is_own {
        report.own_skips.insert(test.clone());
    }
    // A failure of the set-up or the tear-down stands, whatever the body did.
    let entry = report.outcomes.entry(test).or_insert(outcome);
    if failed || !matches!(entry, TestOutcome::Failed | TestOutcome::Error) {
        *entry = outcome;
    }
}

fn failure(record: Record, root: &Path, directory: &Path) -> Failure {
    let mut frames: Vec<Frame> = record
        .frames
        .into_iter()
        .map(|(path, line, function)| Frame {
            path: relative_path(&path, directory),
            line,
            function,
        })
        .collect();
    let first = frames
        .iter()
        .position(|frame| !is_machinery(&frame.path))
        .unwrap_or_else(|| frames.len().saturating_sub(1));
    frames.drain(..first);
    Failure {
        test: Some(relative_id(&record.test, root, directory)).filter(|test| !test.is_empty()),
        phase: phase(&record.when),
        exception: Some(record.exception).filter(|exception| !exception.is_empty()),
        message: record.message,
        frames,
        text: record.text,
        code: Some(record.code).filter(|code| !code.is_empty()),
        compared: record
            .expected
            .zip(record.actual)
            .map(|(expected, actual)| Compared {
                actual,
                expected,
                by: record.matcher,
            }),
        compiled: None,
        complaint: None,
    }
}

fn phase(when: &str) -> Phase {
    match when {
        "setup" => Phase::Setup,
        "call" => Phase::Call,
        "teardown" => Phase::Teardown,
        _ => Phase::Collection,
    }
}

/// Frames of the runner and of the import system before the first of the project's say nothing.
fn is_machinery(path: &str) -> bool {
    path.starts_with("<frozen")
        || path.starts_with('/')
            && [
                "/_pytest/",
                "/pluggy/",
                "/importlib/",
                "/unittest/",
                "/runpy.py",
                "/maestro_unittest_probe.py",
            ]
            .iter()
            .any(|part| path.contains(part))
}

/// A path of the run, relative to the project's directory where it lies inside.
pub(crate) fn relative_path(path: &str, directory: &Path) -> String {
    Path::new(path).strip_prefix(directory).map_or_else(
        |_| path.strip_prefix("./").unwrap_or(path).to_owned(),
        |inside| inside.display().to_string(),
    )
}

/// Node ids are relative to pytest's root directory, which need not be the directory that the command ran in.
fn relative_id(id: &str, root: &Path, directory: &Path) -> String {
    let Ok(prefix) = root.strip_prefix(directory) else {
        return directory
            .strip_prefix(root)
            .ok()
            .and_then(|below| id.strip_prefix(below.to_str()?)?.strip_prefix('/'))
            .unwrap_or(id)
            .to_owned();
    };
    if prefix.as_os_str().is_empty() || id.is_empty() {
        id.to_owned()
    } else {
        format!("{}/{id}", prefix.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lines: &[&str]) -> Report {
        read(lines.join("\n").as_bytes(), Path::new("/w"))
    }

    #[test]
    fn an_exception_is_read_with_its_frames_relative_to_the_project() {
        let report = report(&[
            r#"{"kind":"start","root":"/w"}"#,
            r#"{"kind":"collected","tests":["t.py::a"]}"#,
            r#"{"kind":"failure","test":"t.py::a","when":"call","exception":"KeyError","message":"'x'","text":"E","frames":[["/v/_pytest/python.py",1,"f"],["/w/t.py",3,"a"],["/w/p/m.py",9,"g"]]}"#,
            r#"{"kind":"outcome","test":"t.py::a","when":"call","outcome":"failed"}"#,
        ]);
        assert_eq!(report.outcomes["t.py::a"], TestOutcome::Failed);
        assert_eq!(report.failures.len(), 1);
        let paths: Vec<_> = report.failures[0]
            .frames
            .iter()
            .map(|frame| frame.path.as_str())
            .collect();
        assert_eq!(paths, ["t.py", "p/m.py"]);
    }

    #[test]
    fn a_failing_teardown_is_not_hidden_by_a_passing_body() {
        let report = report(&[
            r#"{"kind":"outcome","test":"t.py::a","when":"call","outcome":"passed"}"#,
            r#"{"kind":"outcome","test":"t.py::a","when":"teardown","outcome":"failed","text":"boom"}"#,
        ]);
        assert_eq!(report.outcomes["t.py::a"], TestOutcome::Error);
        assert!(!report.passed("t.py::a"));
    }

    #[test]
    fn ids_are_made_relative_to_the_directory_of_the_run() {
        assert_eq!(
            relative_id("tests/t.py::a", Path::new("/w"), Path::new("/w/sub")),
            "tests/t.py::a"
        );
        assert_eq!(
            relative_id("sub/t.py::a", Path::new("/w"), Path::new("/w/sub")),
            "t.py::a"
        );
        assert_eq!(
            relative_id("t.py::a", Path::new("/w/tests"), Path::new("/w")),
            "tests/t.py::a"
        );
    }

    #[test]
    fn what_a_test_leaves_behind_and_the_lines_that_it_ran_are_read() {
        let report = report(&[
            r#"{"kind":"collected","tests":["t.py::b","t.py::a"]}"#,
            r#"{"kind":"state","test":"t.py::a","changes":[{"kind":"attribute","owner":"p","name":"X","how":"rebound","shape":"bool","path":"p.py"}]}"#,
            r#"{"kind":"lines","path":"/w/p.py","lines":[3,4]}"#,
        ]);
        assert_eq!(report.order, ["t.py::b", "t.py::a"]);
        assert_eq!(report.changes["t.py::a"][0].name, "X");
        assert_eq!(report.lines["p.py"].len(), 2);
    }

    #[test]
    fn garbage_in_the_file_is_passed_over() {
        let report = read(b"\xff\xfe\n{\"kind\":7}\n[1]\n{\"kind\":\"outcome\",\"test\":\"a\",\"when\":\"call\",\"outcome\":\"passed\"}\n{\"ki", Path::new("/w"));
        assert_eq!(report.outcomes.len(), 1);
        assert!(report.passed("a"));
    }
}
