//! What to run, and how its results are read.

use std::collections::BTreeMap;
use std::path::Path;

use globset::GlobBuilder;
use maestro_protocol::project::Framework;

use super::command::{of_framework, of_script, resolve, unquoted};
use super::manifest::Package;
use super::script::Simple;
use super::{EXTENSIONS, records};
use crate::adapter::has_extension;
use crate::case::Tree;
use crate::failure::Report;

/// A runner of tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Runner {
    /// `node --test`.
    NodeTest,
    /// jest.
    Jest,
    /// vitest.
    Vitest,
    /// mocha.
    Mocha,
    /// tape, whose results are TAP.
    Tape,
    /// A file that is run by itself: its exit status, or the TAP that it prints.
    Script,
}

impl Runner {
    /// The package that brings it; `None` where Node does.
    pub fn package(self) -> Option<&'static str> {
        match self {
            Self::NodeTest | Self::Script => None,
            Self::Jest => Some("jest"),
            Self::Vitest => Some("vitest"),
            Self::Mocha => Some("mocha"),
            Self::Tape => Some("tape"),
        }
    }

    /// Whether its tests can be run in an order of our own.
    pub(crate) fn arranges(self) -> bool {
        matches!(
            self,
            Self::NodeTest | Self::Jest | Self::Vitest | Self::Mocha
        )
    }

    pub(super) fn of_program(name: &str) -> Option<Self> {
        match name {
            "jest" | "jest.js" => Some(Self::Jest),
            "vitest" | "vitest.mjs" => Some(Self::Vitest),
            "mocha" | "_mocha" | "mocha.js" => Some(Self::Mocha),
            "tape" => Some(Self::Tape),
            _ => None,
        }
    }
}

/// Why a request's tests cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// There is neither a command, nor a test, nor a script `test`.
    #[error(
        "there is nothing to run: give `test.id`, `runtime.command`, or a script `test` in package.json"
    )]
    Nothing,
    /// The command is none that runs tests of Node.
    #[error(
        "`{0}` is no command that this worker can run tests by; expected `node --test`, `node FILE`, jest, vitest, mocha or tape, by npx, or by a script of package.json"
    )]
    Command(String),
}

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The runner.
    pub runner: Runner,
    /// Options of Node itself, in front of the program.
    pub node: Vec<String>,
    /// The runner's arguments.
    pub arguments: Vec<String>,
    /// Environment variables that the project asks for.
    pub variables: BTreeMap<String, String>,
    /// The test that is asked about, in the runner's notation.
    pub target: Option<String>,
}

/// Whether a message is about tests of Node: its command says so, or its test, or the project where neither does.
pub(crate) fn is_node(
    command: Option<&[String]>,
    framework: Option<Framework>,
    tree: &dyn Tree,
) -> bool {
    if let Some(program) = command.and_then(<[String]>::first) {
        let name = Path::new(program)
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        return matches!(
            name.as_str(),
            "node" | "nodejs" | "npx" | "npm" | "yarn" | "pnpm" | "cross-env" | "c8" | "nyc"
        ) || Runner::of_program(&name).is_some();
    }
    match framework {
        Some(Framework::NodeTest | Framework::Jest | Framework::Vitest) => true,
        Some(Framework::Pytest | Framework::Unittest | Framework::Cargo) => false,
        None => tree
            .paths()
            .binary_search_by(|path| path.as_str().cmp(super::manifest::NAME))
            .is_ok(),
    }
}

impl Plan {
    /// Makes the plan from what the message and the project say.
    pub(crate) fn new(
        command: Option<&[String]>,
        test: Option<(&str, Framework)>,
        variables: BTreeMap<String, String>,
        tree: &dyn Tree,
    ) -> Result<Self, PlanError> {
        let package = Package::read(tree);
        let mut target = test.map(|(id, _)| normal_id(id, tree));
        let mut plan = match (command, test) {
            (Some(command), _) if !command.is_empty() => {
                let simple = Simple {
                    variables: Vec::new(),
                    words: command.iter().map(|word| unquoted(word)).collect(),
                };
                resolve(simple, &package, 0).ok_or_else(|| PlanError::Command(command.join(" ")))?
            }
            (_, Some((_, framework))) => of_framework(framework, target.as_deref(), &package)?,
            (_, None) => of_script(&package, "test", &[], 0).ok_or(PlanError::Nothing)?,
        };
        plan.variables.extend(variables);
        if plan.runner == Runner::Jest
            && let Some((file, title)) = target.as_ref().and_then(|id| id.split_once("::"))
        {
            target = Some(format!("{file}::{}", title.replace(" > ", " ")));
        }
        plan.target = target;
        plan.expand(tree);
        if plan.runner == Runner::Script && plan.runs_node_tests(tree) {
            plan.runner = Runner::NodeTest;
        }
        Ok(plan)
    }

    /// Files named by a pattern, for the runners that leave that to a shell.
    fn expand(&mut self, tree: &dyn Tree) {
        if !matches!(self.runner, Runner::NodeTest | Runner::Script) {
            return;
        }
        let mut arguments = Vec::new();
        for argument in std::mem::take(&mut self.arguments) {
            let plain = argument.strip_prefix("./").unwrap_or(&argument);
            let matched = if argument.starts_with('-') || !plain.contains(['*', '{', '?']) {
                Vec::new()
            } else {
                GlobBuilder::new(plain)
                    .literal_separator(true)
                    .build()
                    .map(|glob| glob.compile_matcher())
                    .map(|glob| {
                        tree.paths()
                            .iter()
                            .filter(|path| glob.is_match(path))
                            .cloned()
                            .collect()
                    })
                    .unwrap_or_default()
            };
            if matched.is_empty() {
                arguments.push(argument);
            } else {
                arguments.extend(matched);
            }
        }
        self.arguments = arguments;
    }

    /// Whether all files that are run by themselves hold tests of Node's own runner.
    fn runs_node_tests(&self, tree: &dyn Tree) -> bool {
        let mut files = self.operands().into_iter().peekable();
        files.peek().is_some()
            && files.all(|path| {
                tree.read(path.strip_prefix("./").unwrap_or(path))
                    .is_some_and(|text| {
                        text.contains("'node:test'") || text.contains("\"node:test\"")
                    })
            })
    }

    /// The files that the command names.
    pub fn operands(&self) -> Vec<&str> {
        self.arguments
            .iter()
            .map(String::as_str)
            .filter(|argument| !argument.starts_with('-') && has_extension(argument, EXTENSIONS))
            .collect()
    }

    /// The words behind the program `node`. `program` is the runner's own file, where it has one.
    pub(crate) fn words(&self, program: Option<&Path>, probes: &Path) -> Vec<String> {
        let at = |name: &str| probes.join(name).display().to_string();
        let mut words = self.node.clone();
        words.extend(program.map(|program| program.display().to_string()));
        match self.runner {
            Runner::NodeTest => {
                words.push("--test".to_owned());
                words.push(format!("--test-reporter={}", at("maestro_node_test.mjs")));
                words.push("--test-reporter-destination=stdout".to_owned());
            }
            Runner::Jest => {
                words.push(format!("--reporters={}", at("maestro_jest.cjs")));
                words.push("--no-watchman".to_owned());
                words.push("--ci".to_owned());
                let says = |word: &String| {
                    ["-i", "-w", "--runInBand", "--maxWorkers"]
                        .iter()
                        .any(|option| word.starts_with(option))
                };
                if !self.arguments.iter().any(says) {
                    words.push("--runInBand".to_owned());
                }
            }
            Runner::Vitest => {
                if self.arguments.first().is_none_or(|word| word != "run") {
                    words.push("run".to_owned());
                }
            }
            Runner::Mocha => {
                words.push("--reporter".to_owned());
                words.push(at("maestro_mocha.cjs"));
            }
            Runner::Tape | Runner::Script => {}
        }
        words.extend(self.arguments.iter().cloned());
        if self.runner == Runner::Vitest {
            words.push(format!("--reporter={}", at("maestro_vitest.mjs")));
            words.push("--no-color".to_owned());
        }
        words
    }

    /// What keeps the runner from counting what is run, where the project's configuration asks for it.
    pub(crate) fn uncovered(&self) -> Option<&'static str> {
        (self.runner == Runner::Jest).then_some("--coverage=false")
    }

    /// The same for the files of these tests alone, and for one test alone where the runner can be told which.
    pub(crate) fn for_tests(&self, tests: &[String]) -> Self {
        let mut plan = self.for_files_of(tests);
        if let [test] = tests
            && let Some((_, title)) = test.split_once("::")
            && matches!(self.runner, Runner::Jest | Runner::Vitest)
        {
            let title = regex::escape(&title.replace(" > ", " "));
            plan.arguments.push(format!("--testNamePattern=^{title}$"));
        }
        plan
    }

    /// The same for the files of these tests alone; all of it where a test's file is not known.
    pub(crate) fn for_files_of(&self, tests: &[String]) -> Self {
        let mut plan = self.clone();
        let mut files: Vec<String> = tests
            .iter()
            .map(|test| test.split("::").next().unwrap_or(test))
            .filter(|file| has_extension(file, EXTENSIONS))
            .map(str::to_owned)
            .collect();
        files.sort();
        files.dedup();
        if files.is_empty() || self.runner == Runner::Script {
            return plan;
        }
        plan.arguments
            .retain(|word| word.starts_with('-') || word == "run");
        if plan.arguments.len() < self.arguments.len()
            && self.arguments.iter().any(|word| word.starts_with('-'))
        {
            // The value of an option cannot be told from a file: all is run as it was.
            plan.arguments.clone_from(&self.arguments);
        } else {
            plan.arguments.extend(files);
        }
        plan
    }

    /// The variables of the run, with the probe in them.
    pub(crate) fn variables(&self, probes: &Path, records: &Path) -> BTreeMap<String, String> {
        let mut variables = self.variables.clone();
        let probe = format!("--require={}", probes.join("maestro_node.cjs").display());
        let options = variables
            .get("NODE_OPTIONS")
            .map_or_else(|| probe.clone(), |given| format!("{probe} {given}"));
        variables.insert("NODE_OPTIONS".to_owned(), options);
        variables.insert(
            "MAESTRO_PROBE_FILE".to_owned(),
            records.display().to_string(),
        );
        if matches!(self.runner, Runner::Jest | Runner::Vitest) {
            // What both set themselves where nobody else has.
            variables
                .entry("NODE_ENV".to_owned())
                .or_insert_with(|| "test".to_owned());
            variables
                .entry("CI".to_owned())
                .or_insert_with(|| "true".to_owned());
        }
        variables
    }

    /// Reads what a run left behind. `status` is its exit status, `None` where it did not exit by itself.
    pub(crate) fn read(
        &self,
        root: &Path,
        written: &[u8],
        stdout: &[u8],
        stderr: &[u8],
        status: Option<i32>,
    ) -> Report {
        records::read(self, root, written, stdout, stderr, status)
    }
}

/// An id as the reports here have it: `file::title > title`.
fn normal_id(id: &str, tree: &dyn Tree) -> String {
    let id = id.strip_prefix("./").unwrap_or(id);
    match id.split_once(" > ") {
        Some((file, title))
            if !file.contains("::") && tree.paths().iter().any(|path| path == file) =>
        {
            format!("{file}::{title}")
        }
        _ => id.to_owned(),
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
