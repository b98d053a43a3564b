//! What the API server can do when nobody asks for more: the same objects by a bare client, with no stream, no claim and no care.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::Context as _;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{ApiResource, DeleteParams, Patch, PatchParams, PostParams};
use kube::core::{DynamicObject, GroupVersionKind};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use serde_json::Value;

use crate::manifests::Manifests;

/// How many environments a bare client makes or deletes at a time.
const AT_A_TIME: usize = 64;

/// Seconds until all pods were ready, and until all namespaces were gone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bare {
    pub(crate) up_s: f64,
    pub(crate) down_s: f64,
}

/// Makes all of these and deletes them.
pub(crate) async fn measure(client: &Client, all: &[Manifests]) -> anyhow::Result<Bare> {
    let begun = Instant::now();
    let ready = tokio::spawn(ready(client.clone(), names(all)));
    let made = stream::iter(all).map(|one| make(client, one));
    made.buffer_unordered(AT_A_TIME).try_collect::<()>().await?;
    ready.await??;
    let up_s = begun.elapsed().as_secs_f64();

    let begun = Instant::now();
    let gone = tokio::spawn(gone(client.clone(), names(all)));
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let deleted = stream::iter(all).map(|one| async {
        let parameters = DeleteParams::default();
        namespaces.delete(&one.namespace, &parameters).await
    });
    let mut deleted = deleted.buffer_unordered(AT_A_TIME);
    while deleted.next().await.transpose()?.is_some() {}
    gone.await??;
    Ok(Bare {
        up_s,
        down_s: begun.elapsed().as_secs_f64(),
    })
}

fn names(all: &[Manifests]) -> BTreeSet<String> {
    all.iter().map(|one| one.namespace.clone()).collect()
}

async fn make(client: &Client, one: &Manifests) -> anyhow::Result<()> {
    let (namespace, rest) = one.all.split_first().context("there is a namespace")?;
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace: Namespace = serde_json::from_value(namespace.clone())?;
    namespaces
        .create(&PostParams::default(), &namespace)
        .await?;
    // All at once, as the worker does within a step.
    let applied = rest
        .iter()
        .map(|object| apply(client, &one.namespace, object));
    futures_util::future::try_join_all(applied).await?;
    Ok(())
}

async fn apply(client: &Client, namespace: &str, object: &Value) -> anyhow::Result<()> {
    let text = |pointer: &str| {
        let value = object.pointer(pointer).and_then(Value::as_str);
        value.unwrap_or_default()
    };
    let (group, version) = text("/apiVersion")
        .split_once('/')
        .unwrap_or(("", text("/apiVersion")));
    let kind = GroupVersionKind::gvk(group, version, text("/kind"));
    let resource = ApiResource::from_gvk(&kind);
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let parameters = PatchParams::apply("bench").force();
    api.patch(text("/metadata/name"), &parameters, &Patch::Apply(object))
        .await?;
    Ok(())
}

/// Until each namespace has a ready pod.
async fn ready(client: Client, mut wanted: BTreeSet<String>) -> anyhow::Result<()> {
    let pods: Api<Pod> = Api::all(client);
    let mut states = std::pin::pin!(watcher(pods, watcher::Config::default()).applied_objects());
    while !wanted.is_empty() {
        let pod = states.try_next().await?.context("the watch ended")?;
        let conditions = pod.status.and_then(|status| status.conditions);
        let is_ready = conditions
            .into_iter()
            .flatten()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True");
        if is_ready {
            wanted.remove(&pod.metadata.namespace.unwrap_or_default());
        }
    }
    Ok(())
}

/// Until none of these namespaces is there.
async fn gone(client: Client, mut left: BTreeSet<String>) -> anyhow::Result<()> {
    let namespaces: Api<Namespace> = Api::all(client);
    let mut states = std::pin::pin!(watcher(namespaces, watcher::Config::default()));
    while !left.is_empty() {
        let event = states.try_next().await?.context("the watch ended")?;
        if let watcher::Event::Delete(namespace) = event {
            left.remove(&namespace.metadata.name.unwrap_or_default());
        }
    }
    Ok(())
}
