//! The laboratory of the real world: each attempt is a fresh copy of the checkout, in an environment from the
//! cache, in the sandbox.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use maestro_protocol::heal::RuntimeChanges;
use maestro_protocol::project::Runtime;
use rustix::fs::{Mode, OFlags};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::case::{Installed, PackageIndex};
use crate::conditions::Conditions;
use crate::distribution::distribution;
use crate::edge::{
    Checkout, CheckoutError, Command, Ended, Environment, EnvironmentError, EnvironmentSpec,
    Environments, Finished, Index, Limits, Network, PipIndex, Sandbox, SandboxError, WorkCopy,
};
use crate::laboratory::{Attempt, AttemptError, Laboratory};
use crate::overlay::Overlay;
use crate::runner::Plan;
use crate::teeth::{Bites, Defect};

/// What is installed where nothing is said.
const DEFAULT_INSTALL: &str = "pytest";
/// The probe's file.
const RECORDS: &str = "records.jsonl";
/// The conditions of a run, for the probe.
const PLAN: &str = "plan.json";
/// The defects to plant, for the probe.
const DEFECTS: &str = "defects.json";
/// The most that is read of the probe's file.
const LARGEST_REPORT: u64 = 64 * 1024 * 1024;

/// What a worker's laboratories share.
#[derive(Debug, Clone)]
pub(crate) struct Facilities {
    pub(crate) sandbox: Sandbox,
    pub(crate) environments: Environments,
    pub(crate) work: PathBuf,
    pub(crate) probes: PathBuf,
    pub(crate) limits: Limits,
}

/// The laboratory of one heal.
#[derive(Debug)]
pub(crate) struct Workbench {
    facilities: Facilities,
    checkout: Arc<Checkout>,
    plan: Plan,
    python: Option<String>,
    install: Vec<String>,
    index: PipIndex,
    deadline: Instant,
    cancel: CancellationToken,
}

impl Workbench {
    pub(crate) fn new(
        facilities: Facilities,
        checkout: Checkout,
        plan: Plan,
        runtime: &Runtime,
        deadline: Instant,
        cancel: CancellationToken,
    ) -> Self {
        let index = PipIndex::new(&facilities.environments, runtime.python.as_deref());
        Self {
            facilities,
            checkout: Arc::new(checkout),
            plan,
            python: runtime.python.clone(),
            install: runtime
                .install
                .clone()
                .unwrap_or_else(|| vec![DEFAULT_INSTALL.to_owned()]),
            index,
            deadline,
            cancel,
        }
    }

    /// The request's environment with the changes made to it.
    async fn environment(
        &self,
        changes: &RuntimeChanges,
    ) -> Result<(Environment, Vec<String>), AttemptError> {
        let mut install = self.install.clone();
        for name in changes
            .uninstall
            .iter()
            .chain(&changes.install)
            .map(|requirement| distribution(requirement))
        {
            install.retain(|requirement| distribution(requirement) != name);
        }
        install.extend(changes.install.iter().cloned());
        let python = changes.python.as_deref().or(self.python.as_deref());
        let spec = EnvironmentSpec::from_install(python, &install, &self.checkout.project());
        let mut limits = Limits::for_installation();
        limits.wall = limits.wall.min(self.time_left());
        let environment = self
            .facilities
            .environments
            .prepare(&spec, &limits, &self.cancel)
            .await
            .map_err(environment_error)?;
        Ok((environment, install))
    }

    /// A fresh copy with the tree's changes in it, and a directory for the probe's file.
    async fn copy(&self, tree: &Overlay) -> Result<(WorkCopy, TempDir), AttemptError> {
        let (checkout, changes, work) = (
            Arc::clone(&self.checkout),
            tree.changes(),
            self.facilities.work.clone(),
        );
        let copying = move || {
            let copy = checkout
                .fresh()
                .map_err(|error: CheckoutError| error.to_string())?;
            for (path, _, after) in changes {
                copy.write(&path, after.as_bytes())
                    .map_err(|error| format!("unable to write {path} of the copy: {error}"))?;
            }
            let records = tempfile::Builder::new()
                .prefix("records-")
                .tempdir_in(&work)
                .map_err(|error| error.to_string())?;
            Ok((copy, records))
        };
        tokio::task::spawn_blocking(copying)
            .await
            .unwrap_or_else(|panic| Err(panic.to_string()))
            .map_err(AttemptError::Machine)
    }

    fn time_left(&self) -> Duration {
        // Never nothing: a run that may take no time would be reported as one that takes too long.
        self.deadline
            .saturating_duration_since(Instant::now())
            .max(Duration::from_secs(1))
    }

    fn command(
        &self,
        environment: &Environment,
        arguments: Vec<String>,
        copy: &WorkCopy,
        records: &Path,
    ) -> Command {
        let python = environment.python.display().to_string();
        let mut command = Command::new(std::iter::once(python).chain(arguments), copy.project());
        command.writable = vec![copy.root(), records.to_owned()];
        command.readable = environment.readable();
        command.readable.push(self.facilities.probes.clone());
        command.variables = self
            .plan
            .variables(&self.facilities.probes, &records.join(RECORDS));
        command.network = Network::None;
        command.limits = self.facilities.limits.clone();
        command.limits.wall = command.limits.wall.min(self.time_left());
        command
    }

    async fn run(&self, command: &Command) -> Result<Finished, AttemptError> {
        let finished = self
            .facilities
            .sandbox
            .run(command, &self.cancel)
            .await
            .map_err(sandbox_error)?;
        if finished.ended == Ended::Cancelled {
            return Err(AttemptError::Cancelled);
        }
        Ok(finished)
    }

    fn installed(&self, environment: &Environment, requested: Vec<String>) -> Installed {
        let interpreters = self.facilities.environments.interpreters().list();
        let mut versions: Vec<(u8, u8)> = interpreters
            .iter()
            .map(|interpreter| interpreter.version)
            .collect();
        versions.sort_unstable();
        versions.dedup();
        Installed {
            python: environment.version,
            site_packages: environment.site_packages.clone(),
            standard_library: environment.standard_library.clone(),
            distributions: environment
                .installed
                .iter()
                .map(|(name, version)| (distribution(name), version.clone()))
                .collect(),
            requested,
            interpreters: versions,
        }
    }
}

impl Laboratory for Workbench {
    async fn attempt_under(
        &self,
        tree: &Overlay,
        changes: &RuntimeChanges,
        conditions: &Conditions,
    ) -> Result<Attempt, AttemptError> {
        let began = Instant::now();
        let (environment, requested) = self.environment(changes).await?;
        let install = began.elapsed();
        let (copy, records) = self.copy(tree).await?;
        let arguments = self.plan.arguments();
        let mut command = self.command(&environment, arguments, &copy, records.path());
        command.variables.extend(changes.variables.clone());
        command.variables.extend(conditions.variables());
        lay_plan(&mut command, conditions, records.path())?;
        let finished = self.run(&command).await?;
        let written = read_records(&records.path().join(RECORDS));
        let status = match finished.ended {
            Ended::Exited(code) => Some(code),
            _ => None,
        };
        let report = self.plan.read(
            &copy.project(),
            &written,
            &finished.stdout,
            &finished.stderr,
            status,
        );
        Ok(Attempt {
            report,
            installed: Arc::new(self.installed(&environment, requested)),
            install,
            run: finished.elapsed,
            stopped: stopped(&finished, &self.facilities.limits),
        })
    }

    async fn bite(
        &self,
        tree: &Overlay,
        changes: &RuntimeChanges,
        tests: &[String],
        defects: &[Defect],
        within: Duration,
    ) -> Result<Bites, AttemptError> {
        let Some(arguments) = self.plan.teeth_arguments() else {
            return Ok(Bites::default());
        };
        let (environment, _) = self.environment(changes).await?;
        let (copy, records) = self.copy(tree).await?;
        let mut command = self.command(&environment, arguments, &copy, records.path());
        command.variables.extend(changes.variables.clone());
        let conditions = Conditions {
            only: tests.to_vec(),
            // The same chance for each defect: what is caught is caught by what the test says.
            hash_seed: Some(0),
            ..Conditions::default()
        };
        command.variables.extend(conditions.variables());
        lay_plan(&mut command, &conditions, records.path())?;
        let planted: Vec<Defect> = defects
            .iter()
            .map(|defect| Defect {
                path: copy.project().join(&defect.path).display().to_string(),
                ..defect.clone()
            })
            .collect();
        let list = serde_json::to_vec(&planted).unwrap_or_default();
        write_beside(
            &mut command,
            "MAESTRO_TEETH",
            DEFECTS,
            &list,
            records.path(),
        )?;
        command.limits.wall = command.limits.wall.min(within);
        let finished = self.run(&command).await?;
        let mut bites = Bites::read(&read_records(&records.path().join(RECORDS)), defects.len());
        bites.run = finished.elapsed;
        Ok(bites)
    }

    fn index(&self) -> Arc<dyn PackageIndex + Send + Sync> {
        Arc::new(KnownVersions(self.index.clone()))
    }
}

/// Gives the probe the conditions of its run, where they are not the plain ones.
fn lay_plan(
    command: &mut Command,
    conditions: &Conditions,
    records: &Path,
) -> Result<(), AttemptError> {
    conditions.plan().map_or(Ok(()), |plan| {
        write_beside(
            command,
            "MAESTRO_PROBE_PLAN",
            PLAN,
            plan.as_bytes(),
            records,
        )
    })
}

/// Writes a file that the run reads, and names it in a variable.
fn write_beside(
    command: &mut Command,
    variable: &str,
    name: &str,
    bytes: &[u8],
    records: &Path,
) -> Result<(), AttemptError> {
    let file = records.join(name);
    std::fs::write(&file, bytes).map_err(|error| {
        AttemptError::Machine(format!("unable to write {}: {error}", file.display()))
    })?;
    command
        .variables
        .insert(variable.to_owned(), file.display().to_string());
    Ok(())
}

/// The index as strategies see it: what cannot be asked has no versions.
struct KnownVersions(PipIndex);

impl PackageIndex for KnownVersions {
    fn versions(&self, distribution: &str) -> Vec<String> {
        self.0.versions(distribution).unwrap_or_else(|error| {
            tracing::debug!(distribution, %error, "the package index gave no versions");
            Vec::new()
        })
    }
}

/// The code under test owned this file: it may be a link, a pipe, or without end.
fn read_records(path: &Path) -> Vec<u8> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(file) = rustix::fs::open(path, flags, Mode::empty()).map(File::from) else {
        return Vec::new();
    };
    let mut bytes = Vec::new();
    if file.metadata().is_ok_and(|of| of.is_file())
        && file.take(LARGEST_REPORT).read_to_end(&mut bytes).is_err()
    {
        bytes.clear();
    }
    bytes
}

fn stopped(finished: &Finished, limits: &Limits) -> Option<String> {
    let limit = match finished.ended {
        Ended::TimedOut => format!("{} s", limits.wall.as_secs()),
        Ended::TooManyProcesses => format!("{} processes", limits.processes),
        Ended::OutOfMemory => format!("{} MiB", limits.memory_bytes >> 20),
        Ended::DiskFull => format!("{} MiB", limits.disk_bytes >> 20),
        Ended::Exited(_) | Ended::Signalled(_) | Ended::Cancelled => return None,
    };
    Some(format!("the run {} (the limit is {limit})", finished.ended))
}

fn environment_error(error: EnvironmentError) -> AttemptError {
    match error {
        EnvironmentError::Cancelled => AttemptError::Cancelled,
        EnvironmentError::Unreachable { excerpt } => AttemptError::Unavailable {
            dependency: "the package index".to_owned(),
            detail: excerpt,
        },
        error if error.is_transient() => AttemptError::Machine(error.to_string()),
        error => AttemptError::Environment(error.to_string()),
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is the argument of map_err"
)]
fn sandbox_error(error: SandboxError) -> AttemptError {
    AttemptError::Machine(error.to_string())
}
