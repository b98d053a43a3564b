//! One run of Node, but for where it is made: what its runner is told, and what is laid out for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use maestro_protocol::heal::RuntimeChanges;

use super::plan::{Plan, Runner};
use super::{arrange, coverage};
use crate::case::Installed;
use crate::conditions::Conditions;
use crate::edge::{NodeEnvironment, WorkCopy};
use crate::failure::Report;
use crate::laboratory::{Attempt, AttemptError};
use crate::overlay::Overlay;

/// What is run: a tree in an environment.
pub(super) struct Subject<'a> {
    pub(super) tree: &'a Overlay,
    pub(super) changes: &'a RuntimeChanges,
    pub(super) plan: Plan,
    pub(super) environment: NodeEnvironment,
    /// The runner's own file, none where Node is the runner.
    pub(super) program: Option<PathBuf>,
    pub(super) installed: Arc<Installed>,
    pub(super) install: Duration,
}

impl Subject<'_> {
    /// Another tree in the same environment.
    pub(super) fn of<'t>(&'t self, tree: &'t Overlay) -> Subject<'t> {
        Subject {
            tree,
            changes: self.changes,
            plan: self.plan.clone(),
            environment: self.environment.clone(),
            program: self.program.clone(),
            installed: Arc::clone(&self.installed),
            install: self.install,
        }
    }

    pub(super) fn attempt(
        &self,
        report: Report,
        run: Duration,
        stopped: Option<String>,
    ) -> Attempt {
        Attempt {
            report,
            installed: Arc::clone(&self.installed),
            install: self.install,
            run,
            stopped,
            forked: false,
        }
    }

    /// The words behind the program `node`.
    pub(super) fn words(
        &self,
        conditions: &Conditions,
        probes: &Path,
        covered: &Path,
    ) -> Vec<String> {
        let plan = &self.plan;
        let mut words = plan.words(self.program.as_deref(), probes);
        if !conditions.trace.is_empty() && plan.runner == Runner::Jest {
            words.extend(coverage::of_jest(covered));
        } else {
            words.extend(plan.uncovered().map(str::to_owned));
        }
        words.extend(uncached(plan.runner, &self.installed));
        if let Some(runner) = self.arranged(conditions) {
            words.extend(arrange::options(runner, probes));
        }
        words
    }

    /// The runner, where it has to be told of the conditions.
    fn arranged(&self, conditions: &Conditions) -> Option<Runner> {
        let runner = self.plan.runner;
        // vitest's processes have to be asked for what they ran.
        let asked = !conditions.trace.is_empty() && runner == Runner::Vitest;
        (conditions.arranges() || asked).then_some(runner)
    }

    /// The tree as it is laid out for a run under these conditions.
    pub(super) fn laid_out(&self, conditions: &Conditions, probes: &Path) -> Overlay {
        match self.arranged(conditions) {
            Some(runner) => arrange::prepared(self.tree, runner, probes),
            None => self.tree.clone(),
        }
    }

    /// Adds to a copy what is no file of the project's. The variables of its run, and the conditions as its probe reads them.
    pub(super) fn lay(
        &self,
        copy: &WorkCopy,
        conditions: &Conditions,
        probes: &Path,
    ) -> Result<(BTreeMap<String, String>, Conditions), AttemptError> {
        let project = copy.project();
        link_packages(&self.environment.modules, &project)?;
        let Some(runner) = self.arranged(conditions) else {
            return Ok((BTreeMap::new(), Conditions::default()));
        };
        arrange::lay(copy, runner)?;
        Ok((
            arrange::variables(runner, probes, &project),
            arrange::within(conditions, &project),
        ))
    }
}

/// Links the packages into the project's directory, where Node looks for them first. Nothing of that name is in a copy.
pub(crate) fn link_packages(modules: &Path, project: &Path) -> Result<(), AttemptError> {
    let place = project.join("node_modules");
    std::os::unix::fs::symlink(modules, &place).map_err(|error| {
        AttemptError::Machine(format!("unable to make {}: {error}", place.display()))
    })
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
