//! The cleanup worker: nothing outlives its time, and nothing is touched that is not ours.
//!
//! A sweep finds what is to go and asks for it with one message an environment, so that the work is shared by all replicas, is
//! taken over like any other, and is bounded by how many messages each handles at a time. The message that ends one environment
//! is handled to the end: until the namespace is gone, or until somebody has to look at what holds it.

mod ending;
mod extension;
mod held;
mod sweep;

use std::time::Duration;

use jiff::SignedDuration;
use maestro_protocol::Decoded;
use maestro_protocol::environment::{CleanupInbound, CleanupRequested, DeletionCause};
use maestro_worker::{Context, Outcome, Worker};

use crate::cluster::Cluster;
use crate::identity::{Identity, Owner, Prefix};
use crate::telling::stopped;

/// How the cleanup worker goes about it.
#[derive(Debug, Clone)]
pub struct CleanupSettings {
    /// Whose environments it ends.
    pub owner: Owner,
    /// What the names of their namespaces begin with.
    pub prefix: Prefix,
    /// The longest that an environment may live, extensions included.
    pub max_ttl: SignedDuration,
    /// How long a namespace may take to go before it is reported what holds it.
    pub terminating_patience: Duration,
    /// How old a namespace of ours without a readable expiry must be to count as abandoned.
    pub orphan_age: SignedDuration,
}

/// The cleanup worker.
#[derive(Debug, Clone)]
pub struct Cleanup {
    cluster: Cluster,
    settings: CleanupSettings,
}

impl Cleanup {
    /// A worker on this cluster.
    pub fn new(cluster: Cluster, settings: CleanupSettings) -> Self {
        Self { cluster, settings }
    }

    /// The namespace of the environment with this id.
    fn namespace_of(&self, environment: &str) -> String {
        Identity::new(&self.settings.owner, None, environment).namespace(&self.settings.prefix)
    }

    async fn requested(
        &self,
        request: &CleanupRequested,
        context: &Context,
    ) -> Result<Outcome, Outcome> {
        let is_dry = request.dry_run == Some(true);
        if let Some(environment) = &request.environment {
            let cause = request.cause.unwrap_or(DeletionCause::Requested);
            let meant = ending::Ending {
                environment,
                cause,
                uid: request.namespace_uid.as_deref(),
                is_dry,
            };
            return self.end(&meant, context).await;
        }
        if let Some(selector) = &request.selector {
            return self
                .sweep(sweep::Which::Selected(selector), is_dry, context)
                .await;
        }
        self.sweep(sweep::Which::Expired, is_dry, context).await
    }
}

impl Worker for Cleanup {
    type Message = CleanupInbound;

    const NAME: &'static str = "cleanup";

    async fn handle(&self, message: Decoded<CleanupInbound>, context: Context) -> Outcome {
        let id = message.envelope.id.as_deref().unwrap_or_default();
        let source = message.envelope.source.as_deref().unwrap_or_default();
        let work = async {
            match &message.payload {
                CleanupInbound::Cleanup(request) => self.requested(request, &context).await,
                CleanupInbound::Extension(request) => {
                    self.extend(request, (source, id), &context).await
                }
            }
        };
        tokio::select! {
            outcome = work => outcome.unwrap_or_else(|outcome| outcome),
            () = context.cancelled().cancelled() => stopped(),
        }
    }
}
