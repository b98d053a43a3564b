//! One call of cargo: its words, its variables, its limits, and what it left.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::PoisonError;
use std::time::Duration;

use maestro_protocol::heal::RuntimeChanges;

use super::bench::RustBench;
use super::place::places;
use super::report::{self, Known, Left, Read};
use crate::edge::command::SYSTEM_PROGRAMS;
use crate::edge::{Command, Finished, Limits, Network, RustEnvironment, WorkCopy};
use crate::laboratory::AttemptError;

/// The driver's file.
pub(super) const DRIVER: &str = "maestro_cargo.sh";
/// The most tests that are named when defects are planted.
const MOST_NAMED: usize = 12;

/// How one run differs from the plan.
#[derive(Default)]
pub(super) struct Change {
    pub(super) options: Option<Vec<String>>,
    pub(super) arguments: Option<Vec<String>>,
    pub(super) variables: Vec<(&'static str, String)>,
    pub(super) within: Option<Duration>,
}

impl RustBench {
    /// Runs cargo in a copy, and reads what it left.
    pub(super) async fn cargo(
        &self,
        environment: &RustEnvironment,
        copy: &WorkCopy,
        changes: &RuntimeChanges,
        change: &Change,
    ) -> Result<(Read, Finished), AttemptError> {
        let records = self.bench.records()?;
        let command = self.command(environment, copy, changes, change, records.path())?;
        let finished = self.bench.run(&command).await?;
        let left = Left {
            stdout: &finished.stdout,
            stderr: &finished.stderr_text(),
            records: records.path(),
        };
        let read = report::read(&self.plan, &places(environment, copy), &left);
        Ok((read, finished))
    }

    pub(super) fn command(
        &self,
        environment: &RustEnvironment,
        copy: &WorkCopy,
        changes: &RuntimeChanges,
        change: &Change,
        records: &Path,
    ) -> Result<Command, AttemptError> {
        let driver = self.bench.facilities.probes.join(DRIVER);
        let runner = format!("/bin/sh {}", driver.display());
        if driver
            .as_os_str()
            .to_string_lossy()
            .contains(char::is_whitespace)
        {
            return Err(AttemptError::Machine(format!(
                "{} has a space in it, behind which cargo would see another word",
                driver.display()
            )));
        }
        let mut plan = self.plan.clone();
        if let Some(options) = &change.options {
            plan.options.clone_from(options);
        }
        if let Some(arguments) = &change.arguments {
            plan.arguments.clone_from(arguments);
        }
        let toolchain = &environment.toolchain;
        let cargo = toolchain.cargo.display().to_string();
        let words = plan.words(environment.config.as_deref());
        let mut command = Command::new(std::iter::once(cargo).chain(words), copy.project());
        let target = self.target()?;
        command.writable = vec![target.clone(), copy.root(), records.to_owned()];
        command.readable = environment.readable();
        command.readable.push(self.bench.facilities.probes.clone());
        let triple = toolchain.host.to_uppercase().replace('-', "_");
        let mut variables: BTreeMap<String, String> = self.plan.variables.clone();
        for (name, value) in [
            (format!("CARGO_TARGET_{triple}_RUNNER").as_str(), runner),
            ("CARGO_TARGET_DIR", target.display().to_string()),
            (
                "PATH",
                format!("{}:{SYSTEM_PROGRAMS}", toolchain.programs().display()),
            ),
            ("CARGO_TERM_COLOR", "never".to_owned()),
            // Each copy lies elsewhere.
            ("CARGO_INCREMENTAL", "0".to_owned()),
            // Enough for a trace.
            ("CARGO_PROFILE_DEV_DEBUG", "line-tables-only".to_owned()),
            ("CARGO_PROFILE_TEST_DEBUG", "line-tables-only".to_owned()),
            // Wrappers are programs of somebody else's machine.
            ("RUSTC_WRAPPER", String::new()),
            ("RUSTC_WORKSPACE_WRAPPER", String::new()),
            ("MAESTRO_CARGO_RECORDS", records.display().to_string()),
            (
                "MAESTRO_CARGO_LIMIT",
                self.limit_of_tests().as_secs().max(1).to_string(),
            ),
        ] {
            variables.insert(name.to_owned(), value);
        }
        if self.plan.apart {
            variables.insert("MAESTRO_CARGO_APART".to_owned(), "1".to_owned());
        }
        for (name, value) in [
            ("RUST_BACKTRACE", "1"),
            // Errors that carry a trace print it as a part of themselves, which a test may compare.
            ("RUST_LIB_BACKTRACE", "0"),
        ]
        .into_iter()
        .chain(
            change
                .variables
                .iter()
                .map(|(name, value)| (*name, value.as_str())),
        ) {
            variables
                .entry(name.to_owned())
                .or_insert_with(|| value.to_owned());
        }
        variables.extend(changes.variables.clone());
        command.variables = variables;
        command.network = Network::None;
        command.limits = self.limits();
        if let Some(within) = change.within {
            command.limits.wall = command.limits.wall.min(within);
        }
        Ok(command)
    }

    /// How long the tests of one program may take: as long as a run of tests, and no more than leaves time to look at
    /// each of them.
    fn limit_of_tests(&self) -> Duration {
        let of_tests = self.bench.facilities.limits.wall;
        of_tests.min(self.bench.time_left() / 4)
    }

    /// A compiler wants more than a test.
    pub(super) fn limits(&self) -> Limits {
        let (of_tests, of_builds) = (&self.bench.facilities.limits, Limits::for_installation());
        Limits {
            wall: of_tests
                .wall
                .max(of_builds.wall)
                .min(self.bench.time_left()),
            cpu: of_tests.cpu.max(of_builds.cpu),
            memory_bytes: of_tests.memory_bytes.max(of_builds.memory_bytes),
            processes: of_tests.processes.max(1024),
            disk_bytes: of_tests.disk_bytes.max(of_builds.disk_bytes),
            output_bytes: 32 << 20,
            open_files: of_tests.open_files.max(8192),
        }
    }

    /// Options and arguments by which these tests alone are run; `None` where one of them is not known.
    pub(super) fn only(&self, tests: &[String]) -> Option<Change> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let chosen: Vec<&Known> = known
            .iter()
            .filter(|(id, _)| tests.iter().any(|test| crate::runner::belongs(id, test)))
            .map(|(_, known)| known)
            .collect();
        if chosen.is_empty() {
            return None;
        }
        // What the command says of features and profiles holds; what it chooses does not.
        let mut options = Vec::new();
        let mut words = self.plan.options.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "-F" | "--features" | "--profile" => {
                    options.push(word.clone());
                    options.extend(words.next().cloned());
                }
                "--all-features" | "--no-default-features" | "-r" | "--release" => {
                    options.push(word.clone());
                }
                _ if word.starts_with("--features=") || word.starts_with("--profile=") => {
                    options.push(word.clone());
                }
                _ => {}
            }
        }
        for known in &chosen {
            let of = &known.of;
            let mut words = vec!["-p".to_owned(), of.package.clone()];
            match of.kind.as_str() {
                kind @ ("test" | "bin" | "example" | "bench") => {
                    words.extend([format!("--{kind}"), of.name.clone()]);
                }
                _ => words.push("--lib".to_owned()),
            }
            for pair in words.chunks(2) {
                if !options.windows(pair.len()).any(|there| there == pair) {
                    options.extend(pair.iter().cloned());
                }
            }
        }
        let names: Vec<String> = chosen
            .iter()
            .map(|known| known.name.clone())
            .filter(|name| !name.is_empty())
            .collect();
        let arguments = if names.is_empty() || names.len() > MOST_NAMED {
            Vec::new()
        } else {
            std::iter::once("--exact".to_owned()).chain(names).collect()
        };
        Some(Change {
            options: Some(options),
            arguments: Some(arguments),
            variables: vec![("MAESTRO_CARGO_TOGETHER", "1".to_owned())],
            within: None,
        })
    }
}
