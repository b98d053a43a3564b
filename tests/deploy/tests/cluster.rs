//! The manifests applied to a real API server.
//!
//! The one that is built for tests is of Kubernetes 1.20, the manifests are for 1.33 and newer. What it cannot know is given to it as it
//! had it then, or left out, and stands in [`as_of`]; the types of a current release are checked in `manifests.rs`.

use std::io::Write as _;
use std::process::Stdio;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use kube::api::{ApiResource, Patch, PatchParams};
use kube::core::{DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use maestro_deploy_tests::Manifest;
use maestro_deploy_tests::kustomize::with_components;
use maestro_deploy_tests::tools::kubectl;
use maestro_test_cluster::{ControlPlane, Node, Version, shared, until};
use serde_json::Value;

const NAMESPACE: &str = "maestro";

/// The object as a server of this version takes it; `None` if it has nothing of the kind.
fn as_of(version: Version, manifest: &Manifest) -> Option<Manifest> {
    let mut manifest = manifest.clone();
    // Its schemas come with its installation, which there is none of here.
    if manifest.api_version().starts_with("keda.sh/") {
        return None;
    }
    // Both had the same form under an older name.
    if version < Version::new(1, 21) && manifest.kind() == "PodDisruptionBudget" {
        manifest.0["apiVersion"] = "policy/v1beta1".into();
    }
    if version < Version::new(1, 23) && manifest.kind() == "HorizontalPodAutoscaler" {
        manifest.0["apiVersion"] = "autoscaling/v2beta2".into();
    }
    if version < Version::new(1, 25)
        && let Some(pod) = manifest.0.pointer_mut("/spec/template/spec")
    {
        pod.as_object_mut().map(|pod| pod.remove("hostUsers"));
    }
    Some(manifest)
}

/// Server-side apply, which refuses what the server's own type does not have.
async fn apply(client: &Client, manifest: &Manifest) -> Result<(), String> {
    let (group, version) = manifest
        .api_version()
        .split_once('/')
        .unwrap_or(("", manifest.api_version()));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, manifest.kind()));
    let api: Api<DynamicObject> = match manifest.at("/metadata/namespace") {
        "" => Api::all_with(client.clone(), &resource),
        namespace => Api::namespaced_with(client.clone(), namespace, &resource),
    };
    let parameters = PatchParams::apply("test").force();
    let applied = api
        .patch(manifest.name(), &parameters, &Patch::Apply(&manifest.0))
        .await;
    applied
        .map(drop)
        .map_err(|error| format!("{}: {error}", manifest.title()))
}

fn components(version: Version, more: &[&'static str]) -> Vec<&'static str> {
    let old = (version < Version::new(1, 30)).then_some("before-1.30");
    old.into_iter().chain(more.iter().copied()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fleet_with_every_component_is_taken_by_the_api_server_and_its_workers_come_up() {
    let Some(plane) = shared().await else {
        return;
    };
    let client = plane.client().await.expect("a client");
    let version = plane.version();
    for more in [
        ["redis", "network-policy", "hpa", "heal-unconfined"].as_slice(),
        &["redis", "network-policy", "keda", "heal-sandbox"],
        &["redis"],
    ] {
        let manifests = with_components(&components(version, more));
        let mut left_out = Vec::new();
        for manifest in &manifests {
            match as_of(version, manifest) {
                Some(manifest) => apply(&client, &manifest)
                    .await
                    .unwrap_or_else(|error| panic!("{more:?}: {error}")),
                None => left_out.push(manifest.kind()),
            }
        }
        kubectl_applies(plane, &manifests);
        let expected = if more.contains(&"keda") { 5 } else { 0 };
        assert_eq!(left_out.len(), expected, "{more:?}: {left_out:?}");
    }

    let secret = Manifest(serde_json::json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": "maestro-redis", "namespace": NAMESPACE },
        "stringData": {
            "url": "redis://:made-up@redis:6379",
            "password": "made-up",
            "address": "redis.maestro.svc:6379"
        }
    }));
    apply(&client, &secret).await.expect("a secret");
    // Pods of a foreign cluster would want images that nobody has pushed.
    if plane.node() != Node::Played {
        return;
    }
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), NAMESPACE);
    for (name, replicas) in [("triage", 2), ("provision", 2), ("cleanup", 2)] {
        let ready = |deployment: &Deployment| {
            let status = deployment.status.as_ref();
            status.is_some_and(|status| {
                status.observed_generation == deployment.metadata.generation
                    && status.updated_replicas == Some(replicas)
                    && status.ready_replicas == Some(replicas)
                    && status.replicas == Some(replicas)
            })
        };
        until(&deployments, name, ready).await;
    }
    let jobs: Api<Job> = Api::namespaced(client, NAMESPACE);
    until(&jobs, "groups", |job| {
        job.status
            .as_ref()
            .is_some_and(|status| status.succeeded == Some(1))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_field_is_refused_by_the_server_so_that_what_it_takes_says_something() {
    let Some(plane) = shared().await else {
        return;
    };
    let client = plane.client().await.expect("a client");
    let namespace = plane.namespace().await.expect("a namespace");
    let base = with_components(&components(plane.version(), &[]));
    let mut triage = base
        .iter()
        .find(|one| one.is_worker() && one.name() == "triage")
        .expect("it is there")
        .clone();
    triage.0["metadata"]["namespace"] = namespace.name().into();
    triage.0["spec"]["template"]["spec"]["terminationGracePeriodSecond"] = 45.into();
    let refused = apply(&client, &triage).await.unwrap_err();
    assert!(
        refused.contains("terminationGracePeriodSecond"),
        "{refused}"
    );
}

/// What a person types: kubectl, and the server's own validation.
fn kubectl_applies(plane: &ControlPlane, manifests: &[Manifest]) {
    let version = plane.version();
    let taken = manifests.iter().filter_map(|one| as_of(version, one));
    let taken: Vec<Value> = taken.map(|one| one.0).collect();
    let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": taken });
    let mut child = kubectl()
        .args([
            "apply",
            "--dry-run=server",
            "--validate=true",
            "-f",
            "-",
            "--kubeconfig",
        ])
        .arg(plane.kubeconfig())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl starts");
    let mut input = child.stdin.take().expect("a pipe");
    input
        .write_all(list.to_string().as_bytes())
        .expect("it reads");
    drop(input);
    let output = child.wait_with_output().expect("it ends");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let done = String::from_utf8_lossy(&output.stdout);
    assert_eq!(done.lines().count(), taken.len(), "{done}");
}
