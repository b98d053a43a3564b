//! What the laboratories of all languages share: fresh copies of the checkout, runs in the sandbox, and files beside
//! them.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use maestro_protocol::heal::RuntimeChanges;
use rustix::fs::{Mode, OFlags};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::case::Installed;
use crate::conditions::Conditions;
use crate::distribution::distribution;
use crate::edge::footprint::footprint;
use crate::edge::{
    Checkout, CheckoutError, Command, Ended, Environment, EnvironmentError, Environments, Finished,
    History, Limits, Sandbox, SandboxError, WorkCopy,
};
use crate::laboratory::AttemptError;
use crate::overlay::Overlay;
use crate::past::{NoPast, Past};

/// The probe's file.
pub(crate) const RECORDS: &str = "records.jsonl";
/// The conditions of a run, for the probe.
const PLAN: &str = "plan.json";
/// What the sandbox keeps in memory for a run: it is empty when the next begins.
const IN_MEMORY: [&str; 3] = ["/tmp", "/dev/shm", "/home/heal"];
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

/// One heal's checkout, and the means to run in copies of it.
#[derive(Debug, Clone)]
pub(crate) struct Bench {
    pub(crate) facilities: Facilities,
    pub(crate) checkout: Arc<Checkout>,
    pub(crate) deadline: Instant,
    pub(crate) cancel: CancellationToken,
    pub(crate) history: OnceLock<Option<Arc<History>>>,
}

impl Bench {
    /// A fresh copy with the tree's changes in it, and a directory for the probe's file.
    pub(crate) async fn copy(&self, tree: &Overlay) -> Result<(WorkCopy, TempDir), AttemptError> {
        let copy = self.filled(tree, Checkout::fresh).await?;
        Ok((copy, self.records()?))
    }

    /// The same in a directory that something in the sandbox writes already.
    pub(crate) async fn copy_in(
        &self,
        tree: &Overlay,
        writable: &Path,
    ) -> Result<(WorkCopy, TempDir), AttemptError> {
        let machine = |error: std::io::Error| AttemptError::Machine(error.to_string());
        let place = writable.to_owned();
        let copy = self
            .filled(tree, move |checkout| checkout.fresh_in(&place))
            .await?;
        let records = tempfile::Builder::new()
            .prefix("records-")
            .tempdir_in(writable)
            .map_err(machine)?;
        for tree in [copy.place(), records.path()] {
            self.facilities
                .sandbox
                .hand_over(tree, writable)
                .map_err(machine)?;
        }
        Ok((copy, records))
    }

    /// A copy at one path each time, with files as old as the checkout where the tree does not change them. The last one must be gone.
    pub(crate) async fn copy_in_place(&self, tree: &Overlay) -> Result<WorkCopy, AttemptError> {
        self.filled(tree, Checkout::fresh_in_place).await
    }

    /// A directory for what a run writes down.
    pub(crate) fn records(&self) -> Result<TempDir, AttemptError> {
        tempfile::Builder::new()
            .prefix("records-")
            .tempdir_in(&self.facilities.work)
            .map_err(|error| AttemptError::Machine(error.to_string()))
    }

    async fn filled(
        &self,
        tree: &Overlay,
        fresh: impl FnOnce(&Checkout) -> Result<WorkCopy, CheckoutError> + Send + 'static,
    ) -> Result<WorkCopy, AttemptError> {
        let (checkout, then, changes) = (
            Arc::clone(&self.checkout),
            tree.then().clone(),
            tree.changes(),
        );
        let copying = move || {
            let copy = fresh(&checkout).map_err(|error| error.to_string())?;
            for (path, bytes) in &then {
                match bytes {
                    Some(bytes) => copy.write(path, bytes),
                    None => copy.remove(path),
                }
                .map_err(|error| format!("unable to set {path} of the copy back: {error}"))?;
            }
            for (path, _, after) in changes {
                copy.write(&path, after.as_bytes())
                    .map_err(|error| format!("unable to write {path} of the copy: {error}"))?;
            }
            Ok(copy)
        };
        tokio::task::spawn_blocking(copying)
            .await
            .unwrap_or_else(|panic| Err(panic.to_string()))
            .map_err(AttemptError::Machine)
    }

    /// The project's history. Nothing is fetched before somebody asks for something of it.
    pub(crate) fn past(&self) -> Arc<dyn Past> {
        let history = self.history.get_or_init(|| {
            self.checkout
                .history(self.deadline, &self.cancel)
                .map(Arc::new)
        });
        match history {
            Some(history) => Arc::clone(history) as Arc<dyn Past>,
            None => Arc::new(NoPast),
        }
    }

    pub(crate) fn time_left(&self) -> Duration {
        // Never nothing: a run that may take no time would be reported as one that takes too long.
        self.deadline
            .saturating_duration_since(Instant::now())
            .max(Duration::from_secs(1))
    }

    /// Makes the command of a run that of a process which makes several.
    pub(crate) fn for_several_runs(&self, command: &mut Command) {
        command
            .variables
            .insert("MAESTRO_FORK_CLEARS".to_owned(), IN_MEMORY.join(":"));
        // Each run has its own bounds of time; copies of the checkout are no run's doing.
        command.limits.wall = self.time_left();
        command.limits.cpu = self.time_left() * 2;
        let checkout = footprint(&self.checkout.root(), u64::MAX).bytes;
        command.limits.disk_bytes += 3 * checkout;
    }

    pub(crate) async fn run(&self, command: &Command) -> Result<Finished, AttemptError> {
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
}

/// Requirements of Python with the changes made to them: a new one replaces an earlier one of the same distribution.
pub(crate) fn changed(install: &[String], changes: &RuntimeChanges) -> Vec<String> {
    let mut install = install.to_vec();
    for name in changes
        .uninstall
        .iter()
        .chain(&changes.install)
        .map(|requirement| distribution(requirement))
    {
        install.retain(|requirement| distribution(requirement) != name);
    }
    install.extend(changes.install.iter().cloned());
    install
}

impl Facilities {
    /// An environment of Python, as strategies see it.
    pub(crate) fn installed(&self, environment: &Environment, requested: Vec<String>) -> Installed {
        let interpreters = self.environments.interpreters().list();
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
            ..Installed::default()
        }
    }
}

/// Gives the probe the conditions of its run, where they are not the plain ones.
pub(crate) fn lay_plan(
    command: &mut Command,
    conditions: &Conditions,
    records: &Path,
) -> Result<(), AttemptError> {
    if let Some(plan) = write_plan(conditions, records)? {
        command
            .variables
            .insert("MAESTRO_PROBE_PLAN".to_owned(), plan.display().to_string());
    }
    Ok(())
}

/// Writes the conditions of a run down for the probe, where they are not the plain ones.
pub(crate) fn write_plan(
    conditions: &Conditions,
    records: &Path,
) -> Result<Option<PathBuf>, AttemptError> {
    let Some(plan) = conditions.plan() else {
        return Ok(None);
    };
    let file = records.join(PLAN);
    write(&file, plan.as_bytes())?;
    Ok(Some(file))
}

/// Writes a file that the run reads, and names it in a variable.
pub(crate) fn write_beside(
    command: &mut Command,
    variable: &str,
    name: &str,
    bytes: &[u8],
    records: &Path,
) -> Result<(), AttemptError> {
    let file = records.join(name);
    write(&file, bytes)?;
    command
        .variables
        .insert(variable.to_owned(), file.display().to_string());
    Ok(())
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), AttemptError> {
    std::fs::write(file, bytes).map_err(|error| {
        AttemptError::Machine(format!("unable to write {}: {error}", file.display()))
    })
}

/// The code under test owned this file: it may be a link, a pipe, or without end.
pub(crate) fn read_records(path: &Path) -> Vec<u8> {
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

/// Why a run was stopped, where it did not end by itself.
pub(crate) fn stopped(finished: &Finished, limits: &Limits) -> Option<String> {
    let limit = match finished.ended {
        Ended::TimedOut => format!("{} s", limits.wall.as_secs()),
        Ended::TooManyProcesses => format!("{} processes", limits.processes),
        Ended::OutOfMemory => format!("{} MiB", limits.memory_bytes >> 20),
        Ended::DiskFull => format!("{} MiB", limits.disk_bytes >> 20),
        Ended::Exited(_) | Ended::Signalled(_) | Ended::Cancelled => return None,
    };
    Some(format!("the run {} (the limit is {limit})", finished.ended))
}

pub(crate) fn environment_error(error: EnvironmentError) -> AttemptError {
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
