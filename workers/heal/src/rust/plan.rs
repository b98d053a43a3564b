//! What to run: `cargo test`, or nextest, whose tests are the same programs.

use std::collections::BTreeMap;
use std::path::Path;

use maestro_protocol::project::Framework;

use crate::case::Tree;

/// Why a request's tests cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The command is none that runs tests of Rust.
    #[error(
        "`{0}` is no command that this worker can run tests by; expected `cargo test …` or `cargo nextest run …`"
    )]
    Command(String),
    /// An option that decides where or what is built, or what is printed.
    #[error(
        "`{0}` cannot be among the options of cargo here: this worker says itself where and what is built and how it is told"
    )]
    Option(String),
    /// A test that is an example in a comment.
    #[error("`{0}` is a documentation test; those are not run here")]
    Documentation(String),
}

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Options of `cargo test`.
    pub options: Vec<String>,
    /// What the test programs get: names that pick tests, and their own options.
    pub arguments: Vec<String>,
    /// Whether each test has a process of its own, as nextest has it.
    pub apart: bool,
    /// The toolchain that the command names: `nightly` of `cargo +nightly test`.
    pub channel: Option<String>,
    /// Environment variables that the project asks for.
    pub variables: BTreeMap<String, String>,
    /// The test that is asked about, as the message names it.
    pub target: Option<String>,
}

/// Options that this worker decides.
const DECIDED: &[&str] = &[
    "--doc",
    "--no-run",
    "--target",
    "--target-dir",
    "--message-format",
    "--config",
    "--lockfile-path",
    "--artifact-dir",
    "--manifest-path",
    "-C",
    "-Z",
];

/// Options of cargo that say which programs are built.
const CHOOSING: &[&str] = &[
    "--lib",
    "--bins",
    "--bin",
    "--test",
    "--tests",
    "--example",
    "--examples",
    "--bench",
    "--benches",
    "--all-targets",
];

/// Options of cargo with a value in a word of its own.
const VALUED: &[&str] = &[
    "-p",
    "--package",
    "--exclude",
    "--bin",
    "--test",
    "--example",
    "--bench",
    "-F",
    "--features",
    "--profile",
    "-j",
    "--jobs",
    "--color",
];

/// Options of nextest that are cargo's as well.
const SHARED: &[&str] = &[
    "--workspace",
    "--all",
    "--all-features",
    "--no-default-features",
    "-r",
    "--release",
];

/// Whether a message is about tests of Rust: its command says so, or its test, or the project where neither does.
pub(crate) fn is_rust(
    command: Option<&[String]>,
    framework: Option<Framework>,
    tree: &dyn Tree,
) -> bool {
    if let Some(program) = command.and_then(<[String]>::first) {
        return matches!(program_name(program), "cargo" | "cargo-nextest");
    }
    let has = |name: &str| {
        tree.paths()
            .binary_search_by(|path| path.as_str().cmp(name))
            .is_ok()
    };
    match framework {
        Some(framework) => framework == Framework::Cargo,
        // What has manifests of several languages says by its command which one is meant.
        None => has("Cargo.toml") && !has("package.json") && !has("pyproject.toml"),
    }
}

fn program_name(program: &str) -> &str {
    Path::new(program)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or(program)
}

impl Plan {
    /// Makes the plan from what the message and the project say.
    pub(crate) fn new(
        command: Option<&[String]>,
        test: Option<&str>,
        variables: BTreeMap<String, String>,
    ) -> Result<Self, PlanError> {
        let mut plan = Self {
            options: Vec::new(),
            arguments: Vec::new(),
            apart: false,
            channel: None,
            variables,
            target: test.map(|id| id.strip_prefix("./").unwrap_or(id).to_owned()),
        };
        if let Some(id) = &plan.target
            && id.contains(" - ")
            && id.contains("(line ")
        {
            return Err(PlanError::Documentation(id.clone()));
        }
        if let Some(command) = command.filter(|command| !command.is_empty()) {
            plan.take(command)?;
        }
        if !plan
            .options
            .iter()
            .any(|option| CHOOSING.contains(&option.split('=').next().unwrap_or(option)))
        {
            // All that `cargo test` builds but documentation tests, which have neither a program nor a list.
            plan.options.push("--tests".to_owned());
        }
        Ok(plan)
    }

    fn take(&mut self, command: &[String]) -> Result<(), PlanError> {
        let unknown = || PlanError::Command(command.join(" "));
        let mut words = command.iter().map(String::as_str).peekable();
        let program = words.next().map(program_name);
        if program == Some("cargo") {
            if let Some(channel) = words.peek().and_then(|word| word.strip_prefix('+')) {
                self.channel = Some(channel.to_owned());
                words.next();
            }
            match words.next() {
                Some("test" | "t") => {}
                Some("nextest") => self.apart = true,
                _ => return Err(unknown()),
            }
        } else {
            self.apart = true;
            words.next_if(|word| *word == "nextest");
        }
        if self.apart && !matches!(words.next(), Some("run" | "r")) {
            return Err(unknown());
        }
        while let Some(word) = words.next() {
            if word == "--" {
                self.arguments.extend(words.map(str::to_owned));
                break;
            }
            let name = word.split('=').next().unwrap_or(word);
            if DECIDED.contains(&name) {
                return Err(PlanError::Option(name.to_owned()));
            }
            if !word.starts_with('-') {
                self.arguments.push(word.to_owned());
                continue;
            }
            let value = if VALUED.contains(&word) {
                words.next()
            } else if self.apart && OF_NEXTEST.contains(&word) {
                words.next();
                continue;
            } else {
                None
            };
            let shared = SHARED.contains(&name)
                || CHOOSING.contains(&name)
                || VALUED.contains(&name) && !matches!(name, "--profile" | "-j" | "--jobs");
            if matches!(
                name,
                "--no-fail-fast"
                    | "--color"
                    | "-q"
                    | "--quiet"
                    | "--locked"
                    | "--offline"
                    | "--frozen"
            ) || self.apart && !shared
            {
                continue;
            }
            self.options.push(word.to_owned());
            self.options.extend(value.map(str::to_owned));
        }
        if self.apart {
            self.arguments.retain(|word| !word.starts_with('-'));
        }
        Ok(())
    }

    /// The words behind `cargo`, in front of which its configuration may stand.
    pub(crate) fn words(&self, config: Option<&Path>) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(config) = config {
            words.extend(["--config".to_owned(), config.display().to_string()]);
        }
        words.extend(
            [
                "test",
                "--offline",
                "--no-fail-fast",
                "--message-format=json",
            ]
            .map(str::to_owned),
        );
        words.extend(self.options.iter().cloned());
        if !self.arguments.is_empty() {
            words.push("--".to_owned());
            words.extend(self.arguments.iter().cloned());
        }
        words
    }
}

/// Options of nextest with a value in a word of its own, which say how it runs and what it prints.
const OF_NEXTEST: &[&str] = &[
    "-E",
    "--filterset",
    "--filter-expr",
    "-P",
    "--retries",
    "--test-threads",
    "--partition",
    "--run-ignored",
    "--failure-output",
    "--success-output",
    "--status-level",
    "--final-status-level",
    "--max-fail",
    "--config-file",
    "--tool-config-file",
    "--message-format-version",
    "--cargo-profile",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategies::fake::Files;

    fn plan(command: &str) -> Result<Plan, PlanError> {
        let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
        Plan::new(Some(&words), None, BTreeMap::new())
    }

    #[test]
    fn a_command_of_cargo_or_nextest_becomes_one_that_tells_as_data() {
        let made =
            plan("cargo +nightly test -p shop --features full price -- --skip slow").unwrap();
        assert_eq!(made.channel.as_deref(), Some("nightly"));
        assert_eq!(
            made.words(None).join(" "),
            "test --offline --no-fail-fast --message-format=json -p shop --features full --tests -- price --skip slow"
        );
        let made = plan("cargo nextest run --profile ci -E test(x) --workspace --retries 2 --lib")
            .unwrap();
        assert!(made.apart);
        assert_eq!(made.options, ["--workspace", "--lib"]);
        assert_eq!(
            plan("cargo t --test price").unwrap().options,
            ["--test", "price"]
        );
    }

    #[test]
    fn what_is_no_test_run_or_decides_where_things_lie_is_refused_by_name() {
        for command in ["cargo build", "cargo run", "cargo nextest list", "cargo"] {
            assert!(
                matches!(plan(command), Err(PlanError::Command(_))),
                "{command}"
            );
        }
        for command in [
            "cargo test --target-dir=/etc",
            "cargo test --config x=y",
            "cargo test --doc",
            "cargo test --manifest-path /x",
        ] {
            assert!(
                matches!(plan(command), Err(PlanError::Option(_))),
                "{command}"
            );
        }
        let example = Plan::new(None, Some("src/lib.rs - price (line 3)"), BTreeMap::new());
        assert!(matches!(example, Err(PlanError::Documentation(_))));
    }

    #[test]
    fn a_project_is_one_of_rust_by_its_manifest_where_nothing_else_is_said() {
        let rust = Files::new(&[("Cargo.toml", "")]);
        assert!(is_rust(None, None, &rust));
        assert!(!is_rust(None, Some(Framework::Pytest), &rust));
        let both = Files::new(&[("Cargo.toml", ""), ("pyproject.toml", "")]);
        assert!(!is_rust(None, None, &both));
        assert!(is_rust(Some(&["cargo".to_owned()]), None, &both));
    }
}
