//! Reads what a run left behind: the records of the probe and the reporters, the TAP of tape, and, where nothing was
//! reported at all, the last that was printed. Everything in them was written by the code under test.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::plan::{Plan, Runner};
use super::tap;
use crate::adapter::names_a_file;
use crate::failure::{Failure, Frame, Phase, Report, TestOutcome};
use crate::runner::console::tail;
use crate::runner::read_records;

/// The most text kept of what was printed.
const EXCERPT: usize = 16 * 1024;

/// An error that ended a process, and the file that the process ran.
struct Uncaught {
    main: String,
    record: Value,
}

pub(super) fn read(
    plan: &Plan,
    root: &Path,
    written: &[u8],
    stdout: &[u8],
    stderr: &[u8],
    status: Option<i32>,
) -> Report {
    // Without a slash at the end, which a path may have been joined with.
    let root: PathBuf = root.components().collect();
    let root = root.as_path();
    let place = format!("{}/", root.display());
    let mut uncaught = Vec::new();
    let mut declared = Vec::new();
    let mut lines: Vec<Value> = Vec::new();
    for line in written.split(|byte| *byte == b'\n') {
        let Ok(mut record) = serde_json::from_slice::<Value>(line) else {
            continue;
        };
        let text = |record: &Value, member: &str| -> String {
            record
                .get(member)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        match text(&record, "kind").as_str() {
            "uncaught" => uncaught.push(Uncaught {
                main: text(&record, "main").replacen(&place, "", 1),
                record,
            }),
            "declared" => declared.push(tap::Declared {
                name: text(&record, "name"),
                path: text(&record, "path").replacen(&place, "", 1),
            }),
            "outcome" | "failure" => {
                record["test"] = Value::String(text(&record, "test").replacen(&place, "", 1));
                lines.push(record);
            }
            "collected" => {
                if let Some(tests) = record.get_mut("tests").and_then(Value::as_array_mut) {
                    for test in tests {
                        let id = test.as_str().unwrap_or_default().replacen(&place, "", 1);
                        *test = Value::String(id);
                    }
                }
                lines.push(record);
            }
            _ => lines.push(record),
        }
    }
    explain_files(&mut lines, &uncaught);
    let mut report = parsed(&lines, root);
    report.order = order(&lines);
    if matches!(plan.runner, Runner::Tape | Runner::Script) {
        printed_tests(plan, &mut report, &declared, root, stdout, status);
    }
    died(plan, &mut report, &uncaught, root, status);
    if report.failures.is_empty() && status != Some(0) {
        report.failures.push(said(stdout, stderr, root));
    }
    for failure in &mut report.failures {
        failure.message = failure.message.replace(&place, "");
        failure.text = failure.text.replace(&place, "");
        failure.text = told(&failure.text);
        keep_foreign(failure, root);
    }
    name_target(plan, &mut report);
    report
}

fn parsed(lines: &[Value], root: &Path) -> Report {
    let text = lines
        .iter()
        .map(Value::to_string)
        .collect::<Vec<_>>()
        .join("\n");
    let mut report = read_records(text.as_bytes(), root);
    report.order.clear();
    report
}

/// The tests in the order in which they ran: as whoever arranged them says, or as their outcomes came in.
fn order(lines: &[Value]) -> Vec<String> {
    let of_kind = |kind: &'static str| {
        lines
            .iter()
            .filter(move |record| record.get("kind").and_then(Value::as_str) == Some(kind))
    };
    let told = of_kind("collected")
        .filter_map(|record| record.get("tests")?.as_array())
        .flatten()
        .filter_map(Value::as_str);
    let came = of_kind("outcome")
        .filter_map(|record| record.get("test")?.as_str())
        .filter(|test| !names_a_file(test));
    let mut order: Vec<String> = Vec::new();
    for test in told.chain(came) {
        if !order.iter().any(|known| known == test) {
            order.push(test.to_owned());
        }
    }
    order
}

/// Node's own runner says of a file that ended badly that it did, and not by what; the file's process has written that.
fn explain_files(lines: &mut Vec<Value>, uncaught: &[Uncaught]) {
    let member = |record: &Value, name: &str| -> String {
        record
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let tests: Vec<String> = lines
        .iter()
        .filter(|record| member(record, "kind") == "outcome")
        .map(|record| member(record, "test"))
        .collect();
    let mut explained = Vec::new();
    for record in lines.iter_mut() {
        let (kind, file) = (member(record, "kind"), member(record, "test"));
        if kind != "outcome" || member(record, "outcome") != "failed" || !names_a_file(&file) {
            continue;
        }
        // What ends a file after its tests is not what keeps them from being found.
        let inside = format!("{file}::");
        let when = if tests.iter().any(|test| test.starts_with(&inside)) {
            "teardown"
        } else {
            "collect"
        };
        record["when"] = Value::from(when);
        if member(record, "text").is_empty() {
            record["text"] = Value::from("the file's process ended with an error and said nothing");
        }
        for error in uncaught.iter().filter(|error| error.main == file).take(1) {
            let mut failure = error.record.clone();
            failure["kind"] = Value::from("failure");
            failure["test"] = Value::from(file.clone());
            failure["when"] = Value::from(when);
            explained.push(failure);
        }
    }
    lines.extend(explained);
}

/// The tests of what prints TAP; a file that prints none is one test.
fn printed_tests(
    plan: &Plan,
    report: &mut Report,
    declared: &[tap::Declared],
    root: &Path,
    stdout: &[u8],
    status: Option<i32>,
) {
    let text = String::from_utf8_lossy(stdout);
    let file = first_file(plan);
    if plan.runner == Runner::Tape || tap::is_tap(&text) {
        let only =
            file.filter(|file| plan.operands().len() == 1 && !file.contains(['*', '{', '?']));
        let tests = tap::read(&text, declared, only.as_deref(), root);
        report.outcomes.extend(tests.outcomes);
        report.failures.extend(tests.failures);
    } else if let Some(file) = file {
        let outcome = if status == Some(0) {
            TestOutcome::Passed
        } else {
            TestOutcome::Failed
        };
        report.outcomes.insert(file, outcome);
    }
}

/// The file that is run by itself; a directory has an `index.js` and may stand for it.
fn first_file(plan: &Plan) -> Option<String> {
    let first = plan.operands().first().map(|file| (*file).to_owned());
    first.or_else(|| plan.arguments.first().cloned())
}

/// An error that ended the process that ran the tests, where no test was blamed for it.
fn died(plan: &Plan, report: &mut Report, uncaught: &[Uncaught], root: &Path, status: Option<i32>) {
    if !report.failures.is_empty() || status == Some(0) {
        return;
    }
    let Some(error) = uncaught.first() else {
        return;
    };
    let mut record = error.record.clone();
    record["kind"] = Value::from("failure");
    let Some(mut failure) = parsed(&[record], root).failures.pop() else {
        return;
    };
    keep_foreign(&mut failure, root);
    let running = match plan.runner {
        Runner::Tape => tap::unfinished(report),
        _ => None,
    };
    // The file that was being loaded: the outermost of the project's own.
    let loaded = failure
        .frames
        .iter()
        .find(|frame| !frame.path.starts_with('/'))
        .map(|frame| frame.path.clone());
    let alone = first_file(plan);
    (failure.test, failure.phase) = match (running, plan.runner) {
        (Some(test), _) => (Some(test), Phase::Call),
        (None, Runner::Script) => (alone, Phase::Collection),
        (None, Runner::Tape | Runner::Mocha) if loaded.is_some() => (loaded, Phase::Collection),
        _ => (None, Phase::Configuration),
    };
    if let Some(test) = &failure.test {
        let outcome = if failure.phase == Phase::Call {
            TestOutcome::Failed
        } else {
            TestOutcome::Error
        };
        report.outcomes.insert(test.clone(), outcome);
    }
    report.failures.push(failure);
}

/// What was printed, where nothing was reported.
fn said(stdout: &[u8], stderr: &[u8], root: &Path) -> Failure {
    let clean = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let mut plain = String::new();
        let mut rest = text.as_ref();
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            plain.push_str(before);
            rest = after
                .split_once(|c: char| c.is_ascii_alphabetic())
                .map_or("", |(_, rest)| rest);
        }
        plain.push_str(rest);
        plain
    };
    let (stdout, stderr) = (clean(stdout), clean(stderr));
    let text = if stderr.trim().is_empty() {
        stdout
    } else {
        stderr
    };
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    // The line that names an error, or the first that says anything.
    let message = lines()
        .find(|line| {
            line.contains("Error") || line.contains("not found") || line.contains("Cannot")
        })
        .or_else(|| lines().next())
        .unwrap_or("the runner ended with an error and said nothing")
        .trim_start_matches(['●', ' '])
        .to_owned();
    Failure {
        phase: Phase::Configuration,
        message,
        frames: printed_frames(&text, root),
        text: tail(&text, EXCERPT).to_owned(),
        ..Failure::default()
    }
}

/// The frames of a stack that was printed (<https://v8.dev/docs/stack-trace-api>), the outermost first.
fn printed_frames(text: &str, root: &Path) -> Vec<Frame> {
    let mut frames: Vec<Frame> = text
        .lines()
        .filter_map(|line| {
            let of = line.trim_start().strip_prefix("at ")?;
            let (function, place) = match of.rsplit_once(" (") {
                Some((function, place)) => (function, place.strip_suffix(')')?),
                None => ("", of),
            };
            let mut parts = place.rsplitn(3, ':');
            let (_, line, path) = (parts.next()?, parts.next()?, parts.next()?);
            let path = path.strip_prefix("file://").unwrap_or(path);
            let own = Path::new(path).strip_prefix(root).ok();
            Some(Frame {
                path: own.map_or_else(|| path.to_owned(), |own| own.display().to_string()),
                line: line.parse().ok()?,
                function: function.to_owned(),
            })
        })
        .filter(|frame| frame.path.starts_with('/') || root.join(&frame.path).is_file())
        .collect();
    frames.reverse();
    frames
}

/// What a runner printed, without the frames that are neither the project's nor those nearest to the failure.
fn told(text: &str) -> String {
    const NEAREST: usize = 3;
    let mut frames = 0;
    text.lines()
        .filter(|line| {
            if !line.trim_start().starts_with("at ") {
                return true;
            }
            frames += 1;
            let foreign = line.contains("node_modules/")
                || line.contains("node:")
                || line.contains("maestro_");
            !foreign || frames <= NEAREST && !line.contains("maestro_")
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// Packages are reached by a link in the project's directory; they are not the project's for that.
fn keep_foreign(failure: &mut Failure, root: &Path) {
    failure.frames.retain(|frame| {
        let runner = [
            "/@jest/",
            "/jest-",
            "/@vitest/",
            "/vitest/",
            "/tape/",
            "/mocha/",
            "/expect/",
            "/chai/",
        ];
        let of_runner = runner
            .iter()
            .any(|package| frame.path.contains(&format!("node_modules{package}")));
        let of_ours = frame.path.starts_with('/') && frame.path.contains("/maestro_");
        !of_runner && !of_ours
    });
    for frame in &mut failure.frames {
        if frame.path.starts_with("node_modules/") || frame.path.contains("/node_modules/") {
            frame.path = root.join(&frame.path).display().to_string();
        }
    }
}

/// A report that goes by titles alone names its test without a file: that test gets the name by which it is asked for.
fn name_target(plan: &Plan, report: &mut Report) {
    let Some(target) = &plan.target else { return };
    if target.contains("::") || names_a_file(target) {
        return;
    }
    let is_it = |test: &str| {
        test.split_once("::")
            .is_some_and(|(_, title)| title == target || title.rsplit(" > ").next() == Some(target))
    };
    let found: Vec<String> = report
        .outcomes
        .keys()
        .filter(|test| is_it(test))
        .cloned()
        .collect();
    for test in found {
        if let Some(outcome) = report.outcomes.remove(&test) {
            let known = report.outcomes.entry(target.clone()).or_insert(outcome);
            if outcome.is_bad() {
                *known = outcome;
            }
        }
        for place in report.order.iter_mut().filter(|place| **place == test) {
            place.clone_from(target);
        }
        for failure in &mut report.failures {
            if failure.test.as_deref() == Some(&test) {
                failure.test = Some(target.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::strategies::fake::Files;

    fn report(command: &str, records: &[&str], stdout: &str, status: i32) -> Report {
        let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
        let plan = Plan::new(Some(&words), None, BTreeMap::new(), &Files::new(&[])).unwrap();
        read(
            &plan,
            Path::new("/w"),
            records.join("\n").as_bytes(),
            stdout.as_bytes(),
            b"",
            Some(status),
        )
    }

    const MISSING: &str = r#"{"kind":"uncaught","main":"/w/test/a.js","exception":"Error","message":"Cannot find module 'x'\nRequire stack:\n- /w/test/a.js","code":"MODULE_NOT_FOUND","frames":[["/w/test/a.js",3,"<module>"]]}"#;

    #[test]
    fn a_file_that_could_not_be_loaded_has_the_error_of_its_own_process() {
        let report = report(
            "node --test",
            &[
                MISSING,
                r#"{"kind":"outcome","test":"/w/test/a.js","when":"collect","outcome":"failed","text":""}"#,
                r#"{"kind":"outcome","test":"/w/test/b.js::adds","when":"call","outcome":"passed","text":""}"#,
            ],
            "",
            1,
        );
        assert_eq!(report.outcomes["test/a.js"], TestOutcome::Error);
        assert_eq!(report.outcomes["test/b.js::adds"], TestOutcome::Passed);
        let failure = &report.failures[0];
        assert_eq!(failure.code.as_deref(), Some("MODULE_NOT_FOUND"));
        assert_eq!(failure.phase, Phase::Collection);
        assert_eq!(failure.frames[0].path, "test/a.js");
        assert_eq!(report.failures.len(), 1);
    }

    #[test]
    fn an_error_after_the_tests_of_a_file_is_none_of_its_collection() {
        let report = report(
            "node --test",
            &[
                r#"{"kind":"outcome","test":"/w/a.js::adds","when":"call","outcome":"passed","text":""}"#,
                r#"{"kind":"outcome","test":"/w/a.js","when":"collect","outcome":"failed","text":""}"#,
            ],
            "",
            1,
        );
        assert_eq!(report.failures[0].phase, Phase::Teardown);
    }

    #[test]
    fn a_file_run_by_itself_is_a_test_and_fails_by_what_ended_it() {
        let report = report("node test/a.js", &[MISSING], "", 1);
        assert_eq!(report.failures[0].test.as_deref(), Some("test/a.js"));
        let green = super::tests::report("node test/a.js", &[], "", 0);
        assert_eq!(green.outcomes["test/a.js"], TestOutcome::Passed);
    }

    #[test]
    fn a_runner_that_dies_before_any_test_blocks_everything() {
        let record = MISSING.replace("/w/test/a.js\",\"exception", "/v/jest.js\",\"exception");
        let report = report("jest", &[&record], "", 1);
        assert_eq!(report.failures[0].test, None);
        assert_eq!(report.failures[0].phase, Phase::Configuration);
    }

    #[test]
    fn a_test_that_is_asked_for_by_its_title_alone_is_found() {
        let plan = Plan::new(
            None,
            Some(("adds", maestro_protocol::project::Framework::NodeTest)),
            BTreeMap::new(),
            &Files::new(&[]),
        )
        .unwrap();
        let records = r#"{"kind":"outcome","test":"/w/b.js::sum > adds","when":"call","outcome":"passed","text":""}"#;
        let report = read(
            &plan,
            Path::new("/w"),
            records.as_bytes(),
            b"",
            b"",
            Some(0),
        );
        assert!(report.passed("adds"));
    }
}
