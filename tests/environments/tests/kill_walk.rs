//! A worker is killed after every single API call of a provision: one environment results, or none.

use std::sync::mpsc;

use futures_util::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::{Event, Namespace, Pod, Secret};
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use maestro_environment_tests::{Site, Told, phases};
use maestro_test_cluster::{ApiProxy, Then, When, shared_played};
use serde_json::json;

/// What every request asks for: small, and with each kind of step.
fn spec() -> serde_json::Value {
    json!({
        "app": { "image": "shop:1", "port": 8080 },
        "database": "postgresql",
        "test": { "image": "tests:walk", "command": ["run"] },
    })
}

/// Every namespace of ours has an owner and an expiry, from its first moment on.
async fn check_that_nothing_can_leak(site: &Site) {
    for namespace in site.namespaces().await {
        let annotations = namespace.annotations();
        let expiry = annotations.get("maestro.dev/expires-at");
        let expiry = expiry.unwrap_or_else(|| panic!("{} never ends", namespace.name_any()));
        assert!(expiry.parse::<jiff::Timestamp>().is_ok(), "{expiry}");
        assert!(annotations.contains_key("maestro.dev/environment-id"));
    }
}

/// How many walks go on at a time.
const AT_A_TIME: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 12)]
async fn a_worker_that_is_killed_after_any_call_leaves_one_environment_or_none() {
    let Some((plane, _)) = shared_played().await else {
        return;
    };
    // How many calls there are, seen once without any fault.
    let proxy = ApiProxy::start(plane).await.expect("a proxy");
    let site = Site::through(plane, proxy.kubeconfig()).await;
    let provision = site.provision(&[]);
    site.request("whole", &spec());
    let told = site.await_phase("whole", "tested", &[&provision]);
    assert_eq!(
        phases(&told),
        ["accepted", "provisioning", "ready", "testing", "tested"]
    );
    let calls = proxy.requests();
    drop(provision);
    assert!(calls.len() > 12, "{calls:?}");

    let all = [When::Before, When::After]
        .into_iter()
        .flat_map(|when| (1..=calls.len() as u64).map(move |number| (when, number)));
    let walks = stream::iter(all)
        // A task of its own each: it waits for Redis and for processes.
        .map(|(when, number)| tokio::spawn(walk(plane, when, number)))
        .buffer_unordered(AT_A_TIME);
    let mut walks = std::pin::pin!(walks);
    while let Some(walked) = walks.next().await {
        walked.expect("the walk ends as it should");
    }
}

/// One provision, whose worker is killed at the call with this number. Another one goes on.
async fn walk(plane: &maestro_test_cluster::ControlPlane, when: When, number: u64) {
    let proxy = ApiProxy::start(plane).await.expect("a proxy");
    let site = Site::through(plane, proxy.kubeconfig()).await;
    let (ask, asked) = mpsc::channel::<mpsc::Sender<()>>();
    proxy.at(number, when, move |_| {
        let (dead, died) = mpsc::channel();
        // The test kills the worker, and only then does this request go on, to nobody.
        if ask.send(dead).is_ok() {
            let _ = died.recv();
        }
        Then::Lose
    });
    let mut first = site.provision(&[]);
    site.request("env", &spec());
    // A provision may be done before the call: then there was nobody to kill.
    let killed = tokio::task::spawn_blocking(move || {
        let dead = asked.recv_timeout(std::time::Duration::from_mins(1)).ok()?;
        first.kill();
        let _ = dead.send(());
        Some(())
    });
    let killed = killed.await.expect("the killer lives");
    assert!(killed.is_some(), "call {number} did not come");
    check_that_nothing_can_leak(&site).await;

    let second = site.provision(&[]);
    let told = site.await_phase("env", "tested", &[&second]);
    let context = format!("{when:?} call {number}: {told:#?}");
    assert_eq!(
        phases(&told),
        ["accepted", "provisioning", "ready", "testing", "tested"],
        "{context}"
    );
    let tested = told
        .iter()
        .filter(|told| told.kind == "maestro.environment.tested.v1");
    let outcomes: Vec<&Told> = tested.collect();
    assert!(outcomes.len() <= 1, "{context}");
    let namespaces = site.namespaces().await;
    assert_eq!(namespaces.len(), 1, "{context}");
    check_that_nothing_can_leak(&site).await;
    one_of_each(&site, &namespaces[0], &context).await;
    Api::<Namespace>::all(site.client.clone())
        .delete(
            &namespaces[0].name_any(),
            &kube::api::DeleteParams::default(),
        )
        .await
        .expect("it can be deleted");
}

/// One Secret, whose password the database was started with; one pod of each workload.
async fn one_of_each(site: &Site, namespace: &Namespace, context: &str) {
    let name = namespace.name_any();
    let secrets: Api<Secret> = Api::namespaced(site.client.clone(), &name);
    let all = secrets.list(&ListParams::default()).await.expect("secrets");
    let ours = all
        .iter()
        .filter(|secret| secret.type_.as_deref() != Some("kubernetes.io/service-account-token"));
    assert_eq!(ours.count(), 1, "{context}");
    let pods: Api<Pod> = Api::namespaced(site.client.clone(), &name);
    let mut owners: Vec<String> = pods
        .list(&ListParams::default())
        .await
        .expect("pods")
        .iter()
        .flat_map(|pod| pod.owner_references().to_vec())
        .map(|owner| owner.kind)
        .collect();
    owners.sort();
    assert_eq!(owners, ["Job", "ReplicaSet", "ReplicaSet"], "{context}");
    let events: Api<Event> = Api::namespaced(site.client.clone(), &name);
    let jobs = events.list(&ListParams::default()).await.expect("events");
    let made = jobs
        .iter()
        .filter(|event| {
            event.involved_object.kind.as_deref() == Some("Job")
                && event.reason.as_deref() == Some("SuccessfulCreate")
        })
        .count();
    assert_eq!(made, 1, "the tests ran once: {context}");
}
