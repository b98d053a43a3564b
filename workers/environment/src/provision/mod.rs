//! The provision worker: one message becomes one isolated namespace with the whole stack, or a clear failure.
//!
//! The cluster is the only state: every step looks at what is there and adds what is not, so that any replica goes on where another
//! died. Nothing is deleted here. What is to go is asked for in the same commit that tells the outcome, so that a message that
//! comes again finds its environment, or has been answered.

mod claiming;
mod failing;
mod raising;
mod telling;
mod testing;

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use maestro_protocol::Decoded;
use maestro_protocol::environment::{EnvironmentRequested, Phase};
use maestro_worker::{Context, Outcome, Worker};

use crate::cluster::{ApiError, Cluster, Refusal};
use crate::credentials::{Credentials, NoRandomness};
use crate::identity::Identity;
use crate::plan::{self, Plan};
use crate::settings::Settings;
use crate::telling::stopped;
use crate::templates::Templates;
use crate::verdict::{Fault, Patience, Reason};

/// How the provision worker goes about it.
#[derive(Debug, Clone)]
pub struct ProvisionSettings {
    /// What environments are made of.
    pub stack: Settings,
    /// The rights that the worker gives itself in each namespace it makes; none where its identity has them everywhere.
    pub rights: Option<Rights>,
    /// How long an environment may take to be ready.
    pub ready_timeout: Duration,
    /// How long a pod may find no node: an autoscaler may be at work.
    pub unschedulable_grace: Duration,
}

/// The rights that the worker gives itself in each namespace it makes, since Kubernetes cannot grant rights by label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// The `ClusterRole` that it may bind.
    pub cluster_role: String,
    /// The namespace of its `ServiceAccount`.
    pub namespace: String,
    /// Its `ServiceAccount`.
    pub service_account: String,
}

/// The provision worker. Clones share everything.
#[derive(Debug, Clone)]
pub struct Provision {
    cluster: Cluster,
    settings: Arc<ProvisionSettings>,
    templates: Arc<Templates>,
}

impl Provision {
    /// A worker on this cluster, with templates that have been checked.
    pub fn new(cluster: Cluster, settings: ProvisionSettings, templates: Templates) -> Self {
        Self {
            cluster,
            settings: Arc::new(settings),
            templates: Arc::new(templates),
        }
    }

    fn patience(&self) -> Patience {
        let grace = SignedDuration::try_from(self.settings.unschedulable_grace);
        Patience {
            unschedulable: grace.unwrap_or(SignedDuration::MAX),
        }
    }
}

impl Worker for Provision {
    type Message = EnvironmentRequested;

    const NAME: &'static str = "provision";

    async fn handle(&self, message: Decoded<EnvironmentRequested>, context: Context) -> Outcome {
        let id = message.envelope.id.as_deref().unwrap_or_default();
        let source = message.envelope.source.as_deref();
        let stack = &self.settings.stack;
        let identity = Identity::new(&stack.owner, source, id);
        let namespace = identity.namespace(&stack.prefix);
        let work = Work {
            worker: self,
            request: &message.payload,
            identity: &identity,
            namespace: &namespace,
            context: &context,
        };
        tokio::select! {
            outcome = work.run() => outcome.unwrap_or_else(|outcome| outcome),
            () = context.cancelled().cancelled() => stopped(),
        }
    }
}

/// One request on its way.
struct Work<'a> {
    worker: &'a Provision,
    request: &'a EnvironmentRequested,
    identity: &'a Identity,
    /// Its namespace.
    namespace: &'a str,
    context: &'a Context,
}

/// Why a step did not succeed.
enum Stop {
    /// The environment cannot come up.
    Fault(Box<Fault>),
    /// This delivery is over; what comes of the environment is not decided.
    Outcome(Outcome),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}

impl From<Outcome> for Stop {
    fn from(outcome: Outcome) -> Self {
        Self::Outcome(outcome)
    }
}

impl From<ApiError> for Stop {
    /// What the cluster refuses, it will refuse the next time too, unless it says that something has changed meanwhile.
    fn from(error: ApiError) -> Self {
        let reason = match error.refusal() {
            Some(Refusal::Quota) => Reason::QuotaExceeded,
            // What is not there may be what an object refers to, or the namespace: whether that is gone is looked at.
            Some(Refusal::Invalid | Refusal::NotFound) => Reason::Rejected,
            Some(Refusal::Terminating) => Reason::Deleted,
            Some(Refusal::Exists | Refusal::Conflict) | None => return Self::Outcome(error.into()),
        };
        Fault::new(reason, error.to_string()).into()
    }
}

impl Work<'_> {
    async fn run(&self) -> Result<Outcome, Outcome> {
        let plan = match self.plan(&Credentials::generate().map_err(no_randomness)?) {
            Ok(plan) => plan,
            Err(unfit) => return Ok(self.refused(&unfit)),
        };
        self.say("accepted", self.status(Phase::Accepted)).await?;
        let claimed = match self.claim(&plan).await {
            Ok(claimed) => claimed,
            Err(stop) => return self.stopped_before(stop),
        };
        match self.bring_up(plan, &claimed).await {
            Ok(outcome) => Ok(outcome),
            Err(Stop::Fault(fault)) => {
                // What is being taken away fails in many ways.
                let fault = match self.check_that_it_stays(&claimed).await {
                    Ok(()) => fault,
                    Err(Stop::Fault(gone)) => gone,
                    Err(Stop::Outcome(outcome)) => return Err(outcome),
                };
                Ok(self.failed(&claimed, *fault).await)
            }
            Err(Stop::Outcome(outcome)) => Err(outcome),
        }
    }

    fn plan(&self, credentials: &Credentials) -> Result<Plan, plan::Unfit> {
        let Provision {
            settings,
            templates,
            ..
        } = self.worker;
        plan::plan(
            self.request,
            self.identity,
            &settings.stack,
            templates,
            credentials,
            self.context.now(),
        )
    }
}

/// The operating system's fault, and nobody's message's.
fn no_randomness(error: NoRandomness) -> Outcome {
    Outcome::Retry {
        reason: error.to_string(),
    }
}
