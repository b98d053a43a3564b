//! Many environments at once by several replicas, and all of them swept; then the same objects by a bare client.

use std::time::Instant;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{Patch, PatchParams};
use maestro_environment_tests::Site;
use maestro_test_cluster::ControlPlane;
use serde::Serialize;
use serde_json::json;

use crate::bare;
use crate::manifests::Manifests;
use crate::results::Results;

/// Environments per second, and what the API server alone does.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Many {
    /// How many environments.
    pub(crate) environments: usize,
    /// By how many replicas.
    pub(crate) replicas: usize,
    /// From the first message until the last one is told ready.
    pub(crate) ready_per_second: f64,
    /// The same objects by a bare client, until the last pod is ready.
    pub(crate) bare_ready_per_second: f64,
    /// From when they are over until the last one is told gone.
    pub(crate) deleted_per_second: f64,
    /// Deleted by a bare client, until the last namespace is gone.
    pub(crate) bare_deleted_per_second: f64,
}

pub(crate) async fn measure(
    plane: &ControlPlane,
    environments: u16,
    replicas: u16,
) -> anyhow::Result<Many> {
    let (count, number) = (usize::from(environments), f64::from(environments));
    let spec = json!({ "app": { "image": "shop:1", "port": 8080 }, "ttl_s": 3600 });
    let site = Site::on(plane).await;
    let provision: Vec<_> = (0..replicas)
        .map(|_| site.provision(&["--provision-concurrency", "64"]))
        .collect();
    // A worker that starts is not what is measured.
    let mut results = Results::from_now_on(&site)?;
    site.request("first", &spec);
    results.until_phase(1, "ready")?;
    let begun = Instant::now();
    for one in 0..environments {
        site.request(&format!("many-{one}"), &spec);
    }
    let ready = results.until_phase(count, "ready")?;
    let up_s = (ready - begun).as_secs_f64();
    drop(provision);

    let all: Api<Namespace> = Api::all(site.client.clone());
    let over = json!({ "metadata": { "annotations": { "maestro.dev/expires-at": "2020-01-01T00:00:00Z" } } });
    let namespaces = stream::iter(site.namespaces().await);
    let ended = namespaces.map(|namespace| {
        let (all, over) = (&all, &over);
        async move {
            let name = namespace.metadata.name.unwrap_or_default();
            let parameters = PatchParams::default();
            all.patch(&name, &parameters, &Patch::Merge(over)).await
        }
    });
    let mut ended = ended.buffer_unordered(16);
    while ended.try_next().await?.is_some() {}
    let mut results = Results::from_now_on(&site)?;
    let begun = Instant::now();
    let cleanup: Vec<_> = (0..replicas).map(|_| site.cleanup(&[])).collect();
    let gone = results.until_phase(count + 1, "deleted")?;
    let down_s = (gone - begun).as_secs_f64();
    drop(cleanup);

    let manifests = (0..environments)
        .map(|one| Manifests::of(&spec, "bare", &format!("bare-{one}")))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let bare = bare::measure(&site.client, &manifests).await?;
    Ok(Many {
        environments: count,
        replicas: replicas.into(),
        ready_per_second: number / up_s,
        bare_ready_per_second: number / bare.up_s,
        deleted_per_second: number / down_s,
        bare_deleted_per_second: number / bare.down_s,
    })
}
