//! The Test Anything Protocol as tape prints it (<https://testanything.org/tap-version-13-specification.html>): a
//! comment names a test, its checks follow, and a failed one is explained by a block of YAML.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use crate::failure::{Compared, Failure, Frame, Phase, Report, TestOutcome};
use crate::runner::relative_path;

/// A test that was declared, and the file that did.
pub(super) struct Declared {
    pub(super) name: String,
    pub(super) path: String,
}

/// Whether a text is TAP.
pub(super) fn is_tap(text: &str) -> bool {
    text.lines()
        .take(50)
        .any(|line| line.starts_with("TAP version "))
}

/// The mark of a test that the end of the run interrupted; no test is called so.
const UNFINISHED: &str = "\u{0}unfinished";

/// The test during which the run ended, taken out of a report of [`read`].
pub(super) fn unfinished(report: &mut Report) -> Option<String> {
    report.outcomes.remove(UNFINISHED)?;
    report.order.pop()
}

struct Reader<'a> {
    files: BTreeMap<&'a str, VecDeque<&'a str>>,
    only: Option<&'a str>,
    file: String,
    report: Report,
    current: Option<String>,
    /// The first check that failed inside of a test whose own line is still to come.
    inner: Option<Failure>,
}

impl Reader<'_> {
    fn begin(&mut self, name: &str) {
        let declared = self.files.get_mut(name).and_then(VecDeque::pop_front);
        if let Some(file) = declared.or(self.only) {
            file.clone_into(&mut self.file);
        }
        let test = if self.file.is_empty() {
            name.to_owned()
        } else {
            format!("{}::{name}", self.file)
        };
        if declared.is_some() {
            self.report
                .outcomes
                .entry(test.clone())
                .or_insert(TestOutcome::Passed);
        }
        self.current = Some(test);
    }

    fn check(&mut self, line: &str) -> bool {
        let (good, rest) = match line.strip_prefix("not ok") {
            Some(rest) => (false, rest),
            None => match line.strip_prefix("ok") {
                Some(rest) => (true, rest),
                None => return false,
            },
        };
        if !rest.is_empty() && !rest.starts_with(' ') {
            return false;
        }
        let rest = rest
            .trim_start()
            .trim_start_matches(|c: char| c.is_ascii_digit());
        let description = rest.trim_start().trim_start_matches("- ");
        let upper = description.to_uppercase();
        let excused = upper.contains("# SKIP") || upper.contains("# TODO");
        // tap prints the result of a test as a check by its name.
        let named = description
            .split(" # ")
            .next()
            .unwrap_or(description)
            .trim();
        let test = match (&self.current, self.only) {
            (Some(test), _) => test.clone(),
            (None, Some(file)) => format!("{file}::{named}"),
            (None, None) => named.to_owned(),
        };
        let outcome = self
            .report
            .outcomes
            .entry(test.clone())
            .or_insert(if excused {
                TestOutcome::Skipped
            } else {
                TestOutcome::Passed
            });
        if good || excused {
            return true;
        }
        *outcome = TestOutcome::Failed;
        let mut failure = self
            .inner
            .take()
            .unwrap_or_else(|| failed(line, description));
        failure.test = Some(test);
        self.report.failures.push(failure);
        true
    }
}

fn failed(line: &str, description: &str) -> Failure {
    Failure {
        phase: Phase::Call,
        exception: Some("AssertionError".to_owned()),
        message: description.to_owned(),
        text: line.to_owned(),
        ..Failure::default()
    }
}

/// The lines up to the end of a block.
fn block<'t>(lines: &mut impl Iterator<Item = &'t str>) -> Vec<&'t str> {
    lines.take_while(|line| line.trim() != "...").collect()
}

/// Reads the tests. `only` is the file where there is but one.
pub(super) fn read(text: &str, declared: &[Declared], only: Option<&str>, root: &Path) -> Report {
    let mut files: BTreeMap<&str, VecDeque<&str>> = BTreeMap::new();
    for test in declared {
        files.entry(&test.name).or_default().push_back(&test.path);
    }
    let mut reader = Reader {
        files,
        only,
        file: String::new(),
        report: Report::default(),
        current: None,
        inner: None,
    };
    let mut lines = text.lines().peekable();
    let mut planned = false;
    while let Some(line) = lines.next() {
        if reader.check(line) {
            let failed = line.starts_with("not ok");
            if lines.peek().is_some_and(|next| next.trim() == "---") {
                lines.next();
                let block = block(&mut lines);
                if failed
                    && let Some(failure) = reader.report.failures.last_mut()
                    && failure.frames.is_empty()
                {
                    explain(failure, &block, 4, root);
                }
            }
        } else if let Some(description) = line
            .trim_start()
            .strip_prefix("not ok ")
            .filter(|_| reader.inner.is_none() && line.starts_with("    "))
        {
            let indent = line.len() - line.trim_start().len();
            let plain =
                description.trim_start_matches(|c: char| c.is_ascii_digit() || " -".contains(c));
            let mut failure = failed(line, plain);
            if lines.peek().is_some_and(|next| next.trim() == "---") {
                lines.next();
                let block = block(&mut lines);
                explain(&mut failure, &block, indent + 2, root);
            }
            reader.inner = Some(failure);
        } else if let Some(name) = line
            .strip_prefix("# ")
            .filter(|name| !planned && !name.starts_with("Subtest: "))
        {
            match name.strip_prefix("SKIP ").or(name.strip_prefix("TODO ")) {
                Some(name) => {
                    reader.begin(name);
                    if let Some(test) = &reader.current {
                        reader
                            .report
                            .outcomes
                            .insert(test.clone(), TestOutcome::Skipped);
                    }
                }
                None => reader.begin(name),
            }
        } else if line.starts_with("1..") {
            planned = true;
        }
    }
    if !planned && let Some(test) = reader.current.take() {
        reader
            .report
            .outcomes
            .insert(UNFINISHED.to_owned(), TestOutcome::Error);
        reader.report.order.push(test);
    }
    reader.report
}

/// Fills a failure from the lines of its block, whose members stand `members_at` deep: `operator`, `expected`, `actual`,
/// `at`, `stack`.
fn explain(failure: &mut Failure, block: &[&str], members_at: usize, root: &Path) {
    let mut members: BTreeMap<&str, String> = BTreeMap::new();
    let mut open: Option<&str> = None;
    for line in block {
        let indent = line.len() - line.trim_start().len();
        match line.trim_start().split_once(':') {
            Some((name, value)) if indent == members_at && !name.contains(' ') => {
                let value = value.trim();
                let continued = matches!(value, "|-" | "|" | ">" | ">-");
                members.insert(
                    name,
                    if continued {
                        String::new()
                    } else {
                        value.to_owned()
                    },
                );
                open = Some(name);
            }
            _ => {
                if let Some(text) = open.and_then(|name| members.get_mut(name)) {
                    if !text.is_empty() {
                        text.push('\n');
                    }
                    text.push_str(line.get(members_at + 2..).unwrap_or(line.trim_start()));
                }
            }
        }
    }
    failure.text = block.join("\n");
    let stack = members.remove("stack").unwrap_or_default();
    failure.frames = frames(&stack, root);
    if failure.frames.is_empty()
        && let Some(frame) = members
            .get("at")
            .and_then(|at| frame(&format!("at {at}"), root))
    {
        failure.frames.push(frame);
    }
    if members.contains_key("expected") || members.contains_key("actual") {
        failure.compared = Some(Compared {
            actual: members.remove("actual").unwrap_or_default(),
            expected: members.remove("expected").unwrap_or_default(),
            by: members.remove("operator").unwrap_or_default(),
        });
    }
}

/// The frames of a stack as V8 prints it, outermost first, without those of Node itself.
pub(super) fn frames(stack: &str, root: &Path) -> Vec<Frame> {
    let mut found: Vec<Frame> = stack
        .lines()
        .filter_map(|line| frame(line.trim(), root))
        .collect();
    found.reverse();
    found
}

/// `at name (/w/a.js:3:5)`, `at /w/a.js:3:5`, with or without `async` and `file://`.
fn frame(line: &str, root: &Path) -> Option<Frame> {
    let rest = line.strip_prefix("at ")?;
    let rest = rest.strip_prefix("async ").unwrap_or(rest);
    let (function, place) = match rest.rsplit_once(" (") {
        Some((function, place)) => (function, place.strip_suffix(')')?),
        None => ("", rest),
    };
    let place = place.strip_prefix("file://").unwrap_or(place);
    let mut parts = place.rsplitn(3, ':');
    let _column: u32 = parts.next()?.parse().ok()?;
    let line = parts.next()?.parse().ok()?;
    let path = parts.next()?;
    path.starts_with('/').then(|| Frame {
        path: relative_path(path, root),
        line,
        function: if function == "Object.<anonymous>" {
            "<module>".to_owned()
        } else {
            function.to_owned()
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAP: &str = "TAP version 13\n# one\nok 1 fine\n# two\nnot ok 2 adds up\n  ---\n    operator: equal\n    expected: 3\n    actual:   2\n    at: Test.<anonymous> (/w/test/b.js:5:7)\n    stack: |-\n      Error: adds up\n          at Test.assert [as _assert] (/v/node_modules/tape/lib/test.js:228:54)\n          at add (/w/lib/add.js:2:3)\n          at Test.<anonymous> (/w/test/b.js:5:7)\n          at node:internal/x:1:1\n  ...\n# SKIP three\n\n1..2\n# tests 2\n# pass  1\n# fail  1\n";

    fn declared(name: &str, path: &str) -> Declared {
        Declared {
            name: name.to_owned(),
            path: path.to_owned(),
        }
    }

    #[test]
    fn tests_stand_by_the_file_that_declared_them_and_failures_with_both_values() {
        let files = [
            declared("one", "test/a.js"),
            declared("two", "test/b.js"),
            declared("three", "test/b.js"),
        ];
        let report = read(TAP, &files, None, Path::new("/w"));
        assert_eq!(report.outcomes.len(), 3);
        assert_eq!(report.outcomes["test/a.js::one"], TestOutcome::Passed);
        assert_eq!(report.outcomes["test/b.js::two"], TestOutcome::Failed);
        assert_eq!(report.outcomes["test/b.js::three"], TestOutcome::Skipped);
        let failure = &report.failures[0];
        let compared = failure.compared.clone().unwrap();
        assert_eq!(
            (compared.actual.as_str(), compared.expected.as_str()),
            ("2", "3")
        );
        let own: Vec<&str> = failure
            .frames
            .iter()
            .map(|frame| frame.path.as_str())
            .collect();
        assert_eq!(
            own,
            [
                "test/b.js",
                "lib/add.js",
                "/v/node_modules/tape/lib/test.js"
            ]
        );
    }

    #[test]
    fn a_run_that_ends_within_a_test_says_which() {
        let text = "TAP version 13\n# one\nok 1 fine\n# two\n";
        let mut report = read(text, &[], Some("t.js"), Path::new("/w"));
        assert_eq!(unfinished(&mut report).as_deref(), Some("t.js::two"));
        assert_eq!(report.outcomes.len(), 1);
    }

    #[test]
    fn tests_within_tests_stand_by_the_outer_one_with_the_first_check_that_failed() {
        let text = "TAP version 13\n# Subtest: sums\n    ok 1 - fine\n    not ok 2 - should be equal\n      ---\n      at:\n        line: 4\n      stack: |\n        Test.<anonymous> (t.js:4:5)\n        at f (/w/t.js:4:5)\n      ...\n    1..2\nnot ok 1 - sums # time=5ms\n\nok 2 - others # time=1ms\n1..2\n";
        let report = read(text, &[], Some("t.js"), Path::new("/w"));
        assert_eq!(report.outcomes["t.js::sums"], TestOutcome::Failed);
        assert_eq!(report.outcomes["t.js::others"], TestOutcome::Passed);
        assert_eq!(report.failures.len(), 1);
        assert_eq!(report.failures[0].message, "should be equal");
        assert_eq!(report.failures[0].frames[0].path, "t.js");
    }
}
