//! How the tests of one request are run: by which language's runners, and what of that the engine has to know before.

use std::collections::BTreeMap;

use maestro_protocol::project::{Framework, Runtime};

use crate::adapter::{Adapter, Python};
use crate::case::Tree;
use crate::judge::Target;
use crate::node::{self, Node};
use crate::runner;
use crate::rust::{self, Rust};

/// What to run.
#[derive(Debug, Clone)]
pub(crate) enum Runs {
    /// Tests of Python.
    Python(runner::Plan),
    /// Tests of Node.
    Node(node::Plan),
    /// Tests of Rust.
    Rust(rust::Plan),
}

impl Runs {
    /// Makes the plan from what the message and the project say; or the reason why not, one sentence.
    pub(crate) fn new(
        runtime: &Runtime,
        test: Option<(&str, Framework)>,
        tree: &dyn Tree,
    ) -> Result<Self, String> {
        let command = runtime.command.as_deref();
        let variables: BTreeMap<String, String> = runtime.variables.clone().unwrap_or_default();
        if rust::is_rust(command, test.map(|(_, framework)| framework), tree) {
            rust::Plan::new(command, test.map(|(id, _)| id), variables)
                .map(Self::Rust)
                .map_err(|error| error.to_string())
        } else if node::is_node(command, test.map(|(_, framework)| framework), tree) {
            node::Plan::new(command, test, variables, tree)
                .map(Self::Node)
                .map_err(|error| error.to_string())
        } else {
            runner::Plan::new(command, test, variables)
                .map(Self::Python)
                .map_err(|error| error.to_string())
        }
    }

    /// The language.
    pub(crate) fn adapter(&self) -> &'static dyn Adapter {
        match self {
            Self::Python(_) => &Python,
            Self::Node(_) => &Node,
            Self::Rust(_) => &Rust,
        }
    }

    /// What must pass, by the id that reports of this language have.
    pub(crate) fn target(&self, test: Option<&str>) -> Target {
        let id = match self {
            Self::Python(_) => test.map(str::to_owned),
            Self::Node(plan) => plan.target.clone(),
            Self::Rust(plan) => plan.target.clone(),
        };
        id.map_or(Target::Command, Target::Test)
    }

    /// The files and directories that the command names as tests.
    pub(crate) fn operands(&self) -> Vec<&str> {
        match self {
            Self::Python(plan) => plan.operands(),
            Self::Node(plan) => plan.operands(),
            // A command of cargo names packages and tests, no files.
            Self::Rust(_) => Vec::new(),
        }
    }
}
