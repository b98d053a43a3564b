//! `maestro.yaml` in a project's repository: what its messages would otherwise say each time. The message wins.

use std::collections::BTreeMap;

use maestro_protocol::heal::{HealRequested, Policy, ProductChanges};
use maestro_protocol::project::Runtime;
use serde::Deserialize;

/// The file's name at the project's root.
pub const NAME: &str = "maestro.yaml";
/// A larger file is none that a person wrote.
pub const LARGEST: u64 = 64 * 1024;

/// The file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProjectFile {
    /// How the tests are run.
    pub runtime: RuntimeSection,
    /// What a heal may do.
    pub healing: HealingSection,
}

/// `runtime:` of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuntimeSection {
    /// Python's version, `major.minor`; in quotes, because YAML reads 3.10 as a number.
    pub python: Option<String>,
    /// Node's major version.
    pub node: Option<String>,
    /// What is installed.
    pub install: Option<Vec<String>>,
    /// The command that runs the tests.
    pub command: Option<Vec<String>>,
    /// Environment variables of the run.
    pub variables: Option<BTreeMap<String, String>>,
}

/// `healing:` of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealingSection {
    /// Globs of paths that no patch may touch.
    pub never: Vec<String>,
    /// `refuse` or `propose`.
    pub product_changes: Option<ProductChanges>,
    /// The most runs of tests that one heal may take.
    pub max_runs: Option<u32>,
    /// The most seconds that one heal may take.
    pub time_limit_s: Option<u32>,
}

/// The file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{NAME} of the project: {0}")]
pub struct ProjectFileError(String);

impl ProjectFile {
    /// Reads the file's text; errors name line and column.
    pub fn parse(text: &str) -> Result<Self, ProjectFileError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_saphyr::from_str(text).map_err(|error| ProjectFileError(one_line(&error.to_string())))
    }

    /// The runtime in force: the message's members, then the file's.
    pub fn runtime(&self, request: &HealRequested) -> Runtime {
        let said = request.runtime.clone().unwrap_or_default();
        let file = self.runtime.clone();
        let mut variables = file.variables.unwrap_or_default();
        variables.extend(said.variables.unwrap_or_default());
        Runtime {
            python: said.python.or(file.python),
            node: said.node.or(file.node),
            install: said.install.or(file.install),
            command: said.command.or(file.command),
            variables: Some(variables),
        }
    }

    /// The policy in force: the message's members, then the file's. Paths never to touch add up: a message may
    /// not open what the repository closes.
    pub fn policy(&self, request: &HealRequested) -> Policy {
        let said = request.policy.clone().unwrap_or_default();
        let mut never = self.healing.never.clone();
        never.extend(said.never.unwrap_or_default());
        Policy {
            never: Some(never),
            product_changes: said.product_changes.or(self.healing.product_changes),
            max_runs: said.max_runs.or(self.healing.max_runs),
            time_limit_s: said.time_limit_s.or(self.healing.time_limit_s),
            index: said.index,
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> HealRequested {
        serde_json::from_value(serde_json::json!({
            "project": {"repository": "/r"}, "kind": "test_failure", "message": "m",
            "runtime": {"python": "3.12", "variables": {"A": "message"}},
            "policy": {"never": ["b/**"]}
        }))
        .unwrap()
    }

    #[test]
    fn the_message_wins_over_the_file_and_closed_paths_add_up() {
        let file = ProjectFile::parse(
            "runtime:\n  python: \"3.9\"\n  install: [pytest]\n  variables: {A: file, B: file}\nhealing:\n  never: [\"a/**\"]\n  max_runs: 7\n",
        )
        .unwrap();
        let runtime = file.runtime(&request());
        assert_eq!(runtime.python.as_deref(), Some("3.12"));
        assert_eq!(runtime.install, Some(vec!["pytest".to_owned()]));
        let variables = runtime.variables.unwrap();
        assert_eq!(
            (variables["A"].as_str(), variables["B"].as_str()),
            ("message", "file")
        );
        let policy = file.policy(&request());
        assert_eq!(
            policy.never,
            Some(vec!["a/**".to_owned(), "b/**".to_owned()])
        );
        assert_eq!(policy.max_runs, Some(7));
    }

    #[test]
    fn an_unknown_key_is_an_error_with_line_and_column() {
        let error = ProjectFile::parse("runtime:\n  pyton: \"3.9\"\n")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("pyton") && error.contains("line 2"),
            "{error}"
        );
    }
}
