//! The laboratory of Node: each attempt is a fresh copy of the checkout, with the packages of an environment from the
//! cache linked into it, in the sandbox.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use maestro_protocol::heal::{HealRequested, RuntimeChanges};
use maestro_protocol::project::Runtime;

use super::manifest::{self, Package};
use super::plan::{Plan, Runner};
use super::{Node, subject};
use super::{arrange, coverage};
use crate::adapter::Adapter;
use crate::bench::{
    Bench, RECORDS, environment_error, lay_plan, read_records, stopped, write_beside,
};
use crate::case::{Installed, PackageIndex, Tree};
use crate::conditions::{Chances, Conditions};
use crate::edge::{
    Command, Ended, Index, Limits, Manifest, Network, NodeEnvironment, NodeSpec, NpmIndex,
    NpmSettings, WorkCopy,
};
use crate::failure::{Failure, Phase, Report};
use crate::laboratory::{Attempt, AttemptError, Laboratory};
use crate::node::requirement_name;
use crate::overlay::Overlay;
use crate::past::Past;
use crate::teeth::{Bites, Defect};

/// The project's own packages, in a list of what is installed.
const PROJECT: &str = ".";
/// Processes and threads of one run: each process of Node has eleven threads.
pub(crate) const PROCESSES: u32 = 1024;
/// Where a run leaves what its processes covered, below the directory of its records.
const COVERAGE: &str = "coverage";

/// The laboratory of one heal.
#[derive(Debug)]
pub(crate) struct NodeBench {
    bench: Bench,
    plan: Plan,
    node: Option<String>,
    install: Vec<String>,
    manifest: Option<Manifest>,
    settings: NpmSettings,
    index: NpmIndex,
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
        }
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

    fn command(
        &self,
        environment: &NodeEnvironment,
        words: Vec<String>,
        copy: &WorkCopy,
        records: &Path,
    ) -> Result<Command, AttemptError> {
        link_packages(&environment.modules, &copy.project())?;
        let node = environment.node.display().to_string();
        let mut command = Command::new(std::iter::once(node).chain(words), copy.project());
        command.writable = vec![copy.root(), records.to_owned()];
        command.readable = environment.readable();
        command.readable.push(self.bench.facilities.probes.clone());
        command.variables = self
            .plan
            .variables(&self.bench.facilities.probes, &records.join(RECORDS));
        command.network = Network::None;
        command.limits = self.bench.facilities.limits.clone();
        command.limits.processes = command.limits.processes.max(PROCESSES);
        command.limits.wall = command.limits.wall.min(self.bench.time_left());
        Ok(command)
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

/// Links the packages into the project's directory, where Node looks for them first. Nothing of that name is in a copy.
pub(crate) fn link_packages(modules: &Path, project: &Path) -> Result<(), AttemptError> {
    let place = project.join("node_modules");
    std::os::unix::fs::symlink(modules, &place).map_err(|error| {
        AttemptError::Machine(format!("unable to make {}: {error}", place.display()))
    })
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

/// What keeps vitest, since 1.0, from writing the times of a run beside the packages, which are not the run's to write to: it
/// takes a green run for a failed one where it cannot.
fn uncached(runner: Runner, installed: &Installed) -> Option<String> {
    let major: u32 = installed
        .distributions
        .iter()
        .find(|(name, _)| name == "vitest")
        .and_then(|(_, version)| version.split('.').next()?.parse().ok())?;
    (runner == Runner::Vitest && major >= 1).then(|| "--no-cache".to_owned())
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

impl Laboratory for NodeBench {
    async fn attempt_under(
        &self,
        tree: &Overlay,
        changes: &RuntimeChanges,
        conditions: &Conditions,
    ) -> Result<Attempt, AttemptError> {
        let began = Instant::now();
        let (environment, requested) = self.environment(changes).await?;
        let install = began.elapsed();
        let installed = Arc::new(self.installed(&environment, requested));
        let program = match self.program(&environment) {
            Ok(program) => program,
            Err(package) => {
                return Ok(Attempt {
                    report: without_runner(package),
                    installed,
                    install,
                    run: Duration::ZERO,
                    stopped: None,
                    forked: false,
                });
            }
        };
        let probes = &self.bench.facilities.probes;
        let traced = !conditions.trace.is_empty();
        // vitest's processes have to be asked for what they ran.
        let asked = traced && self.plan.runner == Runner::Vitest;
        let arranged = (conditions.arranges() || asked).then_some(self.plan.runner);
        let (copy, records) = match arranged {
            Some(runner) => {
                let arranged = arrange::prepared(tree, runner, probes);
                self.bench.copy(&arranged).await?
            }
            None => self.bench.copy(tree).await?,
        };
        let mut words = self
            .plan
            .for_files_of(&conditions.only)
            .words(program.as_deref(), probes);
        let covered = records.path().join(COVERAGE);
        if traced && self.plan.runner == Runner::Jest {
            words.extend(coverage::of_jest(&covered));
        } else {
            words.extend(self.plan.uncovered().map(str::to_owned));
        }
        words.extend(uncached(self.plan.runner, &installed));
        let mut command = self.command(&environment, words, &copy, records.path())?;
        if let Some(runner) = arranged {
            arrange::lay(&copy, runner)?;
            let project = copy.project();
            command.argv.extend(arrange::options(runner, probes));
            command
                .variables
                .extend(arrange::variables(runner, probes, &project));
            lay_plan(
                &mut command,
                &arrange::within(conditions, &project),
                records.path(),
            )?;
        }
        set(&mut command, changes);
        if traced && self.plan.runner != Runner::Jest {
            command
                .variables
                .insert("NODE_V8_COVERAGE".to_owned(), covered.display().to_string());
        }
        let finished = self.bench.run(&command).await?;
        let written = read_records(&records.path().join(RECORDS));
        let status = match finished.ended {
            Ended::Exited(code) => Some(code),
            _ => None,
        };
        let mut report = self.plan.read(
            &copy.project(),
            &written,
            &finished.stdout,
            &finished.stderr,
            status,
        );
        if traced {
            report.lines = coverage::lines(&covered, &copy.project(), tree, self.plan.runner);
        }
        Ok(Attempt {
            report,
            installed,
            install,
            run: finished.elapsed,
            stopped: stopped(&finished, &self.bench.facilities.limits),
            forked: false,
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
        let (environment, requested) = self.environment(changes).await?;
        let Ok(program) = self.program(&environment) else {
            return Ok(Bites::default());
        };
        let (copy, records) = self.bench.copy(tree).await?;
        let plan = self.plan.for_tests(tests);
        let probes = &self.bench.facilities.probes;
        let mut run = plan.words(program.as_deref(), probes);
        run.extend(plan.uncovered().map(str::to_owned));
        run.extend(uncached(
            plan.runner,
            &self.installed(&environment, requested),
        ));
        let driver = probes.join("maestro_node_teeth.cjs").display().to_string();
        let mut command = self.command(&environment, vec![driver], &copy, records.path())?;
        set(&mut command, changes);
        let planted: Vec<Defect> = defects
            .iter()
            .map(|defect| Defect {
                path: copy.project().join(&defect.path).display().to_string(),
                ..defect.clone()
            })
            .collect();
        let list = serde_json::to_vec(&serde_json::json!({
            "defects": planted,
            "words": run,
            // A defect that makes a run endless must leave time for the others.
            "limit": u64::try_from((within / 3).as_millis()).unwrap_or(u64::MAX),
        }))
        .unwrap_or_default();
        write_beside(
            &mut command,
            "MAESTRO_TEETH",
            "defects.json",
            &list,
            records.path(),
        )?;
        command.limits.wall = command.limits.wall.min(within);
        let finished = self.bench.run(&command).await?;
        let mut bites = Bites::read(&read_records(&records.path().join(RECORDS)), defects.len());
        bites.run = finished.elapsed;
        Ok(bites)
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
