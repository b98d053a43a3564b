//! Where candidates are tried: the narrow trait through which the engine runs tests.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use maestro_protocol::heal::RuntimeChanges;

use crate::adapter::{Adapter, Python};
use crate::case::{Installed, PackageIndex};
use crate::conditions::{Chances, Conditions};
use crate::failure::Report;
use crate::overlay::Overlay;
use crate::past::{NoPast, Past};
use crate::prove::together;
use crate::teeth::{Bites, Defect};
use crate::unsteady::Unsteady;

/// One run of the command on one tree in one environment.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// What the tests did.
    pub report: Report,
    /// The environment that they ran in.
    pub installed: Arc<Installed>,
    /// How long building the environment took; zero where it was there.
    pub install: Duration,
    /// How long the run took.
    pub run: Duration,
    /// Why the run was stopped, where it did not end by itself: a limit, named in one sentence.
    pub stopped: Option<String>,
    /// Whether it was made by a process that makes others too.
    pub forked: bool,
}

/// Why a run could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttemptError {
    /// The environment that was asked for cannot be: no such package, a conflict, a build that fails.
    #[error("{0}")]
    Environment(String),
    /// Something that the run needs is down; the message is not at fault.
    #[error("{dependency} cannot be reached: {detail}")]
    Unavailable {
        /// What is down.
        dependency: String,
        /// How it showed.
        detail: String,
    },
    /// The tests pass a limit of the sandbox on the code as it is: they cannot be healed here, however often they are run.
    #[error("the tests were stopped: {0}")]
    Stopped(String),
    /// The repair is larger than a patch may be.
    #[error(transparent)]
    Patch(#[from] crate::patch::PatchError),
    /// The worker was told to stop, or lost its lease.
    #[error("the heal was cancelled")]
    Cancelled,
    /// The machine failed: no disk, no process. Another try may do.
    #[error("{0}")]
    Machine(String),
}

/// Runs the command of one request.
pub trait Laboratory: Send + Sync {
    /// Runs it on a fresh copy of the tree, in the request's environment with these changes made to it.
    fn attempt(
        &self,
        tree: &Overlay,
        changes: &RuntimeChanges,
    ) -> impl Future<Output = Result<Attempt, AttemptError>> + Send {
        async move {
            self.attempt_under(tree, changes, &Conditions::default())
                .await
        }
    }

    /// The same under conditions of its own.
    fn attempt_under(
        &self,
        tree: &Overlay,
        changes: &RuntimeChanges,
        conditions: &Conditions,
    ) -> impl Future<Output = Result<Attempt, AttemptError>> + Send;

    /// The same under several conditions, on a fresh copy for each. What comes back may end behind the first run in which a test failed, and
    /// holds one at least.
    fn attempts_under(
        &self,
        tree: &Overlay,
        changes: &RuntimeChanges,
        conditions: &[Conditions],
    ) -> impl Future<Output = Result<Vec<Attempt>, AttemptError>> + Send {
        together(
            conditions
                .iter()
                .map(|of| self.attempt_under(tree, changes, of)),
        )
    }

    /// Under how many conditions it runs best at a time.
    fn at_a_time(&self) -> u32 {
        2
    }

    /// Runs these tests once for each planted defect, on one fresh copy of the tree; all of it within a time.
    fn bite(
        &self,
        tree: &Overlay,
        changes: &RuntimeChanges,
        tests: &[String],
        defects: &[Defect],
        within: Duration,
    ) -> impl Future<Output = Result<Bites, AttemptError>> + Send;

    /// The language of the tests.
    fn adapter(&self) -> &'static dyn Adapter {
        &Python
    }

    /// Whether it arranges the order of tests, their seeds, and which of them run, as [`Conditions`] ask.
    fn arranges(&self) -> bool {
        true
    }

    /// What of chance it can decide.
    fn chances(&self) -> Chances {
        Chances::ALL
    }

    /// Whether tests of its runner run at the same time in one process.
    fn at_once(&self) -> bool {
        false
    }

    /// Whether what it runs can have teeth: a checker's finding has none.
    fn bites(&self) -> bool {
        true
    }

    /// What is known of the flaky test under whose conditions it runs everything; `None` where there is none.
    fn unsteady(&self) -> Option<Arc<Unsteady>> {
        None
    }

    /// A forked run came out otherwise than one in a process of its own does: from now on each run has one.
    fn distrust(&self) {}

    /// The project's history; none without it.
    fn past(&self) -> Arc<dyn Past> {
        Arc::new(NoPast)
    }

    /// The package index.
    fn index(&self) -> Arc<dyn PackageIndex + Send + Sync>;
}
