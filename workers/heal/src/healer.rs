//! From a message to a verdict: brings the project here, makes its laboratory, and lets the engine heal.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use maestro_memory::Known;
use maestro_protocol::heal::{HealCompleted, HealRequested, Policy, ProductChanges};
use tokio_util::sync::CancellationToken;

use crate::adapter::Adapter as _;
use crate::bench::{Bench, Facilities};
use crate::checker::{self, Check, CheckBench, Checkers};
use crate::edge::{
    CargoSettings, Checkout, CheckoutError, CheckoutLimits, Environments, IndexSettings,
    Interpreters, Limits, NpmSettings, Sandbox, SandboxChoice, SandboxError, checkout,
};
use crate::engine::{self, Order};
use crate::guard::Guard;
use crate::judge::Target;
use crate::known_hosts::KnownHosts;
use crate::laboratory::AttemptError;
use crate::node::{self, NodeBench};
use crate::overlay::Overlay;
use crate::project_file::{self, ProjectFile};
use crate::roles::Roles;
use crate::runner::PROBES;
use crate::runs::Runs;
use crate::rust::{self, RustBench};
use crate::search::Budget;
use crate::workbench::Workbench;

/// What the heal worker is told when it starts.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Directories below which a `project.repository` that is a path may lie. None: only git URLs.
    pub roots: Vec<PathBuf>,
    /// Where copies of projects are kept while they are healed.
    pub work: PathBuf,
    /// Where environments and downloads are kept between heals; shared by workers on one machine.
    pub cache: PathBuf,
    /// Whether strangers' code may run without a sandbox.
    pub sandbox: SandboxChoice,
    /// The package index that installations may reach; the one pip is configured for without it.
    pub index: Option<String>,
    /// Bounds of one run of tests.
    pub limits: Limits,
    /// The most runs of tests that one heal may take, where neither message nor project says. Default: 20.
    pub max_runs: u32,
    /// The most time that one heal may take, likewise. Default: 5 minutes, installation included.
    pub time_limit: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            roots: Vec::new(),
            work: std::env::temp_dir().join("maestro-heal"),
            cache: std::env::temp_dir().join("maestro-heal-cache"),
            sandbox: SandboxChoice::Required,
            index: None,
            limits: Limits::default(),
            max_runs: 20,
            time_limit: Duration::from_mins(5),
        }
    }
}

/// The most runs of tests where the test is flaky and nobody says how many: to find the cause, and to prove the repair.
const FOR_FLAKY: u32 = 120;
/// The most runs and time that a message may ask for.
const MOST_RUNS: u32 = 200;
const MOST_TIME: Duration = Duration::from_hours(1);

/// Why a healer cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The sandbox does not work here.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A directory cannot be made or written.
    #[error("unable to write below {}: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// Why a message came to no verdict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HealError {
    /// The message asks for what cannot be; one sentence for its producer.
    #[error("{0}")]
    Refused(String),
    /// Something that the heal needs is down.
    #[error("{dependency} cannot be reached: {detail}")]
    Unavailable {
        /// What is down.
        dependency: String,
        /// How it showed.
        detail: String,
    },
    /// The machine failed; another try may do.
    #[error("{0}")]
    Failed(String),
    /// The worker was told to stop, or lost its lease.
    #[error("the heal was cancelled")]
    Cancelled,
}

/// Heals, one message at a time or many at once.
#[derive(Debug)]
pub struct Healer {
    settings: Settings,
    facilities: Facilities,
    npm: NpmSettings,
    cargo: CargoSettings,
    hosts: KnownHosts,
}

impl Healer {
    /// Finds out whether strangers' code can be confined here, and makes the directories.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        let sandbox = Sandbox::detect(settings.sandbox)?;
        let probes = settings
            .cache
            .join(concat!("probes-", env!("CARGO_PKG_VERSION")));
        for path in [&settings.work, &settings.cache, &probes] {
            let bad = |source| SetupError::Directory {
                path: path.clone(),
                source,
            };
            std::fs::create_dir_all(path).map_err(bad)?;
        }
        for (name, text) in PROBES
            .into_iter()
            .chain(node::PROBES)
            .chain(rust::PROBES)
            .chain(checker::PROBES)
        {
            // Several workers may start at once: a reader sees the whole file or none.
            let bad = |source| SetupError::Directory {
                path: probes.clone(),
                source,
            };
            let mut file = tempfile::NamedTempFile::new_in(&probes).map_err(bad)?;
            std::io::Write::write_all(&mut file, text.as_bytes()).map_err(bad)?;
            let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
            file.as_file().set_permissions(readable).map_err(bad)?;
            file.persist(probes.join(name))
                .map_err(|error| bad(error.error))?;
        }
        let index = match &settings.index {
            // What the worker's own environment says of certificates and proxies holds for any index.
            Some(index) => IndexSettings::with(std::env::vars().chain([
                ("PIP_INDEX_URL".to_owned(), index.clone()),
                ("UV_INDEX_URL".to_owned(), index.clone()),
            ])),
            None => IndexSettings::of_this_process(),
        };
        let environments =
            Environments::new(&settings.cache, sandbox.clone(), Interpreters::new(), index);
        let facilities = Facilities {
            sandbox,
            environments,
            work: settings.work.clone(),
            probes,
            limits: settings.limits.clone(),
        };
        Ok(Self {
            settings,
            facilities,
            npm: NpmSettings::of_this_process(),
            cargo: CargoSettings::of_this_process(),
            hosts: KnownHosts::default(),
        })
    }

    /// Heals the failing test that a message names, or says why not.
    ///
    /// # Errors
    /// When the message cannot come to a verdict here; a failing test that nothing repairs is a verdict.
    pub async fn heal(
        &self,
        request: &HealRequested,
        cancel: CancellationToken,
    ) -> Result<HealCompleted, HealError> {
        self.heal_knowing(request, Known::default(), cancel).await
    }

    /// The same, knowing what became of earlier heals.
    ///
    /// # Errors
    /// As [`Healer::heal`].
    pub async fn heal_knowing(
        &self,
        request: &HealRequested,
        known: Known,
        cancel: CancellationToken,
    ) -> Result<HealCompleted, HealError> {
        let began = Instant::now();
        let limits = CheckoutLimits::default();
        let checkout = checkout(
            &request.project,
            &self.settings.roots,
            &self.settings.work,
            &limits,
            &cancel,
        )
        .await
        .map_err(|error| match error {
            _ if cancel.is_cancelled() => HealError::Cancelled,
            error @ (CheckoutError::Unreachable { .. } | CheckoutError::TimedOut { .. }) => self
                .hosts
                .unreachable(&request.project.repository, error.to_string()),
            error if error.is_transient() => HealError::Failed(error.to_string()),
            error => HealError::Refused(error.to_string()),
        })?;
        self.hosts.reached(&request.project.repository);
        let file = project_file(&checkout)?;
        let runtime = file.runtime(request);
        let policy = file.policy(request);
        let test = request.test.as_ref();
        self.permits(policy.index.as_deref())?;
        let tree = Overlay::new(&checkout.project())
            .map_err(|error| HealError::Failed(format!("unable to list the checkout: {error}")))?;
        let time = policy
            .time_limit_s
            .map_or(self.settings.time_limit, |s| Duration::from_secs(s.into()));
        let budget = Budget {
            runs: policy
                .max_runs
                .unwrap_or(self.settings.max_runs)
                .clamp(1, MOST_RUNS),
            for_flaky: policy.max_runs.unwrap_or(FOR_FLAKY).clamp(1, MOST_RUNS),
            deadline: began + time.min(MOST_TIME),
        };
        let bench = Bench {
            facilities: self.facilities.clone(),
            checkout: Arc::new(checkout),
            deadline: budget.deadline,
            cancel: cancel.clone(),
            history: OnceLock::new(),
        };
        if let Some(check) = Check::of(request, &runtime) {
            let check = check.map_err(HealError::Refused)?;
            let (target, spent) = (check.target(), (budget, began.elapsed()));
            let npm = self.npm.clone();
            let workbench = CheckBench::new(bench, check, runtime, request, npm, &tree);
            let heal = of_finding(&workbench, request, &policy, tree, target, spent, known);
            return Box::pin(heal)
                .await
                .map_err(|error| heal_error(error, &cancel));
        }
        let wanted = test.map(|test| (test.id.as_str(), test.framework));
        let plan = Runs::new(&runtime, wanted, &tree).map_err(HealError::Refused)?;
        let target = plan.target(test.map(|test| test.id.as_str()));
        let roles = Roles::naming(plan.operands().into_iter().chain(target.id()));
        let product = policy.product_changes != Some(ProductChanges::Refuse);
        let guard = Guard::new(&policy.never.clone().unwrap_or_default(), product, roles)
            .map_err(|error| HealError::Refused(error.to_string()))?;
        let order = Order {
            request,
            tree,
            target,
            guard,
            budget,
            repairs: plan.adapter().repairs(),
            known,
            checkout: began.elapsed(),
        };
        // A heal's state is large, and waits in the state of whoever waits for it.
        let verdict = match plan {
            Runs::Python(plan) => {
                let workbench = Workbench::new(bench, plan, &runtime);
                let verdict = Box::pin(engine::heal(&workbench, order)).await;
                workbench.close().await;
                verdict
            }
            Runs::Rust(plan) => {
                let settings = self.cargo.clone();
                let workbench = RustBench::new(bench, plan, settings);
                Box::pin(engine::heal(&workbench, order)).await
            }
            Runs::Node(plan) => {
                let npm = self.npm.clone();
                let workbench = NodeBench::new(bench, plan, &runtime, request, npm, &order.tree);
                let verdict = Box::pin(engine::heal(&workbench, order)).await;
                workbench.close().await;
                verdict
            }
        };
        verdict.map_err(|error| heal_error(error, &cancel))
    }

    /// A message may name the index that this worker reaches anyway; it may not send the worker elsewhere.
    fn permits(&self, index: Option<&str>) -> Result<(), HealError> {
        match index {
            Some(asked) if self.settings.index.as_deref() != Some(asked) => {
                Err(HealError::Refused(format!(
                    "`policy.index` names {asked}, which is not the package index of this worker; start one with --index"
                )))
            }
            _ => Ok(()),
        }
    }
}

/// Heals a checker's finding.
async fn of_finding(
    workbench: &CheckBench,
    request: &HealRequested,
    policy: &Policy,
    tree: Overlay,
    target: Target,
    (budget, checkout): (Budget, Duration),
    known: Known,
) -> Result<HealCompleted, AttemptError> {
    let operands = workbench.operands();
    let roles = Roles::naming(operands.iter().map(String::as_str));
    let never: Vec<String> = policy
        .never
        .iter()
        .flatten()
        .cloned()
        .chain(checker::never())
        .collect();
    let product = policy.product_changes != Some(ProductChanges::Refuse);
    let guard = Guard::new(&never, product, roles)
        .map_err(|error| AttemptError::Environment(error.to_string()))?;
    let order = Order {
        request,
        tree,
        target,
        guard,
        budget,
        repairs: Checkers.repairs(),
        known,
        checkout,
    };
    let mut completed = Box::pin(engine::heal(workbench, order)).await?;
    // The finding stood among the tests, and is none.
    let collected = &mut completed.evidence.collected;
    collected.before = collected.before.saturating_sub(1);
    collected.after = collected.after.saturating_sub(1);
    completed.evidence.caveats.extend(workbench.caveats());
    Ok(completed)
}

fn heal_error(error: AttemptError, cancel: &CancellationToken) -> HealError {
    match error {
        _ if cancel.is_cancelled() => HealError::Cancelled,
        AttemptError::Environment(detail) => {
            HealError::Refused(format!("`runtime.install`: {detail}"))
        }
        AttemptError::Unavailable { dependency, detail } => {
            HealError::Unavailable { dependency, detail }
        }
        error @ (AttemptError::Stopped(_) | AttemptError::Patch(_)) => {
            HealError::Refused(error.to_string())
        }
        AttemptError::Cancelled => HealError::Cancelled,
        AttemptError::Machine(detail) => HealError::Failed(detail),
    }
}

/// The project's own `maestro.yaml`, empty where there is none.
fn project_file(checkout: &Checkout) -> Result<ProjectFile, HealError> {
    let path = checkout.project().join(project_file::NAME);
    let Some(size) = std::fs::symlink_metadata(&path)
        .ok()
        .filter(std::fs::Metadata::is_file)
        .map(|of| of.len())
    else {
        return Ok(ProjectFile::default());
    };
    if size > project_file::LARGEST {
        return Err(HealError::Refused(format!(
            "{} of the project has {size} bytes; the limit is {}",
            project_file::NAME,
            project_file::LARGEST
        )));
    }
    let text = std::fs::read_to_string(&path).map_err(|error| {
        HealError::Refused(format!(
            "{} of the project cannot be read: {error}",
            project_file::NAME
        ))
    })?;
    ProjectFile::parse(&text).map_err(|error| HealError::Refused(error.to_string()))
}
