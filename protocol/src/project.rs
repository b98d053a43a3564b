//! What a message is about: the project, the test in it, and how the test is run.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the code is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Project {
    /// A git or file URL, or a path that the worker can read.
    pub repository: String,
    /// A commit or a branch; the repository's default branch, or the tree as it is, without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// A directory below the repository's root in which everything runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    pub id: String,
    /// The runner.
    pub framework: Framework,
    /// How long the failing run took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
}

/// How the project's tests are run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Runtime {
    /// Python's version, `major.minor`, for example `3.11`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub python: Option<String>,
    /// Node's major version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What is installed into the isolated environment, in the package manager's own notation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install: Option<Vec<String>>,
    /// The command that runs the tests, one element an argument. No shell sees it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Environment variables of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variables: Option<BTreeMap<String, String>>,
}
