//! Files that do not parse on this interpreter: leftovers of Python 2, indentation that mixes tabs and spaces, one
//! character too few or too many, and a configuration file whose reader wants its section named otherwise. Only
//! what does not parse is edited, so that nothing which a test asserted can change.

mod configuration;
mod escapes;
mod indentation;
mod one_character;
mod python2;

use maestro_protocol::heal::{RuntimeChanges, Strategy};

use crate::case::{Candidate, Case, Edit, Finding, Repair};
use crate::classify::subject::{Subject, subject};
use crate::failure::{Failure, Phase};
use crate::source::Source;
use crate::strategies::rank;

/// See the module.
pub(super) struct SyntaxRepair;

/// How many ways of writing one character are worth a run.
const MOST_GUESSES: usize = 4;

/// A new text for a file, and what was done to it.
struct Repaired {
    text: String,
    what: String,
    rank: u32,
}

impl Repair for SyntaxRepair {
    fn strategy(&self) -> Strategy {
        Strategy::SyntaxRepair
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        let Some(failure) = case.failures.first() else {
            return Vec::new();
        };
        match subject(failure).0 {
            Subject::PytestSection => pytest_section(case).into_iter().map(Finding::Try).collect(),
            Subject::Syntax { .. } => {
                let Some((path, line)) = broken_file(case, failure) else {
                    return Vec::new();
                };
                broken(case, &path, line)
            }
            _ if failure.phase <= Phase::Configuration => configuration::examine(case, failure),
            _ => Vec::new(),
        }
    }
}

fn broken(case: &Case<'_>, path: &str, line: Option<u32>) -> Vec<Finding> {
    let Some(text) = case.tree.read(path) else {
        return Vec::new();
    };
    if let Some(line) = conflict_marker(&text) {
        return vec![Finding::Refuse(format!(
            "{path}:{line} holds the markers of an unfinished merge: which side is right is a person's decision; resolve the conflict and run again"
        ))];
    }
    let mut repairs = Vec::new();
    let escape = |failure: &Failure| {
        failure.message.contains("invalid escape sequence")
            || failure.text.contains("invalid escape sequence")
    };
    if case.failures.first().is_some_and(escape) {
        repairs.extend(escapes::repair(&text));
    }
    repairs.extend(python2::repair(&text));
    repairs.extend(indentation::repair(&text, line));
    if repairs.is_empty() {
        repairs.extend(
            one_character::repairs(&text, line)
                .into_iter()
                .take(MOST_GUESSES),
        );
    }
    let mut findings = Vec::new();
    for repaired in repairs {
        let mut edits = vec![Edit {
            path: path.to_owned(),
            text: repaired.text,
        }];
        if repaired.rank == rank::PYTHON_2 {
            edits.extend(same_leftovers(case, path));
        }
        findings.push(Finding::Try(Candidate {
            strategy: Strategy::SyntaxRepair,
            description: format!(
                "{}: {}",
                edits
                    .iter()
                    .map(|edit| edit.path.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
                repaired.what
            ),
            edits,
            runtime: RuntimeChanges::default(),
            rank: repaired.rank,
        }));
    }
    findings
}

/// Other files of the same run that fail for the same reason.
fn same_leftovers(case: &Case<'_>, done: &str) -> Vec<Edit> {
    let mut edits: Vec<Edit> = Vec::new();
    for failure in case.failures.iter().skip(1) {
        if !matches!(subject(failure).0, Subject::Syntax { .. }) {
            continue;
        }
        let Some((path, _)) = broken_file(case, failure) else {
            continue;
        };
        if path == done || edits.iter().any(|edit| edit.path == path) {
            continue;
        }
        let text = case
            .tree
            .read(&path)
            .filter(|text| conflict_marker(text).is_none());
        if let Some(repaired) = text.and_then(|text| python2::repair(&text)) {
            edits.push(Edit {
                path,
                text: repaired.text,
            });
        }
    }
    edits
}

/// The project's file that does not parse, and the line that the interpreter names.
fn broken_file(case: &Case<'_>, failure: &Failure) -> Option<(String, Option<u32>)> {
    let Subject::Syntax {
        path: reported,
        line,
    } = subject(failure).0
    else {
        return None;
    };
    let named = reported.as_deref().and_then(|reported| {
        let fits =
            |path: &&String| reported == path.as_str() || reported.ends_with(&format!("/{path}"));
        case.tree
            .paths()
            .iter()
            .filter(fits)
            .max_by_key(|path| path.len())
    });
    if let Some(path) = named {
        return Some((path.clone(), line));
    }
    if reported.is_some_and(|reported| reported.starts_with('/')) {
        // An installed package does not parse: no file of ours.
        return None;
    }
    let path = match failure.innermost_own() {
        Some(frame) => frame.path.clone(),
        None => failure.test.as_deref()?.split("::").next()?.to_owned(),
    };
    Some((path, line))
}

/// The first line of an unfinished merge.
fn conflict_marker(text: &str) -> Option<usize> {
    let at = |mark: &str| text.lines().position(|line| line.starts_with(mark));
    let (ours, theirs) = (at("<<<<<<< ")?, at(">>>>>>> ")?);
    (ours < theirs
        && text
            .lines()
            .any(|line| line == "=======" || line.starts_with("======= ")))
    .then_some(ours + 1)
}

/// `[pytest]` in `setup.cfg` is `[tool:pytest]` since pytest 4.
/// <https://docs.pytest.org/en/stable/deprecations.html#pytest-section-in-setup-cfg-files>
fn pytest_section(case: &Case<'_>) -> Option<Candidate> {
    let text = case.tree.read("setup.cfg")?;
    if text.lines().any(|line| line.trim_end() == "[tool:pytest]") {
        return None;
    }
    let start = std::iter::once(0)
        .chain(text.match_indices('\n').map(|(at, _)| at + 1))
        .find(|&start| text[start..].starts_with("[pytest]"))?;
    let mut new = text;
    new.replace_range(start..start + "[pytest]".len(), "[tool:pytest]");
    Some(Candidate {
        strategy: Strategy::SyntaxRepair,
        description: "setup.cfg: pytest reads its options from [tool:pytest] since version 4, no longer from [pytest]".to_owned(),
        edits: vec![Edit { path: "setup.cfg".to_owned(), text: new }],
        runtime: RuntimeChanges::default(),
        rank: rank::CONFIGURATION,
    })
}

/// Whether a text is Python 3, as far as the grammar knows.
fn is_sound(text: &str) -> bool {
    Source::parse(text).is_some_and(|source| source.faults().is_empty())
}

#[cfg(test)]
mod tests;
