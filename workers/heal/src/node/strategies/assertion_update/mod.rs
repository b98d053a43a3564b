//! Expectations that drifted: texts that Node words otherwise now, texts that the product changed on purpose by its changelog
//! or its history, and snapshots in a form, or under a name, that their runner no longer writes. Only with evidence from elsewhere, and never
//! without a person.

mod drifted;

use std::sync::LazyLock;

use maestro_protocol::heal::Strategy;
use regex::{Captures, Regex};

use super::rewrite;
use crate::case::{Case, Edit, Finding, Repair};
use crate::failure::Failure;
use crate::node::source::Source;
use crate::node::subject::{Subject, subject};
use crate::roles::{Role, Roles};
use crate::source::edit::{Splice, apply};
use crate::strategies::rank;

/// See the module.
pub(super) struct AssertionUpdate;

/// A wording that changed: what the test has, what is said now, since when.
struct Wording {
    old: Option<Regex>,
    new: fn(&Captures<'_>) -> String,
    since: &'static str,
}

/// The sources: V8's own messages, <https://chromium.googlesource.com/v8/v8/+/refs/heads/main/src/common/message-template.h>,
/// and Node's, <https://nodejs.org/api/errors.html#err_invalid_arg_type>.
static WORDINGS: LazyLock<Vec<Wording>> = LazyLock::new(|| {
    let wording = |old: &str, new, since| Wording {
        old: Regex::new(old).ok(),
        new,
        since,
    };
    vec![
        wording(
            r"Cannot read property '?([\w$]+)'? of (undefined|null)",
            |of| {
                format!(
                    "Cannot read properties of {} (reading '{}')",
                    &of[2], &of[1]
                )
            },
            "Node 16.9",
        ),
        wording(
            r"Cannot set property '?([\w$]+)'? of (undefined|null)",
            |of| format!("Cannot set properties of {} (setting '{}')", &of[2], &of[1]),
            "Node 16.9",
        ),
        wording(
            r"Received type (undefined|null)",
            |of| format!("Received {}", &of[1]),
            "Node 12",
        ),
    ]
});

impl Repair for AssertionUpdate {
    fn strategy(&self) -> Strategy {
        Strategy::AssertionUpdate
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        let Some(failure) = case.failures.first() else {
            return Vec::new();
        };
        match subject(failure) {
            Subject::Assertion => or_drifted(wording(case, failure), case, failure),
            Subject::Snapshot => or_drifted(snapshot(case, failure), case, failure),
            _ => Vec::new(),
        }
    }
}

/// What is found, and where that is nothing what the product's own changelog and history say.
fn or_drifted(found: Vec<Finding>, case: &Case<'_>, failure: &Failure) -> Vec<Finding> {
    if found.is_empty() {
        drifted::findings(case, failure)
    } else {
        found
    }
}

/// Where jest and vitest keep the snapshots of a file of tests.
fn snapshots_of(file: &str) -> String {
    match file.rsplit_once('/') {
        Some((directory, name)) => format!("{directory}/__snapshots__/{name}.snap"),
        None => format!("__snapshots__/{file}.snap"),
    }
}

/// A text of the test, at the line that asserts, in the words that the failure itself shows to be said now.
fn wording(case: &Case<'_>, failure: &Failure) -> Vec<Finding> {
    let roles = Roles::of_case(case);
    let frame = failure
        .frames
        .iter()
        .rev()
        .find(|frame| !frame.path.starts_with('/') && roles.of(&frame.path) == Role::Test);
    let Some((frame, source)) = frame.and_then(|frame| {
        Some((
            frame,
            Source::parse(&frame.path, case.tree.read(&frame.path)?)?,
        ))
    }) else {
        return Vec::new();
    };
    let mut shown = format!("{}\n{}", failure.message, failure.text);
    if let Some(compared) = &failure.compared {
        shown.push_str(&compared.actual);
    }
    let shown = shown.replace('\\', "");
    for wording in WORDINGS.iter() {
        let Some(old) = &wording.old else { continue };
        let mut splices = Vec::new();
        for node in source.nodes() {
            let text = source.slice(node);
            if !matches!(node.kind(), "string_fragment" | "regex_pattern") {
                continue;
            }
            let near = Source::line(node).abs_diff(frame.line) <= 8;
            let Some(said) = old.captures(text).filter(|_| near) else {
                continue;
            };
            let now = (wording.new)(&said);
            if !shown.contains(&now) {
                continue;
            }
            let now = if node.kind() == "regex_pattern" {
                now.replace('(', "\\(").replace(')', "\\)")
            } else if source.text()[..node.start_byte()].ends_with('\'') {
                now.replace('\'', "\\'")
            } else {
                now
            };
            let Some(whole) = said.get(0) else { continue };
            let from = node.start_byte() + whole.start();
            splices.push(Splice::replace(from..from + whole.len(), now));
        }
        if splices.is_empty() {
            continue;
        }
        if let Some(text) = apply(source.text(), &splices) {
            let edits = vec![Edit {
                path: frame.path.clone(),
                text,
            }];
            return vec![Finding::Propose(
                rewrite(
                    Strategy::AssertionUpdate,
                    format!(
                        "{}: the text is expected as {} words it",
                        frame.path, wording.since
                    ),
                    edits,
                    rank::EXPECTATION,
                ),
                "what a test expects is changed".to_owned(),
            )];
        }
    }
    Vec::new()
}

/// What of the snapshots beside a test is written otherwise by the runner of today.
fn snapshot(case: &Case<'_>, failure: &Failure) -> Vec<Finding> {
    let test = failure.test.as_deref().unwrap_or_default();
    let file = test.split("::").next().unwrap_or(test);
    let path = snapshots_of(file);
    let Some(kept) = case.tree.read(&path) else {
        return Vec::new();
    };
    let changed = if is_at_least(case, "jest", 29) {
        without_prototypes(&kept).map(|text| {
            (
                text,
                "plain objects and lists are written as jest 29 writes them; nothing else of the snapshots is changed",
            )
        })
    } else if is_at_least(case, "vitest", 1) {
        with_arrows(&kept, case.failures).map(|text| {
            (
                text,
                "snapshots have the names that vitest 1 gives them; what they hold is not changed",
            )
        })
    } else {
        None
    };
    let Some((new, what)) = changed else {
        return Vec::new();
    };
    vec![Finding::Propose(
        rewrite(
            Strategy::AssertionUpdate,
            format!("{path}: {what}"),
            vec![Edit { path, text: new }],
            rank::EXPECTATION,
        ),
        "a file of snapshots is changed".to_owned(),
    )]
}

fn is_at_least(case: &Case<'_>, package: &str, least: u32) -> bool {
    case.installed
        .distributions
        .iter()
        .find(|(name, _)| name == package)
        .and_then(|(_, version)| version.split('.').next()?.parse::<u32>().ok())
        .is_some_and(|major| major >= least)
}

/// Snapshots that name the classes of plain objects and escape quotes, in the form of jest 29
/// (<https://jestjs.io/blog/2022/08/25/jest-29>).
fn without_prototypes(kept: &str) -> Option<String> {
    let changed = kept
        .replace("Object {", "{")
        .replace("Array [", "[")
        .replace("\\\\\"", "\"");
    (changed != kept).then_some(changed)
}

/// Snapshots under the names of vitest before 1.0, which put a space between suite and test where there is an arrow now
/// (<https://vitest.dev/guide/migration.html>): only those that a test failed to find.
fn with_arrows(kept: &str, failures: &[Failure]) -> Option<String> {
    let mut changed = kept.to_owned();
    for failure in failures {
        let Some(name) = failure
            .message
            .strip_prefix("Snapshot `")
            .and_then(|rest| Some(rest.split_once("` mismatched")?.0))
        else {
            continue;
        };
        let (old, new) = (
            format!("exports[`{}`]", name.replace(" > ", " ")),
            format!("exports[`{name}`]"),
        );
        if old != new && !changed.contains(&new) && changed.matches(&old).count() == 1 {
            changed = changed.replace(&old, &new);
        }
    }
    (changed != kept).then_some(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Installed;
    use crate::failure::{Compared, Frame};
    use crate::strategies::fake::{Files, Index, case};

    fn proposed(actual: &str, text: &str) -> Option<String> {
        let failure = Failure {
            test: Some("test/a.js::t".to_owned()),
            exception: Some("AssertionError".to_owned()),
            code: Some("ERR_ASSERTION".to_owned()),
            message: "Expected values to be strictly equal".to_owned(),
            frames: vec![Frame {
                path: "test/a.js".to_owned(),
                line: 1,
                function: String::new(),
            }],
            compared: Some(Compared {
                actual: actual.to_owned(),
                ..Compared::default()
            }),
            ..Failure::default()
        };
        let (tree, index) = (Files::new(&[("test/a.js", text)]), Index::default());
        let found =
            AssertionUpdate.examine(&case(&[failure], &tree, &Installed::default(), &index));
        found.into_iter().find_map(|finding| match finding {
            Finding::Propose(candidate, _) => Some(candidate.edits[0].text.clone()),
            _ => None,
        })
    }

    #[test]
    fn a_text_that_node_words_otherwise_is_proposed_only_where_the_failure_shows_it() {
        let now = "Cannot read properties of undefined (reading 'x')";
        assert_eq!(
            proposed(
                now,
                "assert.equal(m, \"Cannot read property 'x' of undefined\");\n"
            )
            .unwrap(),
            format!("assert.equal(m, \"{now}\");\n")
        );
        assert_eq!(
            proposed(
                now,
                "assert.throws(f, /Cannot read property 'x' of undefined/);\n"
            )
            .unwrap(),
            "assert.throws(f, /Cannot read properties of undefined \\(reading 'x'\\)/);\n"
        );
        let other = "Cannot read properties of undefined (reading 'y')";
        let text = "assert.equal(m, \"Cannot read property 'x' of undefined\");\n";
        assert_eq!(proposed(other, text), None);
        assert_eq!(proposed(now, "assert.equal(m, 'x');\n"), None);
    }

    /// A history of one commit that changed a text of the product.
    struct Reworded(&'static str);

    impl crate::past::Past for Reworded {
        fn commits(&self) -> Vec<crate::past::Commit> {
            self.moving("")
        }

        fn then(&self, _: &crate::past::Commit) -> Option<crate::past::Then> {
            None
        }

        fn changes(&self, _: &crate::past::Commit) -> Vec<crate::past::Change> {
            vec![crate::past::Change {
                path: "check.js".to_owned(),
                line: 2,
                was: vec!["return 'the amount is not valid here';".to_owned()],
                now: vec!["return 'the amount must be positive here';".to_owned()],
            }]
        }

        fn message(&self, _: &crate::past::Commit) -> String {
            self.0.to_owned()
        }

        fn moving(&self, _: &str) -> Vec<crate::past::Commit> {
            vec![crate::past::Commit {
                id: "0123456789abcdef".to_owned(),
                authored: "2026-01-02T03:04:05Z".to_owned(),
                subject: self.0.to_owned(),
            }]
        }
    }

    /// What is offered for a failure that says this, where a commit of this message changed the product's text.
    fn by_history(message: &'static str, files: &[(&str, &str)], failure: Failure) -> Vec<String> {
        let mut all = vec![("check.js", "  return 'the amount must be positive here';\n")];
        all.extend_from_slice(files);
        let (tree, index, installed) = (Files::new(&all), Index::default(), Installed::default());
        let (failures, past) = ([failure], Reworded(message));
        let case = Case {
            past: &past,
            ..case(&failures, &tree, &installed, &index)
        };
        AssertionUpdate
            .examine(&case)
            .into_iter()
            .map(|finding| match finding {
                Finding::Propose(candidate, why) => {
                    assert!(why.contains("commit 0123456789ab of 2026-01-02"), "{why}");
                    candidate.edits[0].text.clone()
                }
                other => panic!("only proposed: {other:?}"),
            })
            .collect()
    }

    fn failing(message: &str, compared: Option<(&str, &str)>) -> Failure {
        Failure {
            test: Some("check.test.js::amounts".to_owned()),
            exception: Some("AssertionError".to_owned()),
            message: message.to_owned(),
            frames: vec![Frame {
                path: "check.test.js".to_owned(),
                line: 1,
                function: String::new(),
            }],
            compared: compared.map(|(expected, actual)| Compared {
                expected: expected.to_owned(),
                actual: actual.to_owned(),
                ..Compared::default()
            }),
            ..Failure::default()
        }
    }

    const SAYS: &str = "Say that an amount must be positive, not that it is not valid";
    const OLD: &str = "the amount is not valid here";
    const NEW: &str = "the amount must be positive here";

    #[test]
    fn a_text_that_a_commit_changed_on_purpose_is_proposed_in_literals_and_patterns() {
        for (test, failure) in [
            (
                "assert.equal(check(0), 'the amount is not valid here');\n",
                failing("Expected values to be strictly equal", Some((OLD, NEW))),
            ),
            (
                "assert.throws(f, /the amount is not valid here/);\n",
                failing(
                    "The input did not match the regular expression /the amount is not valid here/. Input:\n\n'Error: the amount must be positive here'\n",
                    None,
                ),
            ),
            (
                "expect(f).toThrow(\"the amount is not valid here\");\n",
                failing(
                    "expect(received).toThrow(expected)\n\nExpected substring: \"the amount is not valid here\"\nReceived message:   \"the amount must be positive here\"\n",
                    None,
                ),
            ),
            (
                "expect(f).toThrow('the amount is not valid here');\n",
                failing(
                    "expected [Function f] to throw error including 'the amount is not valid here' but got 'the amount must be positive here'",
                    None,
                ),
            ),
            (
                "expect(check(0)).toMatchInlineSnapshot(`\"the amount is not valid here\"`);\n",
                failing(
                    "expect(received).toMatchInlineSnapshot(snapshot)\n\nSnapshot: \"the amount is not valid here\"\nReceived: \"the amount must be positive here\"\n",
                    None,
                ),
            ),
        ] {
            let said = failure.message.clone();
            let found = by_history(SAYS, &[("check.test.js", test)], failure);
            assert_eq!(found, [test.replace(OLD, NEW)], "{said}");
        }
    }

    #[test]
    fn only_the_entries_of_the_failing_test_change_in_a_file_of_snapshots() {
        let entry = |name: &str, text: &str| format!("exports[`{name} 1`] = `\"{text}\"`;\n");
        let others = entry("prices", OLD) + &entry("amounts of others", OLD);
        let kept = entry("amounts", OLD) + &others;
        let found = by_history(
            SAYS,
            &[
                ("check.test.js", "expect(check(0)).toMatchSnapshot();\n"),
                ("__snapshots__/check.test.js.snap", &kept),
            ],
            failing(
                "expect(received).toMatchSnapshot()\n\nSnapshot name: `amounts 1`\n\nSnapshot: \"the amount is not valid here\"\nReceived: \"the amount must be positive here\"\n",
                None,
            ),
        );
        assert_eq!(found, [entry("amounts", NEW) + &others]);
    }

    #[test]
    fn a_text_that_changed_by_the_way_and_what_is_no_text_stay_as_they_are() {
        let test = [(
            "check.test.js",
            "assert.equal(check(0), 'the amount is not valid here');\n",
        )];
        let drifted = failing("Expected values to be strictly equal", Some((OLD, NEW)));
        let none: [String; 0] = [];
        let from_product = Failure {
            frames: vec![Frame {
                path: "check.js".to_owned(),
                line: 1,
                function: String::new(),
            }],
            ..drifted.clone()
        };
        assert_eq!(by_history(SAYS, &test, from_product), none);
        assert_eq!(by_history("Amounts have a limit", &test, drifted), none);
        let number = failing("Expected values to be strictly equal", Some(("3", "4")));
        assert_eq!(by_history(SAYS, &test, number), none);
        let other = failing(
            "Expected values to be strictly equal",
            Some((OLD, "the amount must be round here")),
        );
        assert_eq!(
            by_history(SAYS, &test, other),
            none,
            "the product does not say it"
        );
    }

    #[test]
    fn a_snapshot_of_an_earlier_vitest_gets_its_name_of_today_and_keeps_what_it_holds() {
        let missed = |name: &str| Failure {
            message: format!("Snapshot `{name}` mismatched"),
            ..Failure::default()
        };
        let kept = "exports[`a b 1`] = `1`;\n\nexports[`a c 1`] = `2`;\n";
        assert_eq!(
            with_arrows(kept, &[missed("a > b 1")]).unwrap(),
            "exports[`a > b 1`] = `1`;\n\nexports[`a c 1`] = `2`;\n"
        );
        // One that is there under its name of today is another in what it holds.
        let both = "exports[`a > b 1`] = `1`;\n\nexports[`a b 1`] = `2`;\n";
        assert_eq!(with_arrows(both, &[missed("a > b 1")]), None);
        assert_eq!(with_arrows(kept, &[missed("b 1")]), None);
    }
}
