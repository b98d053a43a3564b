//! What a message is about: the project, the test in it, and how the test is run.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::constraint::{command, each, given, name, path_below, variables, version};
use crate::violation::{Violation, Within};

/// Where the code is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Project {
    /// A git or file URL, or a path that the worker can read.
    #[schemars(
        length(min = 1, max = 4096),
        regex(pattern = r"^[^-\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$")
    )]
    pub repository: String,
    /// A commit or a branch; the repository's default branch, or the tree as it is, without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 4096),
        regex(pattern = r"^[^-\s\x00-\x1f\x7f][^\s\x00-\x1f\x7f]*$")
    )]
    pub revision: Option<String>,
    /// A directory below the repository's root in which everything runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 4096),
        regex(pattern = r"^(?![/\\])(?!(.*[/\\])?\.\.([/\\]|$))")
    )]
    pub directory: Option<String>,
}

/// The program that runs a test and names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Framework {
    /// pytest; ids are node ids.
    Pytest,
    /// Python's `unittest`; ids are dotted names.
    Unittest,
    /// Node's own test runner.
    NodeTest,
    /// jest.
    Jest,
    /// vitest.
    Vitest,
    /// `cargo test` or nextest.
    Cargo,
}

/// One test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Test {
    /// The runner's own name of the test, for example `tests/test_x.py::test_y`.
    #[schemars(length(min = 1, max = 4096))]
    pub id: String,
    /// The runner.
    pub framework: Framework,
    /// How long the failing run took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub duration_ms: Option<f64>,
}

/// How the project's tests are run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Runtime {
    /// Python's version, `major.minor`, for example `3.11`; a patch version may follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,4}\.[0-9]{1,4}(\.[0-9]{1,4})?$"))]
    pub python: Option<String>,
    /// Node's version, for example `20`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]{1,4}(\.[0-9]{1,4}){0,2}$"))]
    pub node: Option<String>,
    /// What is installed into the isolated environment, in the package manager's own notation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024), inner(length(min = 1, max = 4096)))]
    pub install: Option<Vec<String>>,
    /// The command that runs the tests, one element an argument. No shell sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub command: Option<Vec<String>>,
    /// Environment variables of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variables: Option<BTreeMap<String, String>>,
}

/// What the worker and git would take for an option, or could not take at all.
fn reference(text: &str, expected: &str, spaces: bool) -> Result<(), Violation> {
    name(text)?;
    let starts_well = !text.starts_with(|first: char| first == '-' || first.is_whitespace());
    let plain = !text.contains(|c: char| c.is_ascii_control() || (!spaces && c.is_whitespace()));
    if starts_well && plain {
        Ok(())
    } else {
        Err(Violation::of_text(expected, text))
    }
}

impl Project {
    /// What a project must satisfy beyond its type.
    pub fn check(&self) -> Result<(), Violation> {
        let expected = "a git or file URL or a path, which does not start with `-` and has no control characters";
        reference(&self.repository, expected, true).member("repository")?;
        given(self.revision.as_deref(), |revision| {
            let expected = "a commit or a branch, which does not start with `-` and has no spaces";
            reference(revision, expected, false)
        })
        .member("revision")?;
        given(self.directory.as_deref(), path_below).member("directory")
    }
}

impl Test {
    /// What a test must satisfy beyond its type.
    pub fn check(&self) -> Result<(), Violation> {
        name(&self.id).member("id")?;
        given(self.duration_ms.as_ref(), |&duration| {
            if duration >= 0.0 && duration.is_finite() {
                Ok(())
            } else {
                Err(Violation::new("a number of at least 0", duration))
            }
        })
        .member("duration_ms")
    }
}

pub(crate) fn python_version(text: &str) -> Result<(), Violation> {
    version(text, 2..=3, "a version of Python such as `3.11`")
}

impl Runtime {
    /// What a runtime must satisfy beyond its type.
    pub fn check(&self) -> Result<(), Violation> {
        given(self.python.as_deref(), python_version).member("python")?;
        given(self.node.as_deref(), |node| {
            version(node, 1..=3, "a version of Node such as `20`")
        })
        .member("node")?;
        given(self.install.as_deref(), |all| each(all, |each| name(each))).member("install")?;
        given(self.command.as_deref(), command).member("command")?;
        given(self.variables.as_ref(), variables).member("variables")
    }
}
