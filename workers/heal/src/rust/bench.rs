//! The laboratory of Rust: each attempt is a fresh copy of the checkout, built and run by cargo in the sandbox, without
//! network, with the crates of an environment from the cache. What is built is kept for the attempts of one heal, which are made one after the
//! other, at one path.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use maestro_protocol::heal::RuntimeChanges;
use tempfile::TempDir;

use super::Rust;
use super::bite::Biting;
use super::compiler::Places;
use super::freshness::Freshness;
use super::orders::MOST_ORDERS;
use super::plan::Plan;
use super::reach;
use super::report::{self, Known, Left, Read, unresolved};
use crate::adapter::Adapter;
use crate::bench::{Bench, environment_error, stopped};
use crate::case::{Edit, Installed, Lock, PackageIndex};
use crate::conditions::{Chances, Conditions};
use crate::edge::command::SYSTEM_PROGRAMS;
use crate::edge::{
    CargoIndex, CargoSettings, Command, EnvironmentError, Finished, Index, Limits, Network,
    RustEnvironment, RustProject, WorkCopy,
};
use crate::laboratory::{Attempt, AttemptError, Laboratory};
use crate::overlay::Overlay;
use crate::past::Past;
use crate::teeth::{Bites, Defect};

/// The driver's file.
pub(super) const DRIVER: &str = "maestro_cargo.sh";
/// How often a program that passes is run once more: a test that fails now and then may show it.
const AGAIN: &str = "2";
/// The most tests that are named when defects are planted.
const MOST_NAMED: usize = 12;

/// The laboratory of one heal.
#[derive(Debug)]
pub(crate) struct RustBench {
    pub(super) bench: Bench,
    pub(super) plan: Plan,
    settings: CargoSettings,
    index: CargoIndex,
    /// What is built. Only runs of this heal write there, one after the other.
    target: OnceLock<TempDir>,
    /// The tests of the last report, by id.
    pub(super) known: Mutex<BTreeMap<String, Known>>,
    /// Held for as long as a copy is there.
    pub(super) place: tokio::sync::Mutex<Place>,
    /// Whether each order has to have a call of cargo of its own.
    pub(super) by_itself: AtomicBool,
}

/// The one place of copies: what cargo is to take for new there.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) files: Freshness,
    /// The lock file is written anew into each copy.
    pub(super) lock: Freshness,
}

/// How one run differs from the plan.
#[derive(Default)]
pub(super) struct Change {
    pub(super) options: Option<Vec<String>>,
    pub(super) arguments: Option<Vec<String>>,
    pub(super) variables: Vec<(&'static str, String)>,
    pub(super) within: Option<Duration>,
}

impl RustBench {
    pub(crate) fn new(bench: Bench, plan: Plan, settings: CargoSettings) -> Self {
        let index = CargoIndex::new(&bench.facilities.environments, &settings);
        Self {
            bench,
            plan,
            settings,
            index,
            target: OnceLock::new(),
            known: Mutex::default(),
            place: tokio::sync::Mutex::default(),
            by_itself: AtomicBool::new(false),
        }
    }

    /// A copy in which cargo builds what the last one's build did not see, and nothing else.
    pub(super) async fn copy(
        &self,
        tree: &Overlay,
        freshness: &mut Freshness,
    ) -> Result<WorkCopy, AttemptError> {
        let copy = self.bench.copy_in_place(tree).await?;
        let changes = tree.changes();
        let mut texts: BTreeMap<&str, Option<&[u8]>> = BTreeMap::new();
        let known = freshness.paths();
        texts.extend(known.iter().map(|path| (path.as_str(), None)));
        for (path, bytes) in tree.then() {
            // What is gone is new as well when it comes back.
            texts.insert(path, Some(bytes.as_deref().unwrap_or_default()));
        }
        for (path, _, after) in &changes {
            texts.insert(path, Some(after.as_bytes()));
        }
        for (path, text) in texts {
            date(&copy, path, freshness.stamp(path, text))?;
        }
        Ok(copy)
    }

    async fn environment(&self, copy: &WorkCopy) -> Result<RustEnvironment, EnvironmentError> {
        let mut limits = Limits::for_installation();
        limits.wall = limits.wall.min(self.bench.time_left());
        let project = RustProject {
            root: copy.root(),
            project: copy.project(),
            channel: self.plan.channel.clone().or_else(|| channel(copy)),
        };
        self.bench
            .facilities
            .environments
            .prepare_rust(&project, &self.settings, &limits, &self.bench.cancel)
            .await
    }

    /// The environment; for a project whose crates cannot be brought together its report.
    pub(super) async fn prepared(
        &self,
        copy: &WorkCopy,
    ) -> Result<Result<RustEnvironment, String>, AttemptError> {
        match self.environment(copy).await {
            Ok(environment) => Ok(Ok(environment)),
            Err(
                EnvironmentError::Conflict { excerpt } | EnvironmentError::BuildFailed { excerpt },
            ) => {
                // Where the copy lay says nothing.
                let place = format!("{}/", self.bench.facilities.work.display());
                Ok(Err(excerpt.replace(&place, "")))
            }
            Err(error) => Err(environment_error(error)),
        }
    }

    fn target(&self) -> Result<PathBuf, AttemptError> {
        if let Some(made) = self.target.get() {
            return Ok(made.path().to_owned());
        }
        let made = tempfile::Builder::new()
            .prefix("target-")
            .tempdir_in(&self.bench.facilities.work)
            .map_err(|error| {
                AttemptError::Machine(format!("unable to make a directory to build in: {error}"))
            })?;
        Ok(self.target.get_or_init(|| made).path().to_owned())
    }

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

/// What the project's own file says (<https://rust-lang.github.io/rustup/overrides.html#the-toolchain-file>).
fn channel(copy: &WorkCopy) -> Option<String> {
    let read = |name: &str| {
        let bytes = copy.read(name, 4096).ok()?;
        String::from_utf8(bytes).ok()
    };
    let text = read("rust-toolchain.toml").or_else(|| read("rust-toolchain"))?;
    let stated = text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "channel").then(|| value.trim().trim_matches('"').to_owned())
    });
    stated.or_else(|| {
        let line = text.trim();
        (!line.contains(['\n', '[', '='])).then(|| line.to_owned())
    })
}

/// The project's own packages, by their directories as its manifests would name them.
fn members(copy: &WorkCopy, environment: &RustEnvironment) -> Vec<(String, String)> {
    let project = copy.project();
    let here = project.strip_prefix(copy.root()).unwrap_or(Path::new(""));
    environment
        .members
        .iter()
        .map(|(name, directory)| {
            let common = here
                .components()
                .zip(directory.components())
                .take_while(|(a, b)| a == b)
                .count();
            let up = here.components().skip(common).map(|_| OsStr::new(".."));
            let down = directory.components().skip(common);
            let path: PathBuf = up
                .chain(down.map(std::path::Component::as_os_str))
                .collect();
            (name.clone(), path.to_string_lossy().into_owned())
        })
        .collect()
}

/// Where the project and its workspace lie in a copy.
pub(super) fn places(environment: &RustEnvironment, copy: &WorkCopy) -> Places {
    Places {
        project: copy.project(),
        workspace: copy.root().join(&environment.workspace),
    }
}

pub(super) fn installed(copy: &WorkCopy, environment: &RustEnvironment) -> Installed {
    Installed {
        site_packages: environment.root.join("vendor"),
        distributions: environment.installed.clone(),
        rust: environment.toolchain.version,
        members: members(copy, environment),
        lock: settled(copy, environment),
        ..Installed::default()
    }
}

/// The lock file by which the crates were brought together, where it lies in the project's directory.
fn settled(copy: &WorkCopy, environment: &RustEnvironment) -> Option<Lock> {
    let (path, text) = environment.lock.as_ref()?;
    let project = copy.project();
    let here = project.strip_prefix(copy.root()).ok()?;
    Some(Lock {
        of: "Cargo.toml",
        edit: Edit {
            path: path.strip_prefix(here).ok()?.to_str()?.to_owned(),
            text: String::from_utf8(text.clone()).ok()?,
        },
    })
}

/// Says when a file of a copy was changed last.
fn date(copy: &WorkCopy, path: &str, at: SystemTime) -> Result<(), AttemptError> {
    copy.set_modified(path, at).map_err(|error| {
        AttemptError::Machine(format!("unable to date {path} of the copy: {error}"))
    })
}

/// Writes the lock file by which the crates were brought together.
pub(super) fn lock(
    copy: &WorkCopy,
    environment: &RustEnvironment,
    freshness: &mut Freshness,
) -> Result<(), AttemptError> {
    let Some((path, text)) = &environment.lock else {
        return Ok(());
    };
    let project = copy.project();
    let below = project.strip_prefix(copy.root()).unwrap_or(Path::new(""));
    let up: PathBuf = below.components().map(|_| OsStr::new("..")).collect();
    let path = up.join(path);
    let path = path.to_string_lossy();
    copy.write(&path, text).map_err(|error| {
        AttemptError::Machine(format!("unable to write {path} of the copy: {error}"))
    })?;
    // A build script that names no files is run again when any is younger than its last run.
    date(copy, &path, freshness.stamp(&path, Some(text)))
}

impl Laboratory for RustBench {
    async fn attempt_under(
        &self,
        tree: &Overlay,
        changes: &RuntimeChanges,
        conditions: &Conditions,
    ) -> Result<Attempt, AttemptError> {
        if conditions.arranges() {
            return self.in_order(tree, changes, conditions).await;
        }
        let mut place = self.place.lock().await;
        let began = Instant::now();
        let copy = self.copy(tree, &mut place.files).await?;
        let environment = match self.prepared(&copy).await? {
            Ok(environment) => environment,
            Err(excerpt) => {
                return Ok(Attempt {
                    report: unresolved(&self.plan, &excerpt),
                    installed: Arc::new(Installed::default()),
                    install: began.elapsed(),
                    run: Duration::ZERO,
                    stopped: None,
                    forked: false,
                });
            }
        };
        let install = began.elapsed();
        lock(&copy, &environment, &mut place.lock)?;
        let change = Change {
            variables: vec![("MAESTRO_CARGO_AGAIN", AGAIN.to_owned())],
            ..Change::default()
        };
        let (read, finished) = self.cargo(&environment, &copy, changes, &change).await?;
        let mut report = read.report;
        if read.built {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            known.clone_from(&read.known);
        }
        if !conditions.trace.is_empty() {
            report.lines = reach::lines(tree, &conditions.trace, &read.known);
        }
        Ok(Attempt {
            report,
            installed: Arc::new(installed(&copy, &environment)),
            install,
            run: finished.elapsed,
            stopped: stopped(&finished, &self.limits()),
            forked: false,
        })
    }

    async fn attempts_under(
        &self,
        tree: &Overlay,
        changes: &RuntimeChanges,
        conditions: &[Conditions],
    ) -> Result<Vec<Attempt>, AttemptError> {
        self.in_orders(tree, changes, conditions).await
    }

    fn at_a_time(&self) -> u32 {
        if self.takes_several() { MOST_ORDERS } else { 2 }
    }

    fn distrust(&self) {
        self.by_itself.store(true, Ordering::Relaxed);
    }

    async fn bite(
        &self,
        tree: &Overlay,
        changes: &RuntimeChanges,
        tests: &[String],
        defects: &[Defect],
        within: Duration,
    ) -> Result<Bites, AttemptError> {
        let until = Instant::now() + within;
        let began = Instant::now();
        let Some(mut change) = self.only(tests) else {
            return Ok(Bites::default());
        };
        let mut place = self.place.lock().await;
        let copy = self.copy(tree, &mut place.files).await?;
        let Ok(environment) = self.prepared(&copy).await? else {
            return Ok(Bites::default());
        };
        lock(&copy, &environment, &mut place.lock)?;
        // A defect that makes a run endless must leave time for the others.
        change.within = Some(within / 2);
        let run = Biting {
            bench: self,
            tree,
            copy: &copy,
            environment: &environment,
            changes,
            until,
            within,
        };
        let mut bites = Bites {
            caught: vec![None; defects.len()],
            ..Bites::default()
        };
        if !run
            .at_once(&mut place.files, &mut change, defects, &mut bites)
            .await?
        {
            run.one_by_one(&mut place.files, &mut change, defects, &mut bites)
                .await?;
        }
        bites.run = began.elapsed();
        Ok(bites)
    }

    fn adapter(&self) -> &'static dyn Adapter {
        &Rust
    }

    /// Where each test has a process of its own none depends on another's, and a test that is not named stands in no
    /// module.
    fn arranges(&self) -> bool {
        !self.plan.apart && self.plan.target.is_some()
    }

    fn at_once(&self) -> bool {
        true
    }

    fn chances(&self) -> Chances {
        Chances::NONE
    }

    fn past(&self) -> Arc<dyn Past> {
        self.bench.past()
    }

    fn index(&self) -> Arc<dyn PackageIndex + Send + Sync> {
        Arc::new(KnownVersions(self.index.clone()))
    }
}

/// The registry as strategies see it: what cannot be asked has no versions.
struct KnownVersions(CargoIndex);

impl PackageIndex for KnownVersions {
    fn versions(&self, distribution: &str) -> Vec<String> {
        self.0.versions(distribution).unwrap_or_else(|error| {
            tracing::debug!(distribution, %error, "the registry gave no versions");
            Vec::new()
        })
    }
}
