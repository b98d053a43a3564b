//! The rights that are shipped are enough for the workers' work, and for nothing else.

use k8s_openapi::api::core::v1::{Namespace, Pod, Secret};
use kube::api::{ApiResource, DeleteParams, ListParams, Patch, PatchParams};
use kube::core::{DynamicObject, GroupVersionKind};
use kube::{Api, Client};
use maestro_environment_tests::{Site, phases, stack};
use maestro_test_cluster::shared_played;
use serde_json::{Value, json};

/// What `kubectl apply -k deploy/kubernetes/environments` applies where there are no admission policies.
const SHIPPED: [&str; 4] = [
    include_str!("../../../deploy/kubernetes/environments/workers.yaml"),
    include_str!("../../../deploy/kubernetes/environments/provision.yaml"),
    include_str!("../../../deploy/kubernetes/environments/environment.yaml"),
    include_str!("../../../deploy/kubernetes/environments/cleanup.yaml"),
];

async fn apply(client: &Client, manifest: &Value) {
    let text = |pointer: &str| {
        let text = manifest.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_default()
    };
    let (group, version) = text("/apiVersion")
        .split_once('/')
        .unwrap_or(("", text("/apiVersion")));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, text("/kind")));
    let api: Api<DynamicObject> = match text("/metadata/namespace") {
        "" => Api::all_with(client.clone(), &resource),
        namespace => Api::namespaced_with(client.clone(), namespace, &resource),
    };
    let parameters = PatchParams::apply("test").force();
    api.patch(text("/metadata/name"), &parameters, &Patch::Apply(manifest))
        .await
        .unwrap_or_else(|error| panic!("{manifest}: {error}"));
}

async fn apply_shipped(client: &Client) {
    for file in SHIPPED {
        let manifests: Vec<Value> = serde_saphyr::from_multiple(file).expect("YAML");
        for manifest in manifests {
            apply(client, &manifest).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_not_there_fails_the_environment_and_takes_away_what_was_made() {
    let Some((plane, _)) = shared_played().await else {
        return;
    };
    let site = Site::on(plane).await;
    apply_shipped(&site.client).await;
    let provisioner = plane
        .kubeconfig_as("maestro", "provision")
        .await
        .expect("a token");
    let rights = [
        "--bind-cluster-role",
        "no-such-role",
        "--service-account",
        "maestro/provision",
    ];
    let provision = site.worker_as(&provisioner, "provision", &rights);
    let cleanup = site.cleanup(&[]);
    site.request("misnamed", &stack("shop:1"));
    let told = site.await_deleted("misnamed", &[&provision, &cleanup]);
    assert_eq!(
        phases(&told),
        ["accepted", "provisioning", "failed", "deleting", "deleted"],
        "{told:#?}"
    );
    assert_eq!(told[2].data["reason"], "Rejected");
    let detail = told[2].data["detail"].as_str().expect("a sentence");
    assert!(detail.contains("no-such-role"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_rights_are_enough_for_the_workers_and_open_no_other_namespace() {
    let Some((plane, _)) = shared_played().await else {
        return;
    };
    let site = Site::on(plane).await;
    apply_shipped(&site.client).await;
    let provisioner = plane
        .kubeconfig_as("maestro", "provision")
        .await
        .expect("a token");
    let cleaner = plane
        .kubeconfig_as("maestro", "cleanup")
        .await
        .expect("a token");
    let rights = [
        "--bind-cluster-role",
        "maestro-environment",
        "--service-account",
        "maestro/provision",
    ];
    let provision = site.worker_as(&provisioner, "provision", &rights);
    let cleanup = site.worker_as(&cleaner, "cleanup", &["--sweep-interval", "1s"]);
    let mut spec = stack("shop:1");
    spec["test"] = json!({ "image": "tests:rights", "command": ["run"] });
    spec["keep_on_failure"] = json!(true);
    site.request("rights", &spec);
    let told = site.await_deleted("rights", &[&provision, &cleanup]);
    assert_eq!(
        phases(&told),
        [
            "accepted",
            "provisioning",
            "ready",
            "testing",
            "tested",
            "deleting",
            "deleted"
        ],
        "{told:#?}"
    );

    // A namespace that is not theirs, with something in it.
    let stranger = plane.namespace().await.expect("a namespace");
    let as_provision = client_of(&provisioner).await;
    let as_cleanup = client_of(&cleaner).await;
    for client in [&as_provision, &as_cleanup] {
        let pods: Api<Pod> = Api::namespaced(client.clone(), stranger.name());
        denied(pods.list(&ListParams::default()).await.map(drop));
        let secrets: Api<Secret> = Api::namespaced(client.clone(), stranger.name());
        denied(secrets.list(&ListParams::default()).await.map(drop));
    }
    let namespaces: Api<Namespace> = Api::all(as_provision);
    let parameters = DeleteParams::default();
    denied(
        namespaces
            .delete(stranger.name(), &parameters)
            .await
            .map(drop),
    );

    // An environment's id that names a stranger's namespace, by whatever means, opens nothing either.
    let down = json!({ "selector": "kubernetes.io/metadata.name" });
    site.publish(
        "k8s:cleanup",
        "maestro.environment.cleanup.requested.v1",
        "all",
        &down,
    );
    site.publish(
        "k8s:cleanup",
        "maestro.environment.cleanup.requested.v1",
        "one",
        &json!({ "environment": stranger.name() }),
    );
    site.await_told(stranger.name(), &[&cleanup], |told| {
        told.data["detail"] == "there is no such environment, or no longer"
    });
    let there: Api<Namespace> = Api::all(site.client.clone());
    let there = there.get(stranger.name()).await.expect("it is there");
    assert!(there.metadata.deletion_timestamp.is_none());
}

async fn client_of(kubeconfig: &std::path::Path) -> Client {
    let file = kube::config::Kubeconfig::read_from(kubeconfig).expect("a kubeconfig");
    let options = kube::config::KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(file, &options).await;
    Client::try_from(config.expect("a configuration")).expect("a client")
}

fn denied(answer: kube::Result<()>) {
    match answer {
        Err(kube::Error::Api(status)) if status.code == 403 => {}
        other => panic!("allowed, or wrong in another way: {other:?}"),
    }
}
