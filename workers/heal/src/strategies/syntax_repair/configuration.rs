//! A configuration file that its reader no longer takes: `pytest.ini`, `tox.ini`, `setup.cfg` by
//! [iniconfig](https://pypi.org/project/iniconfig/), which is stricter than what read them before.

use std::sync::LazyLock;

use maestro_protocol::heal::{RuntimeChanges, Strategy};
use regex::Regex;

use super::conflict_marker;
use crate::case::{Candidate, Case, Edit, Finding};
use crate::failure::Failure;
use crate::strategies::rank;

/// `pytest.ini:3: duplicate name 'addopts'`; `pyproject.toml: … (at line 3, column 1)`.
const PLACE: &str = r"(?:^|[\s/])((?:pytest\.ini|\.pytest\.ini|tox\.ini|setup\.cfg|pyproject\.toml)):(?:(\d+):)? (.*)";

pub(super) fn examine(case: &Case<'_>, failure: &Failure) -> Vec<Finding> {
    static COMPILED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(PLACE).ok());
    let said = failure
        .message
        .lines()
        .chain(failure.text.lines())
        .find_map(|line| COMPILED.as_ref()?.captures(line));
    let Some(said) = said else {
        return Vec::new();
    };
    let path = &said[1];
    let Some(text) = case.tree.read(path) else {
        return Vec::new();
    };
    if let Some(line) = conflict_marker(&text) {
        return vec![Finding::Refuse(format!(
            "{path}:{line} holds the markers of an unfinished merge: which side is right is a person's decision; resolve the conflict and run again"
        ))];
    }
    let line = said
        .get(2)
        .and_then(|number| number.as_str().parse::<usize>().ok())
        .and_then(|number| number.checked_sub(1));
    let repaired = line.and_then(|line| repaired(path, &text, line, &said[3]));
    repaired
        .map(|(text, what)| {
            Finding::Try(Candidate {
                strategy: Strategy::SyntaxRepair,
                description: format!("{path}: {what}"),
                edits: vec![Edit {
                    path: path.to_owned(),
                    text,
                }],
                runtime: RuntimeChanges::default(),
                rank: rank::CONFIGURATION,
            })
        })
        .into_iter()
        .collect()
}

/// The text in a form that is read, and what was done to it; `None` where that takes a decision.
fn repaired(path: &str, text: &str, line: usize, complaint: &str) -> Option<(String, String)> {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let bare = lines.get(line)?.trim_end();
    if complaint.starts_with("no section header") && path.ends_with("pytest.ini") {
        lines.insert(line, "[pytest]\n");
        return Some((
            lines.concat(),
            "its options stand below [pytest]".to_owned(),
        ));
    }
    if complaint.starts_with("duplicate name") {
        // Said twice in the same words; which of two values is meant nobody but a person knows.
        let earlier = lines[..line]
            .iter()
            .rev()
            .take_while(|earlier| !earlier.starts_with('['))
            .any(|earlier| earlier.trim_end() == bare);
        let continued = lines
            .get(line + 1)
            .is_some_and(|next| next.starts_with([' ', '\t']) && !next.trim().is_empty());
        if !earlier || continued {
            return None;
        }
        let what = format!("`{bare}` stands there once, not twice");
        lines.remove(line);
        return Some((lines.concat(), what));
    }
    // `[pytest` without its end.
    if bare.starts_with('[') && !bare.contains(']') {
        let closed = format!("{bare}]\n");
        let what = format!("`{bare}` gets the bracket that closes it");
        lines[line] = &closed;
        return Some((lines.concat(), what));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Installed;
    use crate::failure::Phase;
    use crate::strategies::fake::{Files, Index, case, failure};

    fn offered(path: &str, text: &str, said: &str) -> Result<Option<String>, String> {
        let files = Files::new(&[(path, text)]);
        let (installed, index) = (Installed::default(), Index::default());
        let failures = [failure(None, Phase::Configuration, said, &[])];
        let found = examine(&case(&failures, &files, &installed, &index), &failures[0]);
        match found.into_iter().next() {
            Some(Finding::Try(mut candidate)) => Ok(candidate.edits.pop().map(|edit| edit.text)),
            Some(Finding::Refuse(reason)) => Err(reason),
            _ => Ok(None),
        }
    }

    #[test]
    fn what_iniconfig_no_longer_takes_is_written_as_it_does() {
        for (text, said, repaired) in [
            (
                "addopts = -q\n",
                "ERROR: pytest.ini:1: no section header defined",
                "[pytest]\naddopts = -q\n",
            ),
            (
                "[pytest]\naddopts = -q\naddopts = -q\n",
                "ERROR: pytest.ini:3: duplicate name 'addopts'",
                "[pytest]\naddopts = -q\n",
            ),
            (
                "[pytest\naddopts = -q\n",
                "ERROR: pytest.ini:1: unexpected value continuation",
                "[pytest]\naddopts = -q\n",
            ),
        ] {
            assert_eq!(
                offered("pytest.ini", text, said),
                Ok(Some(repaired.to_owned())),
                "{said}"
            );
        }
    }

    #[test]
    fn two_values_of_one_name_are_a_persons_to_choose_from() {
        let text = "[pytest]\naddopts = -q\naddopts = -v\n";
        let said = "ERROR: pytest.ini:3: duplicate name 'addopts'";
        assert_eq!(offered("pytest.ini", text, said), Ok(None));
    }

    #[test]
    fn an_unfinished_merge_is_refused_in_every_format() {
        let text = "[pytest]\n<<<<<<< HEAD\na = 1\n=======\na = 2\n>>>>>>> topic\n";
        for (path, said) in [
            (
                "tox.ini",
                "ERROR: tox.ini:2: unexpected line: '<<<<<<< HEAD'",
            ),
            (
                "pyproject.toml",
                "ERROR: pyproject.toml: Invalid statement (at line 2, column 1)",
            ),
        ] {
            let reason = offered(path, text, said).unwrap_err();
            assert!(reason.contains(&format!("{path}:2")), "{reason}");
        }
    }
}
