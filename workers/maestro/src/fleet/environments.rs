//! The two workers of environments, made from the settings.

use std::num::NonZeroU32;
use std::time::Duration;

use jiff::SignedDuration;
use maestro_environment::identity::{Owner, Prefix};
use maestro_environment::plan::rehearsal;
use maestro_environment::settings::{Images, Life, Settings as Stack};
use maestro_environment::{
    Access, Cleanup, CleanupSettings, Cluster, ConnectError, Provision, ProvisionSettings, Rights,
};

use crate::config::{Environments, Settings};
use crate::exit::Exit;
use crate::fault::Fault;

/// How old a namespace without a readable expiry must be before it counts as abandoned.
const ORPHAN_AGE: SignedDuration = SignedDuration::from_mins(10);
/// How long the question for the cluster's version may take; nothing depends on its answer.
const VERSION: Duration = Duration::from_secs(10);

/// The provision worker. Fails where a template or a setting is wrong or no cluster is configured.
pub(crate) async fn provision(settings: &Settings) -> Result<Provision, Fault> {
    let environments = &settings.environments;
    let stack = stack(environments)?;
    let directory = environments.templates.value.as_deref();
    let templates =
        rehearsal::load(directory, &stack).map_err(|error| Fault::usage(error.to_string()))?;
    let cluster = cluster(environments).await?;
    let rights = match (
        &environments.bind_cluster_role.value,
        environments.account(),
    ) {
        (Some(cluster_role), Some((namespace, service_account))) => Some(Rights {
            cluster_role: cluster_role.clone(),
            namespace,
            service_account,
        }),
        _ => None,
    };
    let settings = ProvisionSettings {
        stack,
        rights,
        ready_timeout: environments.ready_timeout.value.0,
        unschedulable_grace: environments.unschedulable_grace.value.0,
    };
    Ok(Provision::new(cluster, settings, templates))
}

fn stack(environments: &Environments) -> Result<Stack, Fault> {
    let defaults = Stack::default();
    let longest = environments.max_ttl.value.0;
    let stack = Stack {
        owner: owner(environments)?,
        prefix: prefix(environments)?,
        life: Life {
            default: defaults.life.default.min(longest),
            longest,
        },
        images: Images {
            registry: environments.registry.value.clone(),
            entry: environments.entry_image.value.clone(),
            ..defaults.images
        },
        ..defaults
    };
    stack
        .check()
        .map_err(|error| Fault::usage(error.to_string()))?;
    Ok(stack)
}

fn owner(environments: &Environments) -> Result<Owner, Fault> {
    let owner = environments.owner.value.parse();
    owner.map_err(|error| Fault::usage(format!("`kubernetes.owner`: {error}")))
}

fn prefix(environments: &Environments) -> Result<Prefix, Fault> {
    let prefix = environments.namespace_prefix.value.parse();
    prefix.map_err(|error| Fault::usage(format!("`kubernetes.namespace_prefix`: {error}")))
}

/// The cleanup worker. Fails where no cluster is configured.
pub(crate) async fn cleanup(settings: &Settings) -> Result<Cleanup, Fault> {
    let environments = &settings.environments;
    let settings = CleanupSettings {
        owner: owner(environments)?,
        prefix: prefix(environments)?,
        max_ttl: signed(environments.max_ttl.value.0),
        terminating_patience: environments.terminating_patience.value.0,
        orphan_age: ORPHAN_AGE,
    };
    Ok(Cleanup::new(cluster(environments).await?, settings))
}

async fn cluster(environments: &Environments) -> Result<Cluster, Fault> {
    let access = Access {
        kubeconfig: environments.kubeconfig.value.clone(),
        context: environments.context.value.clone(),
        rate: NonZeroU32::new(environments.rate.value).unwrap_or(NonZeroU32::MIN),
    };
    let cluster = access.connect().await.map_err(|error| fault(&error))?;
    tokio::spawn(greet(cluster.clone()));
    Ok(cluster)
}

/// Says which cluster it is, and what an old one cannot do. A worker does not wait for it.
async fn greet(cluster: Cluster) {
    match tokio::time::timeout(VERSION, cluster.version()).await {
        Ok(Ok(version)) => {
            tracing::info!(version, "the Kubernetes API answers");
            let minor = version
                .split('.')
                .nth(1)
                .and_then(|minor| minor.parse().ok());
            if minor.is_some_and(|minor: u32| minor < 25) {
                tracing::warn!(
                    version,
                    "this cluster has no Pod Security admission (1.25): what a replaced template makes is held to no profile by the cluster"
                );
            }
            if minor.is_some_and(|minor: u32| minor < 30) {
                tracing::warn!(
                    version,
                    "this cluster has no admission policies (1.30): the workers' own checks alone keep them to their namespaces"
                );
            }
        }
        Ok(Err(error)) => tracing::warn!(%error, "the Kubernetes API does not answer yet"),
        Err(_) => tracing::warn!("the Kubernetes API does not answer yet"),
    }
}

fn fault(error: &ConnectError) -> Fault {
    let exit = match error {
        ConnectError::Kubeconfig { .. } => Exit::Usage,
        ConnectError::Nowhere(_) | ConnectError::Client(_) => Exit::NeedsCluster,
    };
    Fault::new(exit, error.to_string()).next(
        "name a cluster with --kubeconfig or KUBECONFIG; `maestro worker triage` and `maestro worker heal` work without one",
    )
}

fn signed(duration: std::time::Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
