//! What to run, and how its results are read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use globset::GlobBuilder;
use maestro_protocol::project::Framework;

use super::manifest::Package;
use super::script::{self, Simple};
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

    fn of_program(name: &str) -> Option<Self> {
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

fn plan(runner: Runner, arguments: Vec<String>) -> Plan {
    Plan {
        runner,
        node: Vec::new(),
        arguments,
        variables: BTreeMap::new(),
        target: None,
    }
}

/// Without a command the whole file of the test is run, so that the test has neighbours; without a file, all.
fn of_framework(
    framework: Framework,
    target: Option<&str>,
    package: &Package,
) -> Result<Plan, PlanError> {
    let file = target
        .map(|id| id.split("::").next().unwrap_or(id))
        .filter(|file| has_extension(file, EXTENSIONS))
        .map(str::to_owned);
    let runner = match framework {
        Framework::NodeTest => Runner::NodeTest,
        Framework::Jest => Runner::Jest,
        Framework::Vitest => Runner::Vitest,
        Framework::Pytest | Framework::Unittest | Framework::Cargo => {
            return of_script(package, "test", &[], 0).ok_or(PlanError::Nothing);
        }
    };
    // What the project's own command sets and loads is needed for a part of the tests as well.
    let own = of_script(package, "test", &[], 0).filter(|own| own.runner == runner);
    let Some(mut own) = own else {
        return Ok(plan(runner, file.into_iter().collect()));
    };
    if let Some(file) = file {
        let operands: BTreeSet<String> = own.operands().into_iter().map(str::to_owned).collect();
        own.arguments
            .retain(|word| !operands.contains(word) && !word.contains(['*', '?']));
        own.arguments.push(file);
    }
    Ok(own)
}

/// The first command of a script that runs tests.
fn of_script(package: &Package, name: &str, more: &[String], depth: u8) -> Option<Plan> {
    let script = package.scripts.get(name)?;
    script::commands(script).into_iter().find_map(|mut simple| {
        simple.words.extend_from_slice(more);
        resolve(simple, package, depth + 1)
    })
}

/// What a simple command runs, through the programs that only start others.
fn resolve(simple: Simple, package: &Package, depth: u8) -> Option<Plan> {
    if depth > 5 {
        return None;
    }
    let Simple { variables, words } = simple;
    let (program, rest) = words.split_first()?;
    let name = Path::new(program).file_name()?.to_str()?;
    let deeper = |words: &[String]| {
        resolve(
            Simple {
                variables: Vec::new(),
                words: words.to_vec(),
            },
            package,
            depth + 1,
        )
    };
    let past_options = |words: &[String]| -> Vec<String> {
        words
            .iter()
            .skip_while(|word| word.starts_with('-'))
            .cloned()
            .collect()
    };
    let mut found = match name {
        "npm" | "yarn" | "pnpm" => of_manager(name, rest, package, depth)?,
        "npx" | "c8" | "nyc" => deeper(&past_options(rest))?,
        "cross-env" | "env" | "cross-env-shell" => {
            let simple = script::commands(&quoted(rest)).into_iter().next()?;
            resolve(simple, package, depth + 1)?
        }
        "node" | "nodejs" => of_node(rest)?,
        other => plan(Runner::of_program(other)?, without_reporters(rest)),
    };
    for (name, value) in variables {
        found.variables.entry(name).or_insert(value);
    }
    Some(found)
}

fn of_manager(name: &str, rest: &[String], package: &Package, depth: u8) -> Option<Plan> {
    let words: Vec<String> = rest
        .iter()
        .skip_while(|word| word.starts_with('-'))
        .cloned()
        .collect();
    let (verb, rest) = words.split_first()?;
    let more: Vec<String> = match rest.iter().position(|word| word == "--") {
        Some(at) => rest[at + 1..].to_vec(),
        None if name == "npm" => Vec::new(),
        None => rest.to_vec(),
    };
    match verb.as_str() {
        "test" | "t" | "tst" => of_script(package, "test", &more, depth),
        "run" | "run-script" | "rum" => {
            let (script, rest) = rest.split_first()?;
            let more = match rest.first().map(String::as_str) {
                Some("--") => rest[1..].to_vec(),
                _ if name == "npm" => Vec::new(),
                _ => rest.to_vec(),
            };
            of_script(package, script, &more, depth)
        }
        "exec" | "x" | "dlx" => {
            let words = rest
                .iter()
                .skip_while(|word| word.starts_with('-'))
                .cloned()
                .collect();
            let simple = Simple {
                variables: Vec::new(),
                words,
            };
            resolve(simple, package, depth + 1)
        }
        // yarn and pnpm run a script or a program by its name alone.
        _ if name != "npm" => of_script(package, verb, rest, depth).or_else(|| {
            let simple = Simple {
                variables: Vec::new(),
                words: words.clone(),
            };
            resolve(simple, package, depth + 1)
        }),
        _ => None,
    }
}

/// Options of Node that take the next word.
const WITH_VALUE: [&str; 9] = [
    "-r",
    "--require",
    "--import",
    "--loader",
    "--experimental-loader",
    "--test-reporter",
    "--test-reporter-destination",
    "-C",
    "--env-file",
];

fn of_node(words: &[String]) -> Option<Plan> {
    let mut node = Vec::new();
    let mut test = false;
    let mut at = 0;
    while let Some(word) = words.get(at).filter(|word| word.starts_with('-')) {
        at += 1;
        if word == "--test" {
            test = true;
            continue;
        }
        let reports = word.starts_with("--test-reporter");
        if !reports {
            node.push(word.clone());
        }
        if WITH_VALUE.contains(&word.as_str()) {
            if !reports {
                node.extend(words.get(at).cloned());
            }
            at += 1;
        }
    }
    let rest = &words[at..];
    let program = rest.first().and_then(|word| {
        Runner::of_program(Path::new(word).file_name()?.to_str()?)
            .filter(|_| word.contains("node_modules") || !word.contains('/'))
    });
    let mut found = match program {
        Some(runner) if !test => plan(runner, without_reporters(&rest[1..])),
        _ if test => plan(Runner::NodeTest, without_reporters(rest)),
        _ if rest.is_empty() => return None,
        _ => plan(Runner::Script, rest.to_vec()),
    };
    found.node = node;
    Some(found)
}

/// Without what decides how results are printed, and without what asks a person.
fn without_reporters(words: &[String]) -> Vec<String> {
    const VALUED: [&str; 5] = [
        "--reporter",
        "--reporters",
        "-R",
        "--outputFile",
        "--test-reporter",
    ];
    const PLAIN: [&str; 8] = [
        "--watch",
        "--watchAll",
        "--verbose",
        "--json",
        "--coverage",
        "--silent",
        "--bail",
        "-b",
    ];
    let mut kept = Vec::new();
    let mut skip = false;
    for word in words {
        if std::mem::take(&mut skip) {
            continue;
        }
        let name = word.split('=').next().unwrap_or(word);
        if VALUED.contains(&name) || name.starts_with("--test-reporter") {
            skip = !word.contains('=');
        } else if !PLAIN.contains(&name) && !name.starts_with("--coverage") {
            kept.push(word.clone());
        }
    }
    kept
}

/// A word without the quotes that a shell would have taken: a producer may have split a line at its spaces.
fn unquoted(word: &str) -> String {
    ['\'', '"']
        .into_iter()
        .find_map(|quote| word.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(word)
        .to_owned()
}

/// The words as a script that has these words.
fn quoted(words: &[String]) -> String {
    words
        .iter()
        .map(|word| format!("'{}'", word.replace('\'', "'\\''")))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
