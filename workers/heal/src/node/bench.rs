//! The laboratory of Node: each attempt is a fresh copy of the checkout, with the packages of an environment from the
//! cache linked into it, in the sandbox.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use maestro_protocol::heal::{HealRequested, RuntimeChanges};
use maestro_protocol::project::Runtime;

use super::coverage;
use super::manifest::{self, Package};
use super::plan::{Plan, Runner};
use super::run::Subject;
use super::warm::Warm;
use super::{Node, subject};
use crate::adapter::Adapter;
use crate::bench::{Bench, RECORDS, environment_error, lay_plan, read_records, stopped};
use crate::case::{Installed, PackageIndex, Tree};
use crate::conditions::{Chances, Conditions};
use crate::edge::{
    Command, Ended, Index, Limits, Manifest, Network, NodeEnvironment, NodeSpec, NpmIndex,
    NpmSettings,
};
use crate::failure::{Failure, Phase, Report};
use crate::fork_server::Forked;
use crate::laboratory::{Attempt, AttemptError, Laboratory};
use crate::node::requirement_name;
use crate::overlay::Overlay;
use crate::past::Past;
use crate::teeth::lanes::{self, Passes};
use crate::teeth::{Bites, Defect};

/// The project's own packages, in a list of what is installed.
const PROJECT: &str = ".";
/// Processes and threads of one run: each process of Node has eleven threads.
pub(crate) const PROCESSES: u32 = 1024;
/// The least that a run with a defect may take where it starts its runner itself.
const LEAST_BY_ITSELF: Duration = Duration::from_secs(10);
/// Where a run leaves what its processes covered, below the directory of its records.
pub(super) const COVERAGE: &str = "coverage";

/// The laboratory of one heal.
#[derive(Debug)]
pub(crate) struct NodeBench {
    pub(super) bench: Bench,
    pub(super) plan: Plan,
    node: Option<String>,
    install: Vec<String>,
    manifest: Option<Manifest>,
    settings: NpmSettings,
    index: NpmIndex,
    pub(super) warm: Warm,
}

impl NodeBench {
    /// Without a list of what is installed the project's own manifest decides. A report of a missing module comes from
    /// where the packages for development are missing: there it is looked at as well.
    pub(crate) fn new(
        bench: Bench,
        plan: Plan,
        runtime: &Runtime,
        request: &HealRequested,
        settings: NpmSettings,
        tree: &dyn Tree,
    ) -> Self {
        let install = runtime
            .install
            .clone()
            .unwrap_or_else(|| vec![PROJECT.to_owned()]);
        let (own, mut install): (Vec<String>, Vec<String>) =
            install.into_iter().partition(|entry| entry == PROJECT);
        let said = format!(
            "{} {}",
            request.message,
            request.stack_trace.as_deref().unwrap_or_default()
        );
        let without_dev = runtime.install.is_none() && subject::says_module_missing(&said);
        let manifest = tree
            .read(manifest::NAME)
            .filter(|_| !own.is_empty())
            .map(|package| Manifest {
                lock: tree
                    .read("npm-shrinkwrap.json")
                    .or_else(|| tree.read("package-lock.json")),
                package,
                without_dev,
            });
        if without_dev && let Some(package) = plan.runner.package() {
            install.push(asked(&Package::read(tree), package));
        }
        let index = NpmIndex::new(&bench.facilities.environments, &settings);
        Self {
            bench,
            plan,
            node: runtime.node.clone(),
            install,
            manifest,
            settings,
            index,
            warm: Warm::default(),
        }
    }

    /// The subject of a plan; a report where what runs the tests is not installed.
    async fn subject<'a>(
        &self,
        tree: &'a Overlay,
        changes: &'a RuntimeChanges,
        plan: Plan,
    ) -> Result<Result<Subject<'a>, Attempt>, AttemptError> {
        let began = Instant::now();
        let (environment, requested) = self.environment(changes).await?;
        let install = began.elapsed();
        let installed = Arc::new(self.installed(&environment, requested));
        Ok(match self.program(&environment) {
            Ok(program) => Ok(Subject {
                tree,
                changes,
                plan,
                environment,
                program,
                installed,
                install,
            }),
            Err(package) => Err(Attempt {
                report: without_runner(package),
                installed,
                install,
                run: Duration::ZERO,
                stopped: None,
                forked: false,
            }),
        })
    }

    /// The request's environment with the changes made to it.
    async fn environment(
        &self,
        changes: &RuntimeChanges,
    ) -> Result<(NodeEnvironment, Vec<String>), AttemptError> {
        let mut install = self.install.clone();
        for name in changes
            .uninstall
            .iter()
            .chain(&changes.install)
            .map(|requirement| requirement_name(requirement))
        {
            install.retain(|requirement| requirement_name(requirement) != name);
        }
        let mut manifest = self.manifest.clone();
        let (own, others): (Vec<String>, Vec<String>) = changes
            .install
            .iter()
            .cloned()
            .partition(|requirement| requirement == PROJECT);
        if !own.is_empty()
            && let Some(manifest) = &mut manifest
        {
            manifest.without_dev = false;
        }
        install.extend(others);
        let spec = NodeSpec {
            node: self.node.clone(),
            install: install.clone(),
            project: manifest,
        };
        let mut limits = Limits::for_installation();
        limits.wall = limits.wall.min(self.bench.time_left());
        let environment = self
            .bench
            .facilities
            .environments
            .prepare_node(&spec, &self.settings, &limits, &self.bench.cancel)
            .await
            .map_err(environment_error)?;
        Ok((environment, install))
    }

    /// The runner's own file, none where Node is the runner; the package that is not installed where that is so.
    fn program(&self, environment: &NodeEnvironment) -> Result<Option<PathBuf>, &'static str> {
        match self.plan.runner.package() {
            None => Ok(None),
            Some(package) => environment
                .program(package, package)
                .map(Some)
                .ok_or(package),
        }
    }

    /// A command that sees the packages and the probes, and writes nothing yet.
    pub(super) fn command(
        &self,
        subject: &Subject<'_>,
        words: Vec<String>,
        directory: &Path,
        records: &Path,
    ) -> Command {
        let environment = &subject.environment;
        let node = environment.node.display().to_string();
        let mut command = Command::new(std::iter::once(node).chain(words), directory);
        command.readable = environment.readable();
        command.readable.push(self.bench.facilities.probes.clone());
        command.variables = self.plan.variables(&self.bench.facilities.probes, records);
        set(&mut command, subject.changes);
        command.network = Network::None;
        command.limits = self.bench.facilities.limits.clone();
        command.limits.processes = command.limits.processes.max(PROCESSES);
        command.limits.wall = command.limits.wall.min(self.bench.time_left());
        command
    }

    /// A run in a process that is started for it.
    async fn alone(
        &self,
        subject: &Subject<'_>,
        conditions: &Conditions,
        limit: Duration,
    ) -> Result<Attempt, AttemptError> {
        let probes = &self.bench.facilities.probes;
        let laid_out = subject.laid_out(conditions, probes);
        let (copy, records) = self.bench.copy(&laid_out).await?;
        let covered = records.path().join(COVERAGE);
        let words = subject.words(conditions, probes, &covered);
        let written = records.path().join(RECORDS);
        let mut command = self.command(subject, words, &copy.project(), &written);
        command.writable = vec![copy.root(), records.path().to_owned()];
        command.limits.wall = command.limits.wall.min(limit);
        let (variables, told) = subject.lay(&copy, conditions, probes)?;
        command.variables.extend(variables);
        lay_plan(&mut command, &told, records.path())?;
        let traced = !conditions.trace.is_empty();
        let runner = subject.plan.runner;
        if traced && runner != Runner::Jest {
            command
                .variables
                .insert("NODE_V8_COVERAGE".to_owned(), covered.display().to_string());
        }
        let finished = self.bench.run(&command).await?;
        let status = match finished.ended {
            Ended::Exited(code) => Some(code),
            _ => None,
        };
        let mut report = subject.plan.read(
            &copy.project(),
            &read_records(&written),
            &finished.stdout,
            &finished.stderr,
            status,
        );
        if traced {
            report.lines = coverage::lines(&covered, &copy.project(), subject.tree, runner);
        }
        let stopped = stopped(&finished, &command.limits);
        Ok(subject.attempt(report, finished.elapsed, stopped))
    }

    fn installed(&self, environment: &NodeEnvironment, requested: Vec<String>) -> Installed {
        let package = self.plan.runner.package();
        Installed {
            site_packages: environment.modules.clone(),
            distributions: environment.installed.clone(),
            requested,
            node: environment.version,
            runner_missing: package
                .filter(|package| environment.program(package, package).is_none())
                .map(str::to_owned),
            ..Installed::default()
        }
    }
}

/// What the project asks for of a package, in npm's notation.
pub(super) fn asked(package: &Package, name: &str) -> String {
    package
        .asked
        .get(name)
        .map(|asked| format!("{name}@{}", asked.range))
        .filter(|requirement| crate::edge::is_npm_requirement(requirement))
        .unwrap_or_else(|| name.to_owned())
}

/// Sets the variables of a change; options of Node are added to those that are there.
fn set(command: &mut Command, changes: &RuntimeChanges) {
    for (name, value) in &changes.variables {
        let value = match command
            .variables
            .get(name)
            .filter(|_| name == "NODE_OPTIONS")
        {
            Some(given) => format!("{given} {value}"),
            None => value.clone(),
        };
        command.variables.insert(name.clone(), value);
    }
}

/// The report of a run that could not begin, because what runs the tests is not installed.
fn without_runner(package: &str) -> Report {
    Report {
        failures: vec![Failure {
            phase: Phase::Usage,
            exception: Some("Error".to_owned()),
            message: format!("Cannot find module '{package}'"),
            code: Some("MODULE_NOT_FOUND".to_owned()),
            text: format!("the tests are run by {package}, which is not installed"),
            ..Failure::default()
        }],
        ..Report::default()
    }
}

/// The tests whose teeth are looked at.
struct Biting<'a> {
    bench: &'a NodeBench,
    subject: Subject<'a>,
    tests: &'a [String],
}

impl Passes for Biting<'_> {
    async fn passes(
        &self,
        tree: &Overlay,
        _lane: u8,
        limit: Duration,
    ) -> Result<Option<bool>, AttemptError> {
        let subject = &self.subject.of(tree);
        let plain = Conditions::default();
        match self.bench.forked(subject, &plain, limit).await? {
            Some(Forked::Ended { passed, .. }) => return Ok(Some(passed)),
            // One that takes too long would be noticed by a person.
            Some(Forked::Stopped) => return Ok(Some(false)),
            None => {}
        }
        let limit = limit.max(LEAST_BY_ITSELF);
        let attempt = self.bench.alone(subject, &plain, limit).await?;
        let report = &attempt.report;
        let passed = |test: &String| report.passed(test);
        Ok(Some(
            attempt.stopped.is_none()
                && report.failures.is_empty()
                && self.tests.iter().any(passed),
        ))
    }
}

impl Laboratory for NodeBench {
    async fn attempt_under(
        &self,
        tree: &Overlay,
        changes: &RuntimeChanges,
        conditions: &Conditions,
    ) -> Result<Attempt, AttemptError> {
        let plan = self.plan.for_files_of(&conditions.only);
        let subject = match self.subject(tree, changes, plan).await? {
            Ok(subject) => subject,
            Err(attempt) => return Ok(attempt),
        };
        let limit = self.bench.facilities.limits.wall;
        if conditions.apart {
            // The next runs are likely to be of the same kind.
            let (attempt, ()) = tokio::join!(
                self.alone(&subject, conditions, limit),
                self.warm_up(&subject)
            );
            let attempt = attempt?;
            self.warm.saw(&attempt.report);
            return Ok(attempt);
        }
        match self.forked(&subject, conditions, limit).await? {
            Some(Forked::Ended { attempt, .. }) => Ok(*attempt),
            _ => self.alone(&subject, conditions, limit).await,
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
        let plan = self.plan.for_tests(tests);
        let Ok(subject) = self.subject(tree, changes, plan).await? else {
            return Ok(Bites::default());
        };
        let biting = Biting {
            bench: self,
            subject,
            tests,
        };
        let began = Instant::now();
        let mut bites = lanes::bite(&biting, tree, defects, within).await?;
        // What fails now and then would be taken for a test that notices.
        let left = within.saturating_sub(began.elapsed());
        if bites.caught.contains(&Some(true)) && !left.is_zero() {
            bites.sound &= biting.passes(tree, 0, left).await? != Some(false);
            bites.run = began.elapsed();
        }
        Ok(bites)
    }

    fn distrust(&self) {
        self.warm.distrust();
    }

    fn adapter(&self) -> &'static dyn Adapter {
        &Node
    }

    fn arranges(&self) -> bool {
        self.plan.runner.arranges()
    }

    fn chances(&self) -> Chances {
        Chances::DRAWS
    }

    fn past(&self) -> Arc<dyn Past> {
        self.bench.past()
    }

    fn index(&self) -> Arc<dyn PackageIndex + Send + Sync> {
        Arc::new(KnownVersions(self.index.clone()))
    }
}

/// The registry as strategies see it: what cannot be asked has no versions.
pub(crate) struct KnownVersions(pub(crate) NpmIndex);

impl PackageIndex for KnownVersions {
    fn versions(&self, distribution: &str) -> Vec<String> {
        self.0.versions(distribution).unwrap_or_else(|error| {
            tracing::debug!(distribution, %error, "the registry gave no versions");
            Vec::new()
        })
    }
}
