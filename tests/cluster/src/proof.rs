//! The proof that a control plane works: one pod is admitted (the controller manager has made its `ServiceAccount`), scheduled or found
//! unschedulable, and run if there is a node.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::api::{DeleteParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use serde_json::json;

use crate::own::Own;
use crate::{Error, Node};

const NAMESPACE: &str = "default";
const POD: &str = "proof";
const LOOK: Duration = Duration::from_secs(1);

pub(crate) async fn runs_pods(own: &Own) -> Result<(), Error> {
    let client = own.client().await?;
    let node = own.node();
    let started = Instant::now();
    let mut proof = std::pin::pin!(prove(client, node));
    // A program that ends meanwhile is seen within a second.
    loop {
        if let Ok(result) = tokio::time::timeout(LOOK, &mut proof).await {
            return result;
        }
        own.check()?;
        own.in_time(started, "the first pod")?;
    }
}

async fn prove(client: Client, node: Node) -> Result<(), Error> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), NAMESPACE);
    let there = |account: Option<&ServiceAccount>| account.is_some();
    wait(&accounts, "default", there).await;

    let pods: Api<Pod> = Api::namespaced(client, NAMESPACE);
    let pod: Pod = serde_json::from_value(json!({
        "metadata": { "name": POD },
        "spec": {
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 0,
            "containers": [{ "name": "proof", "image": "registry.invalid/proof" }],
        }
    }))
    .map_err(|error| Error::api("describe the first pod")(kube::Error::SerdeError(error)))?;
    pods.create(&PostParams::default(), &pod)
        .await
        .map_err(Error::api("create the first pod"))?;
    let wanted = match node {
        // False with the reason Unschedulable is the scheduler's word as well.
        Node::None => "PodScheduled",
        _ => "Ready",
    };
    wait(&pods, POD, |pod| {
        pod.is_some_and(|pod| has(pod, wanted, node))
    })
    .await;
    pods.delete(POD, &DeleteParams::default().grace_period(0))
        .await
        .map_err(Error::api("delete the first pod"))?;
    wait(&pods, POD, |pod| pod.is_none()).await;
    Ok(())
}

fn has(pod: &Pod, condition: &str, node: Node) -> bool {
    let status = pod.status.as_ref();
    let mut conditions = status
        .and_then(|status| status.conditions.as_ref())
        .into_iter()
        .flatten();
    conditions
        .any(|found| found.type_ == condition && (node == Node::None || found.status == "True"))
}

async fn wait<K>(api: &Api<K>, name: &str, holds: impl Fn(Option<&K>) -> bool)
where
    K: kube::Resource + Clone + std::fmt::Debug + Send + serde::de::DeserializeOwned + 'static,
{
    let mut states = std::pin::pin!(watcher::watch_object(api.clone(), name).default_backoff());
    while let Some(state) = states.next().await {
        // A watch that broke is tried again; whoever calls has patience, not this.
        if state.is_ok_and(|object| holds(object.as_ref())) {
            return;
        }
    }
}
