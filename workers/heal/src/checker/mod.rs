//! Findings of checkers: what ruff and eslint mind, and the type errors of mypy and tsc.
//!
//! To the engine a finding is a test of its own that fails while the checker still reports it: [`Check`] is what to run,
//! [`CheckBench`] runs the project's own version of the checker under the project's own configuration, and the project's tests
//! beside it. What the checker itself offers as a fix comes with the failure, as a [`Complaint`]; [`repairs`] make
//! candidates of it. Nothing here switches a rule off: neither a comment nor a configuration may, see [`never`].

mod bench;
mod beside;
mod complaint;
mod diagnose;
mod identity;
mod node;
mod python;
mod repairs;
mod tool;
mod typed;
mod version;

use std::collections::BTreeSet;

use maestro_protocol::heal::HealRequested;
use maestro_protocol::project::Runtime;

use crate::adapter::{self, Adapter};
use crate::case::{Case, Tree};
use crate::classify::Diagnosis;
use crate::judge::Target;
use crate::roles::Role;
use crate::search::Repairs;
use crate::teeth::Defect;

pub(crate) use bench::CheckBench;
pub use complaint::{Complaint, Offer};
pub(crate) use tool::Tool;

/// What runs in the processes of a checker, by file name.
pub const PROBES: [(&str, &str); 1] = [(
    "maestro_eslint.cjs",
    include_str!("probes/maestro_eslint.cjs"),
)];

/// A finding that is to be healed.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) tool: Tool,
    /// As the message has it: what to look for in what the checker says here.
    pub(crate) rule: String,
    pub(crate) message: String,
    pub(crate) file: String,
    pub(crate) line: Option<u32>,
    /// The checker's version, where the report told it.
    pub(crate) version: Option<String>,
    /// The words behind the checker's name, where the request's command is one of the checker.
    pub(crate) words: Option<Vec<String>>,
}

impl Check {
    /// The finding of a request; `None` where there is none, or of a checker that is not known here. Errors are one sentence
    /// for the producer.
    pub(crate) fn of(request: &HealRequested, runtime: &Runtime) -> Option<Result<Self, String>> {
        let finding = request.finding.as_ref()?;
        let tool = Tool::named(&finding.tool)?;
        Some(Self::new(request, runtime, tool))
    }

    fn new(request: &HealRequested, runtime: &Runtime, tool: Tool) -> Result<Self, String> {
        let finding = request
            .finding
            .as_ref()
            .ok_or("`finding`: expected an object, but found none")?;
        let rule = finding
            .rule
            .clone()
            .ok_or("`finding.rule`: expected the rule that is broken, but found none")?;
        if !tool.is_rule(&rule) {
            return Err(format!(
                "`finding.rule`: expected a rule of {}, but found `{}`",
                tool.name(),
                rule.escape_debug()
            ));
        }
        let file = request
            .file
            .as_deref()
            .ok_or("`file`: expected the file of the finding, but found none")?;
        let file = file.strip_prefix("./").unwrap_or(file);
        if file.starts_with(['/', '-']) || file.split('/').any(|part| part == "..") {
            return Err(format!(
                "`file`: expected a path below the project, but found `{}`",
                file.escape_debug()
            ));
        }
        Ok(Self {
            tool,
            rule,
            message: request.message.clone(),
            file: file.to_owned(),
            line: request.line,
            version: finding.tool_version.clone(),
            words: runtime
                .command
                .as_deref()
                .and_then(|command| tool.words_of(command)),
        })
    }

    /// The name by which the finding goes as a test.
    pub(crate) fn id(&self) -> String {
        format!("{}::{} {}", self.file, self.tool.name(), self.rule)
    }

    pub(crate) fn target(&self) -> Target {
        Target::Test(self.id())
    }
}

/// What no repair of a finding may touch: where checkers are configured, and where it is said what they may overlook.
pub(crate) fn never() -> impl Iterator<Item = String> {
    const CONFIGURATION: [&str; 17] = [
        "pyproject.toml",
        "ruff.toml",
        ".ruff.toml",
        "mypy.ini",
        ".mypy.ini",
        "setup.cfg",
        "tox.ini",
        ".flake8",
        ".pre-commit-config.yaml",
        "package.json",
        ".eslintrc*",
        ".eslintignore",
        "eslint.config.*",
        "tsconfig*.json",
        "jsconfig*.json",
        ".editorconfig",
        "biome.json",
    ];
    CONFIGURATION.into_iter().map(|name| format!("**/{name}"))
}

/// How checkers are told to overlook something in the file itself.
const OVERLOOKING: [&str; 11] = [
    "noqa",
    "type: ignore",
    "ruff: ignore",
    "ruff: disable",
    "pylint: disable",
    "pyright: ignore",
    "mypy: ",
    "eslint-disable",
    "@ts-ignore",
    "@ts-expect-error",
    "@ts-nocheck",
];

/// A comment that silences a checker, of which the second text has more than the first.
pub(crate) fn silences(before: &str, after: &str) -> Option<&'static str> {
    adapter::gained(&OVERLOOKING, before, after)
}

/// The files, checks and defects are those of the languages; what a failure is and how it is repaired is the checkers' own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Checkers;

impl Adapter for Checkers {
    fn is_source(&self, path: &str) -> bool {
        adapter::of_file(path).is_some()
    }

    fn role(&self, directory: &str, name: &str) -> Option<Role> {
        adapter::all()
            .into_iter()
            .find_map(|adapter| adapter.role(directory, name))
    }

    fn assertions(&self, path: &str, text: &str) -> u32 {
        adapter::of_file(path).map_or(0, |adapter| adapter.assertions(path, text))
    }

    fn hides(&self, path: &str, before: &str, after: &str) -> Option<String> {
        adapter::of_file(path)?.hides(path, before, after)
    }

    fn diagnose(&self, case: &Case<'_>) -> Option<Diagnosis> {
        diagnose::diagnose(case)
    }

    fn repairs(&self) -> Repairs {
        repairs::all()
    }

    fn plant(&self, _path: &str, _text: &str, _lines: &BTreeSet<u32>) -> Vec<Defect> {
        Vec::new()
    }
}

/// Whether a file is there.
pub(crate) fn has(tree: &dyn Tree, path: &str) -> bool {
    tree.paths()
        .binary_search_by(|known| known.as_str().cmp(path))
        .is_ok()
}
