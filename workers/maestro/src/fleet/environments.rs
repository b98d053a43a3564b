//! The two workers of environments, made from the settings.

use std::num::NonZeroU32;

use jiff::SignedDuration;
use maestro_environment::{
    Access, Cleanup, CleanupSettings, Cluster, ConnectError, Owner, Provision, ProvisionSettings,
    Rights, Templates,
};

use crate::config::{Environments, Settings};
use crate::exit::Exit;
use crate::fault::Fault;

/// How old a namespace without a readable expiry must be before it counts as abandoned.
const ORPHAN_AGE: SignedDuration = SignedDuration::from_mins(10);

/// The provision worker. Fails where a template is wrong or no cluster is configured.
pub(crate) async fn provision(settings: &Settings) -> Result<Provision, Fault> {
    let environments = &settings.environments;
    let stack = stack(environments)?;
    let directory = environments.templates.value.as_deref();
    let templates = Templates::load(directory, &stack)
        .map_err(|error| Fault::usage(error.to_string()))?;
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

/// The cleanup worker. Fails where no cluster is configured.
pub(crate) async fn cleanup(settings: &Settings) -> Result<Cleanup, Fault> {
    let environments = &settings.environments;
    let settings = CleanupSettings {
        owner: owner(environments)?,
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
    access.connect().await.map_err(|error| fault(&error))
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
