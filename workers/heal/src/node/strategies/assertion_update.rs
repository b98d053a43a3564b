//! Expectations that drifted: texts that Node words otherwise now, and snapshots in a form, or under a name, that their
//! runner no longer writes. Only with evidence from elsewhere, and never without a person.

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
            Subject::Assertion => wording(case, failure),
            Subject::Snapshot => snapshot(case, failure),
            _ => Vec::new(),
        }
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
    let (directory, name) = file.rsplit_once('/').unwrap_or((".", file));
    let path = format!("{directory}/__snapshots__/{name}.snap");
    let path = path.strip_prefix("./").unwrap_or(&path).to_owned();
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
