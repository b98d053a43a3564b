//! The laboratory of Rust: each attempt is a fresh copy of the checkout, built and run by cargo in the sandbox, without
//! network, with the crates of an environment from the cache. What is built is kept for the attempts of one heal, which are made one after the
//! other, at one path.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use maestro_protocol::heal::RuntimeChanges;
use tempfile::TempDir;

use super::Rust;
use super::bite::Biting;
use super::call::Change;
use super::freshness::Freshness;
use super::orders::MOST_ORDERS;
use super::place::{channel, date, installed, lock};
use super::plan::Plan;
use super::reach;
use super::report::{Known, unresolved};
use crate::adapter::Adapter;
use crate::bench::{Bench, environment_error, stopped};
use crate::case::{Installed, PackageIndex};
use crate::conditions::{Chances, Conditions};
use crate::edge::{
    CargoIndex, CargoSettings, EnvironmentError, Index, Limits, RustEnvironment, RustProject,
    WorkCopy,
};
use crate::laboratory::{Attempt, AttemptError, Laboratory};
use crate::overlay::Overlay;
use crate::past::Past;
use crate::teeth::{Bites, Defect};

/// How often a program that passes is run once more: a test that fails now and then may show it.
const AGAIN: &str = "2";
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

    pub(super) fn target(&self) -> Result<PathBuf, AttemptError> {
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
