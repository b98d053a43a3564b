//! The laboratory of Python: each attempt is a fresh copy of the checkout, in an environment from the
//! cache, in the sandbox.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use maestro_protocol::heal::RuntimeChanges;
use maestro_protocol::project::Runtime;

use crate::bench::{
    Bench, RECORDS, changed, environment_error, lay_plan, read_records, stopped, write_beside,
};
use crate::case::PackageIndex;
use crate::conditions::Conditions;
use crate::edge::{
    Command, Ended, Environment, EnvironmentSpec, Index, Limits, Network, PipIndex, WorkCopy,
};
use crate::laboratory::{Attempt, AttemptError, Laboratory};
use crate::overlay::Overlay;
use crate::past::Past;
use crate::runner::Plan;
use crate::teeth::{Bites, Defect};

/// What is installed where nothing is said.
const DEFAULT_INSTALL: &str = "pytest";
/// The defects to plant, for the probe.
const DEFECTS: &str = "defects.json";
/// The laboratory of one heal.
#[derive(Debug)]
pub(crate) struct Workbench {
    bench: Bench,
    plan: Plan,
    python: Option<String>,
    install: Vec<String>,
    index: PipIndex,
}

impl Workbench {
    pub(crate) fn new(bench: Bench, plan: Plan, runtime: &Runtime) -> Self {
        let environments = &bench.facilities.environments;
        let index = PipIndex::new(environments, runtime.python.as_deref());
        Self {
            bench,
            plan,
            python: runtime.python.clone(),
            install: runtime
                .install
                .clone()
                .unwrap_or_else(|| vec![DEFAULT_INSTALL.to_owned()]),
            index,
        }
    }

    /// The request's environment with the changes made to it.
    async fn environment(
        &self,
        changes: &RuntimeChanges,
    ) -> Result<(Environment, Vec<String>), AttemptError> {
        let install = changed(&self.install, changes);
        let python = changes.python.as_deref().or(self.python.as_deref());
        let spec = EnvironmentSpec::from_install(python, &install, &self.bench.checkout.project());
        let mut limits = Limits::for_installation();
        limits.wall = limits.wall.min(self.bench.time_left());
        let environment = self
            .bench
            .facilities
            .environments
            .prepare(&spec, &limits, &self.bench.cancel)
            .await
            .map_err(environment_error)?;
        Ok((environment, install))
    }

    fn command(
        &self,
        environment: &Environment,
        changes: &RuntimeChanges,
        arguments: Vec<String>,
        copy: &WorkCopy,
        records: &Path,
    ) -> Command {
        let python = environment.python.display().to_string();
        let mut command = Command::new(std::iter::once(python).chain(arguments), copy.project());
        command.writable = vec![copy.root(), records.to_owned()];
        command.readable = environment.readable();
        command.readable.push(self.bench.facilities.probes.clone());
        command.variables = self.plan.variables(
            &changes.variables,
            &self.bench.facilities.probes,
            &records.join(RECORDS),
        );
        command.network = Network::None;
        command.limits = self.bench.facilities.limits.clone();
        command.limits.wall = command.limits.wall.min(self.bench.time_left());
        command
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
        let (copy, records) = self.bench.copy(tree).await?;
        let arguments = self.plan.arguments();
        let mut command = self.command(&environment, changes, arguments, &copy, records.path());
        command.variables.extend(conditions.variables());
        lay_plan(&mut command, conditions, records.path())?;
        let finished = self.bench.run(&command).await?;
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
        let mut installed = self.bench.facilities.installed(&environment, requested);
        installed.variables.clone_from(&self.plan.variables);
        installed.variables.extend(changes.variables.clone());
        Ok(Attempt {
            report,
            installed: Arc::new(installed),
            install,
            run: finished.elapsed,
            stopped: stopped(&finished, &self.bench.facilities.limits),
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
        let (copy, records) = self.bench.copy(tree).await?;
        let mut command = self.command(&environment, changes, arguments, &copy, records.path());
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
        let finished = self.bench.run(&command).await?;
        let mut bites = Bites::read(&read_records(&records.path().join(RECORDS)), defects.len());
        bites.run = finished.elapsed;
        Ok(bites)
    }

    fn past(&self) -> Arc<dyn Past> {
        self.bench.past()
    }

    fn index(&self) -> Arc<dyn PackageIndex + Send + Sync> {
        Arc::new(KnownVersions(self.index.clone()))
    }
}

/// The index as strategies see it: what cannot be asked has no versions.
pub(crate) struct KnownVersions(pub(crate) PipIndex);

impl PackageIndex for KnownVersions {
    fn versions(&self, distribution: &str) -> Vec<String> {
        self.0.versions(distribution).unwrap_or_else(|error| {
            tracing::debug!(distribution, %error, "the package index gave no versions");
            Vec::new()
        })
    }
}
