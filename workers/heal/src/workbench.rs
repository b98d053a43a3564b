//! The laboratory of Python: each attempt is a fresh copy of the checkout, in an environment from the
//! cache, in the sandbox.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use maestro_protocol::heal::RuntimeChanges;
use maestro_protocol::project::{Framework, Runtime};

use crate::bench::{
    Bench, RECORDS, changed, environment_error, lay_plan, read_records, stopped, write_plan,
};
use crate::case::{Installed, PackageIndex, Release};
use crate::conditions::Conditions;
use crate::edge::command::SYSTEM_PROGRAMS;
use crate::edge::{
    Command, Confinement, Ended as Finish, Environment, EnvironmentSpec, Index, Limits, Network,
    PipIndex,
};
use crate::failure::Report;
use crate::fork_server::{Ended, ForkServer, ForkServers, Forked, Job, Kind, SOCKET};
use crate::laboratory::{Attempt, AttemptError, Laboratory};
use crate::overlay::Overlay;
use crate::past::Past;
use crate::runner::Plan;
use crate::teeth::lanes::{self, Passes};
use crate::teeth::{Bites, Defect};

/// What is installed where nothing is said.
const DEFAULT_INSTALL: &str = "pytest";
/// The laboratory of one heal.
#[derive(Debug)]
pub(crate) struct Workbench {
    bench: Bench,
    plan: Plan,
    python: Option<String>,
    install: Vec<String>,
    index: PipIndex,
    fork_servers: ForkServers,
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
            fork_servers: ForkServers::default(),
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

    /// A command that sees the environment, the probes and what it may write.
    fn command(
        &self,
        environment: &Environment,
        variables: &BTreeMap<String, String>,
        arguments: Vec<String>,
        directory: &Path,
        records: &Path,
    ) -> Command {
        let python = environment.python.display().to_string();
        let mut command = Command::new(std::iter::once(python).chain(arguments), directory);
        command.readable = environment.readable();
        command.readable.push(self.bench.facilities.probes.clone());
        command.variables = self
            .plan
            .variables(variables, &self.bench.facilities.probes, records);
        // A test that starts `python`, or a program of a package, means those of the environment.
        let programs = environment.root.join("bin");
        command
            .variables
            .entry("PATH".to_owned())
            .or_insert_with(|| format!("{}:{SYSTEM_PROGRAMS}", programs.display()));
        command.network = Network::None;
        command.limits = self.bench.facilities.limits.clone();
        command.limits.wall = command.limits.wall.min(self.bench.time_left());
        command
    }

    /// A run in a process that is started for it.
    async fn alone(
        &self,
        subject: &Subject<'_>,
        conditions: &Conditions,
    ) -> Result<Attempt, AttemptError> {
        let (copy, records) = self.bench.copy(subject.tree).await?;
        let mut command = self.command(
            &subject.environment,
            subject.variables,
            self.plan.arguments(),
            &copy.project(),
            &records.path().join(RECORDS),
        );
        command.writable = vec![copy.root(), records.path().to_owned()];
        command.variables.extend(conditions.variables());
        lay_plan(&mut command, conditions, records.path())?;
        let finished = self.bench.run(&command).await?;
        let written = read_records(&records.path().join(RECORDS));
        let status = match finished.ended {
            Finish::Exited(code) => Some(code),
            _ => None,
        };
        let report = self.plan.read(
            &copy.project(),
            &written,
            &finished.stdout,
            &finished.stderr,
            status,
        );
        Ok(subject.attempt(
            report,
            finished.elapsed,
            stopped(&finished, &self.bench.facilities.limits),
        ))
    }

    /// A run in a process that is forked for it; `None` where that cannot be, or says too little.
    async fn forked(
        &self,
        subject: &Subject<'_>,
        conditions: &Conditions,
        limit: Duration,
    ) -> Result<Option<Forked>, AttemptError> {
        let Some(server) = self.fork_server(subject, conditions).await else {
            return Ok(None);
        };
        let (copy, records) = self.bench.copy_in(subject.tree, server.directory()).await?;
        let plan = write_plan(conditions, records.path())?;
        let written = records.path().join(RECORDS);
        let began = Instant::now();
        let job = Job {
            directory: &copy.project(),
            records: &written,
            plan: plan.as_deref(),
            words: &[],
            variables: &BTreeMap::new(),
            limit: limit.min(self.bench.time_left()),
        };
        let ended = server.run(&job).await;
        let run = began.elapsed();
        let status = match ended {
            None => return Ok(None),
            Some(Ended::Stopped) => return Ok(Some(Forked::Stopped)),
            Some(Ended::Exited(status)) => status,
        };
        let written = read_records(&written);
        // What the runner printed is not here: a run that it does not explain is made again.
        let report = self.plan.read(&copy.project(), &written, &[], &[], Some(0));
        let explained = match status {
            0 => true,
            1 | 2 => !report.failures.is_empty(),
            5 => self.plan.framework == Framework::Pytest,
            _ => false,
        };
        Ok(explained.then(|| Forked::Ended {
            passed: status == 0,
            attempt: Box::new(Attempt {
                forked: true,
                ..subject.attempt(report, run, None)
            }),
        }))
    }

    /// The process that is forked for runs of a subject.
    async fn fork_server(
        &self,
        subject: &Subject<'_>,
        conditions: &Conditions,
    ) -> Option<Arc<ForkServer>> {
        let arguments = self.plan.fork_server_arguments(SOCKET)?;
        let facilities = &self.bench.facilities;
        // Nothing else ends what a run leaves running.
        if facilities.sandbox.confinement() != Confinement::Bubblewrap {
            return None;
        }
        let mut variables = subject.variables.clone();
        variables.extend(conditions.variables());
        let kind = Kind {
            environment: subject.environment.python.clone(),
            variables,
            lane: subject.lane,
        };
        // The first run of a kind may be the only one.
        let may_be_the_only_one =
            conditions.hash_seed.is_none() && subject.lane == 0 && !conditions.apart;
        if !self.fork_servers.is_known(&kind) && may_be_the_only_one {
            return None;
        }
        let command = |directory: &Path| {
            let mut command = self.command(
                &subject.environment,
                &kind.variables,
                arguments,
                directory,
                // Each run is told its own.
                Path::new(""),
            );
            self.bench.for_several_runs(&mut command);
            command
        };
        let (sandbox, cancel) = (&facilities.sandbox, &self.bench.cancel);
        self.fork_servers
            .of(&kind, sandbox, cancel, &facilities.work, command)
            .await
    }

    /// Ends what was started for the runs of this heal.
    pub(crate) async fn close(&self) {
        self.fork_servers.close().await;
    }
}

/// What is run: a tree in an environment.
struct Subject<'a> {
    tree: &'a Overlay,
    variables: &'a BTreeMap<String, String>,
    environment: Environment,
    installed: Arc<Installed>,
    install: Duration,
    /// Runs of different lanes can be made at the same time.
    lane: u8,
}

impl Subject<'_> {
    /// Another tree in the same environment, in a lane.
    fn of<'t>(&'t self, tree: &'t Overlay, lane: u8) -> Subject<'t> {
        Subject {
            tree,
            lane,
            variables: self.variables,
            environment: self.environment.clone(),
            installed: Arc::clone(&self.installed),
            install: self.install,
        }
    }

    fn attempt(&self, report: Report, run: Duration, stopped: Option<String>) -> Attempt {
        Attempt {
            report,
            installed: Arc::clone(&self.installed),
            install: self.install,
            run,
            stopped,
            forked: false,
        }
    }
}

/// The tests whose teeth are looked at.
struct Biting<'a> {
    workbench: &'a Workbench,
    subject: Subject<'a>,
    conditions: Conditions,
}

impl Passes for Biting<'_> {
    async fn passes(
        &self,
        tree: &Overlay,
        lane: u8,
        limit: Duration,
    ) -> Result<Option<bool>, AttemptError> {
        let subject = &self.subject.of(tree, lane);
        let conditions = &self.conditions;
        match self.workbench.forked(subject, conditions, limit).await? {
            Some(Forked::Ended { passed, .. }) => return Ok(Some(passed)),
            // One that takes too long would be noticed by a person.
            Some(Forked::Stopped) => return Ok(Some(false)),
            None => {}
        }
        let attempt = self.workbench.alone(subject, conditions).await?;
        let report = &attempt.report;
        Ok(Some(
            attempt.stopped.is_none()
                && report.failures.is_empty()
                && conditions.only.iter().any(|test| report.passed(test)),
        ))
    }
}

impl Workbench {
    async fn subject<'a>(
        &self,
        tree: &'a Overlay,
        changes: &'a RuntimeChanges,
    ) -> Result<Subject<'a>, AttemptError> {
        let began = Instant::now();
        let (environment, requested) = self.environment(changes).await?;
        let install = began.elapsed();
        let mut installed = self.bench.facilities.installed(&environment, requested);
        installed.variables.clone_from(&self.plan.variables);
        installed.variables.extend(changes.variables.clone());
        Ok(Subject {
            tree,
            variables: &changes.variables,
            environment,
            installed: Arc::new(installed),
            install,
            lane: 0,
        })
    }
}

impl Laboratory for Workbench {
    async fn attempt_under(
        &self,
        tree: &Overlay,
        changes: &RuntimeChanges,
        conditions: &Conditions,
    ) -> Result<Attempt, AttemptError> {
        let subject = self.subject(tree, changes).await?;
        if conditions.apart {
            // The next runs are likely to be of the same kind.
            let (attempt, _) = tokio::join!(
                self.alone(&subject, conditions),
                self.fork_server(&subject, conditions)
            );
            return attempt;
        }
        let limit = self.bench.facilities.limits.wall;
        match self.forked(&subject, conditions, limit).await? {
            Some(Forked::Ended { attempt, .. }) => Ok(*attempt),
            _ => self.alone(&subject, conditions).await,
        }
    }

    async fn bite(
        &self,
        tree: &Overlay,
        changes: &RuntimeChanges,
        tests: &[String],
        defects: &[Defect],
        within: Duration,
    ) -> Result<Bites, AttemptError> {
        let biting = Biting {
            workbench: self,
            subject: self.subject(tree, changes).await?,
            conditions: Conditions {
                only: tests.to_vec(),
                narrow: true,
                ..Conditions::default()
            },
        };
        lanes::bite(&biting, tree, defects, within).await
    }

    fn distrust(&self) {
        self.fork_servers.distrust();
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

    fn releases(&self, distributions: &[String]) -> BTreeMap<String, Vec<Release>> {
        self.0.releases(distributions).unwrap_or_else(|error| {
            tracing::debug!(%error, "the package index did not tell the times of releases");
            BTreeMap::new()
        })
    }
}
