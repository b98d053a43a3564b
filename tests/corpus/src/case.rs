//! One case: a public package whose own tests fail, and the right verdict.

use std::collections::BTreeMap;
use std::path::Path;

use maestro_protocol::error::ErrorKind;
use maestro_protocol::finding::Finding;
use maestro_protocol::heal::{HealRequested, Strategy};
use maestro_protocol::project::{Framework, Project, Runtime, Test};
use serde::{Deserialize, Serialize};

use crate::own;
use crate::prepare::PLUGIN_PLACE;

/// A case as it stands in `cases.json`, `field.json`, `blind.json`, `blind2-*.json` and `blind3-*.json`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Case {
    /// What it is counted with.
    #[serde(skip)]
    pub(crate) set: Set,
    pub(crate) id: String,
    pub(crate) package: String,
    pub(crate) version: String,
    /// Where the package comes from.
    #[serde(default)]
    pub(crate) registry: Registry,
    /// The system's own without it.
    #[serde(default)]
    pub(crate) python: Option<String>,
    /// The system's own without it.
    #[serde(default)]
    pub(crate) node: Option<String>,
    pub(crate) install: Vec<String>,
    /// The file of the failing test without it.
    pub(crate) command: Option<Vec<String>>,
    pub(crate) variables: BTreeMap<String, String>,
    /// Planted faults; none where the package fails by itself.
    pub(crate) mutation: Vec<Mutation>,
    pub(crate) failing: Vec<String>,
    #[serde(default = "pytest")]
    pub(crate) framework: Framework,
    pub(crate) strategy: String,
    pub(crate) verdict: Expected,
    /// The project itself, where it is one of our own; else the package is fetched.
    #[serde(default)]
    pub(crate) files: BTreeMap<String, String>,
    /// Its commits, oldest first, where it comes from git; the last one leaves the files as they are above.
    #[serde(default)]
    pub(crate) history: Vec<Commit>,
    /// What a checker found, where no test fails.
    #[serde(default)]
    pub(crate) finding: Option<Found>,
}

/// One commit of a project of our own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Commit {
    /// Its message; also what evidence has to name, if it is the one.
    pub(crate) message: String,
    /// Files as it leaves them, where they differ from those of the case; of the last commit none do.
    #[serde(default)]
    pub(crate) files: BTreeMap<String, String>,
}

/// What a checker found.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Found {
    pub(crate) tool: String,
    pub(crate) rule: String,
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) message: String,
}

/// A registry of packages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Registry {
    /// Source distributions of Python.
    #[default]
    Pypi,
    /// Tarballs of npm.
    Npm,
}

fn pytest() -> Framework {
    Framework::Pytest
}

/// A text that is replaced once.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Mutation {
    pub(crate) glob: String,
    pub(crate) find: String,
    pub(crate) repl: String,
}

/// The right verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Expected {
    Heal,
    Refuse,
    Green,
    /// Nothing may be offered, whether that is called a refusal or not.
    Leave,
}

/// The sets that are counted apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Set {
    /// Packages of Python that were in view while the strategies were written.
    #[default]
    Corpus,
    /// Packages of Python that were chosen afterwards.
    Field,
    /// Packages of Python whose list and verdicts were written down before the healer saw them.
    Blind,
    /// A second list made the same way, after the engine had learned from the first.
    Blind2,
    /// The first half of a third list, whose answers are looked at one by one.
    Blind3a,
    /// Its second half, of which only the counts are looked at.
    Blind3b,
    /// Projects of our own, of Python.
    Own,
    /// Packages of npm and projects of our own, of Node.
    Node,
    /// Projects of our own, of Rust.
    Rust,
    /// What checkers find.
    Findings,
}

/// Every case of the project: those that the engine was made with, and those it had never seen.
pub(crate) fn all() -> anyhow::Result<Vec<Case>> {
    let packages = [
        (Set::Corpus, include_str!("../cases.json")),
        (Set::Field, include_str!("../field.json")),
        (Set::Blind, include_str!("../blind.json")),
        (Set::Blind2, include_str!("../blind2-data.json")),
        (Set::Blind2, include_str!("../blind2-small.json")),
        (Set::Blind3a, include_str!("../blind3-a.json")),
        (Set::Blind3b, include_str!("../blind3-b.json")),
        (Set::Node, include_str!("../node.json")),
    ];
    let mut cases = Vec::new();
    for (set, text) in packages {
        let some: Vec<Case> = serde_json::from_str(text)?;
        cases.extend(some.into_iter().map(|case| Case { set, ..case }));
    }
    cases.extend(own::all()?);
    Ok(cases)
}

impl Case {
    /// Whether the strategy that fits is one that this version has.
    pub(crate) fn is_in_reach(&self) -> bool {
        let strategy = serde_json::from_value::<Strategy>(self.strategy.clone().into()).ok();
        let have = [
            Strategy::SyntaxRepair,
            Strategy::DependencyFix,
            Strategy::ApiContractAdaptation,
            Strategy::FlakyTestStabilization,
            Strategy::EnvironmentHealing,
            Strategy::TimingAdjustment,
            Strategy::AssertionUpdate,
        ];
        self.verdict != Expected::Heal || strategy.is_some_and(|strategy| have.contains(&strategy))
    }

    /// Whether its command loads a plugin of pytest by this name.
    pub(crate) fn asks_for(&self, plugin: &str) -> bool {
        self.command
            .iter()
            .flatten()
            .any(|argument| argument == plugin)
    }

    /// The variables of its runs; `{corpus}` stands for where plugins are put.
    fn variables(&self) -> BTreeMap<String, String> {
        let place = |value: &String| value.replace("{corpus}", PLUGIN_PLACE);
        self.variables
            .iter()
            .map(|(name, value)| (name.clone(), place(value)))
            .collect()
    }

    /// Whether it passes now and then as it is.
    pub(crate) fn is_flaky(&self) -> bool {
        self.strategy == "flaky_test_stabilization"
    }

    /// The message that asks for the heal of the case at `root`; with `named`, of its first failing test.
    pub(crate) fn request(&self, root: &Path, named: bool) -> HealRequested {
        let test = self.failing.first().filter(|id| named && !id.is_empty());
        let finding = self.finding.as_ref();
        HealRequested {
            project: Project {
                repository: root.display().to_string(),
                // A path without one is taken as it lies there, which has no history.
                revision: (!self.history.is_empty()).then(|| "main".to_owned()),
                directory: None,
            },
            kind: match finding.map(|found| found.tool.as_str()) {
                None => ErrorKind::TestFailure,
                Some("mypy" | "tsc") => ErrorKind::TypeError,
                Some(_) => ErrorKind::LintError,
            },
            message: finding.map_or_else(
                || "the tests of the package fail".to_owned(),
                |found| found.message.clone(),
            ),
            severity: None,
            stack_trace: None,
            file: finding.map(|found| found.file.clone()),
            line: finding.map(|found| found.line),
            finding: finding.map(|found| Finding {
                tool: found.tool.clone(),
                tool_version: None,
                rule: Some(found.rule.clone()),
                level: None,
                column: None,
                symbol: None,
            }),
            test: test.map(|id| Test {
                id: id.clone(),
                framework: self.framework,
                duration_ms: None,
            }),
            runtime: Some(Runtime {
                python: self.python.clone(),
                node: self.node.clone(),
                install: Some(self.install.clone()),
                command: self.command.clone(),
                variables: Some(self.variables()),
            }),
            environment: None,
            policy: None,
            fingerprint: None,
        }
    }
}
