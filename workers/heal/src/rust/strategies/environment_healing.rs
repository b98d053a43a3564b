//! What the environment of a run lacks: variables that the project itself sets elsewhere, and a directory that a test writes
//! to and names.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use maestro_protocol::heal::{RuntimeChanges, Strategy};
use regex::Regex;

use super::is_steady;
use crate::case::{Candidate, Case, Edit, Finding, Repair};
use crate::failure::{Failure, Phase};
use crate::rust::classify::in_test;
use crate::rust::reach::{is_test_file, sources};
use crate::rust::subject::{Subject, subject};
use crate::strategies::environment_healing::stated;
use crate::strategies::rank;

/// See the module.
pub(super) struct EnvironmentHealing;

impl Repair for EnvironmentHealing {
    fn strategy(&self) -> Strategy {
        Strategy::EnvironmentHealing
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        let Some(failure) = case.failures.first().filter(|_| is_steady(case)) else {
            return Vec::new();
        };
        let about = subject(failure);
        if failure.phase <= Phase::Collection && !matches!(about, Subject::VariableMissing(_)) {
            return Vec::new();
        }
        let mut found: Vec<Finding> = Vec::new();
        let declared = declared(case, &about);
        let lacks = declared
            .is_none()
            .then(|| lacking(case, failure, &about))
            .flatten();
        found.extend(declared.map(Finding::Try));
        found.extend(lacks);
        found.extend(directory(case, failure).map(Finding::Try));
        found
    }
}

/// The variables that a text of Rust reads.
fn read_by(text: &str) -> Vec<String> {
    static READS: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"(?:\bvar|\bvar_os|env!|option_env!)\s*\(\s*"([A-Za-z_][A-Za-z0-9_]*)""#).ok()
    });
    READS
        .iter()
        .flat_map(|reads| reads.captures_iter(text))
        .map(|found| found[1].to_owned())
        .collect()
}

/// Variables that the project's code reads and that the project sets for its tests; the time zone everything reads. What
/// a document only names counts for what the tests themselves read: a default that the product lost is no lack.
fn declared(case: &Case<'_>, about: &Subject) -> Option<Candidate> {
    let of = |tests_alone: bool| -> Vec<String> {
        sources(case.tree)
            .filter(|path| !tests_alone || is_test_file(path))
            .filter_map(|path| case.tree.read(path))
            .flat_map(|text| read_by(&text))
            .collect()
    };
    let (mut read, read_by_tests) = (of(false), of(true));
    read.extend(["TZ", "LANG", "LC_ALL"].map(str::to_owned));
    if let Subject::VariableMissing(Some(name)) = about {
        read.push(name.clone());
    }
    let mut known: BTreeMap<String, (String, String)> = BTreeMap::new();
    for stated in stated(case.tree) {
        let is_read = if stated.by_runner {
            read.contains(&stated.name)
        } else {
            read_by_tests.contains(&stated.name)
        };
        if is_read && !stated.name.starts_with("CARGO") && !stated.name.starts_with("RUST") {
            known
                .entry(stated.name)
                .or_insert((stated.value, stated.path));
        }
    }
    if known.is_empty() {
        return None;
    }
    let said: Vec<String> = known
        .iter()
        .map(|(name, (value, from))| format!("{name}={value} (from {from})"))
        .collect();
    Some(Candidate {
        strategy: Strategy::EnvironmentHealing,
        description: format!(
            "sets what the project sets for its tests: {}",
            said.join(", ")
        ),
        edits: Vec::new(),
        runtime: RuntimeChanges {
            variables: known
                .into_iter()
                .map(|(name, (value, _))| (name, value))
                .collect(),
            ..RuntimeChanges::default()
        },
        rank: rank::DECLARED_VARIABLE,
    })
}

/// A variable that a test reads and nothing in the project sets: its value cannot be known.
fn lacking(case: &Case<'_>, failure: &Failure, about: &Subject) -> Option<Finding> {
    let Subject::VariableMissing(name) = about else {
        return None;
    };
    let frame = failure.innermost_own()?;
    if !in_test(case, failure, frame) {
        return None;
    }
    let text = case.tree.read(&frame.path)?;
    let line = text.lines().nth((frame.line as usize).checked_sub(1)?)?;
    let name = name.clone().or_else(|| read_by(line).into_iter().next())?;
    Some(Finding::Lacking(format!(
        "the test reads the environment variable `{name}`, which is not set, and nothing in the project says its value"
    )))
}

/// A directory that a test writes to, names itself, and that no checkout has.
fn directory(case: &Case<'_>, failure: &Failure) -> Option<Candidate> {
    static WRITES: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"(?:\bwrite|File::create|File::create_new|\bcopy)\s*\([^"\n]*"([^"{}\n]+)""#)
            .ok()
    });
    if !failure.message.contains("kind: NotFound") {
        return None;
    }
    let frame = failure.innermost_own()?;
    if !in_test(case, failure, frame) {
        return None;
    }
    let text = case.tree.read(&frame.path)?;
    let at: usize = text
        .split_inclusive('\n')
        .take((frame.line as usize).checked_sub(1)?)
        .map(str::len)
        .sum();
    let line = text.get(at..)?.lines().next()?;
    let file = WRITES.as_ref()?.captures(line)?.get(1)?.as_str();
    let file = file.strip_prefix("./").unwrap_or(file);
    let (directory, _) = file.rsplit_once('/')?;
    if directory.is_empty() || file.split('/').any(|part| part == "..") {
        return None;
    }
    // Tests run in the directory of their package.
    let inside = format!("{directory}/");
    if case
        .tree
        .paths()
        .iter()
        .any(|path| path.starts_with(&inside) || path.contains(&format!("/{inside}")))
    {
        return None;
    }
    let indent: String = line.chars().take_while(|c| c.is_whitespace()).collect();
    let mut changed = text.clone();
    changed.insert_str(
        at,
        &format!("{indent}std::fs::create_dir_all(\"{directory}\").unwrap();\n"),
    );
    Some(Candidate {
        strategy: Strategy::EnvironmentHealing,
        description: format!(
            "{} makes the directory {directory} that it writes to",
            frame.path
        ),
        edits: vec![Edit {
            path: frame.path.clone(),
            text: changed,
        }],
        runtime: RuntimeChanges::default(),
        rank: rank::FIXTURE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Installed;
    use crate::failure::Frame;
    use crate::strategies::fake::{Files, Index, case};

    fn found(failure: Failure, files: &[(&str, &str)]) -> Vec<Finding> {
        let (tree, installed, index) = (Files::new(files), Installed::default(), Index::default());
        EnvironmentHealing.examine(&case(&[failure], &tree, &installed, &index))
    }

    fn panicked(path: &str, line: u32, message: &str) -> Failure {
        Failure {
            test: Some("tests/a.rs::t".to_owned()),
            exception: Some("panic".to_owned()),
            message: message.to_owned(),
            frames: vec![Frame {
                path: path.to_owned(),
                line,
                function: String::new(),
            }],
            ..Failure::default()
        }
    }

    const READS: &str =
        "#[test]\nfn t() {\n    let url = std::env::var(\"SHOP_URL\").unwrap();\n}\n";
    const NOT_SET: &str = "called `Result::unwrap()` on an `Err` value: NotPresent";

    #[test]
    fn a_variable_that_the_project_sets_for_its_tests_and_the_code_reads_is_set() {
        let findings = found(
            panicked("tests/a.rs", 3, NOT_SET),
            &[
                ("tests/a.rs", READS),
                (".env.test", "SHOP_URL=http://localhost\nUNREAD=1\n"),
            ],
        );
        let Finding::Try(candidate) = &findings[0] else {
            panic!("{findings:?}");
        };
        assert_eq!(candidate.runtime.variables["SHOP_URL"], "http://localhost");
        assert_eq!(candidate.runtime.variables.len(), 1);
    }

    #[test]
    fn a_variable_that_nobody_sets_is_lacking() {
        let findings = found(panicked("tests/a.rs", 3, NOT_SET), &[("tests/a.rs", READS)]);
        assert!(matches!(&findings[0], Finding::Lacking(said) if said.contains("`SHOP_URL`")));
    }

    #[test]
    fn a_directory_is_made_only_where_the_test_itself_names_it() {
        let writes =
            "#[test]\nfn t() {\n    std::fs::write(\"tests/out/a.txt\", \"x\").unwrap();\n}\n";
        let message = "called `Result::unwrap()` on an `Err` value: Os { code: 2, kind: NotFound, message: \"No such file or directory\" }";
        let findings = found(
            panicked("tests/a.rs", 3, message),
            &[("tests/a.rs", writes)],
        );
        let Finding::Try(candidate) = &findings[0] else {
            panic!("{findings:?}");
        };
        assert!(
            candidate.edits[0].text.contains(
                "    std::fs::create_dir_all(\"tests/out\").unwrap();\n    std::fs::write("
            )
        );
        let product = panicked("src/lib.rs", 3, message);
        assert!(found(product, &[("src/lib.rs", writes)]).len() <= 1);
    }
}
