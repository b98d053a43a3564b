//! The control plane comes up with each kind of node, survives an outage of its API server, and leaves nothing behind.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::PostParams;
use maestro_test_cluster::{ControlPlane, Node, Version, shared_hollow, switched_off, until};
use serde_json::json;

async fn deploy(plane: &ControlPlane, namespace: &str, name: &str) {
    let deployments: Api<Deployment> =
        Api::namespaced(plane.client().await.expect("a client is made"), namespace);
    let template = json!({
        "metadata": { "labels": { "app": name } },
        "spec": { "containers": [{ "name": "app", "image": "app:1" }] },
    });
    let deployment = serde_json::from_value(json!({
        "metadata": { "name": name },
        "spec": { "selector": { "matchLabels": { "app": name } }, "template": template },
    }));
    let deployment = deployment.expect("it is a Deployment");
    deployments
        .create(&PostParams::default(), &deployment)
        .await
        .expect("it is created");
    until(&deployments, name, |deployment| {
        deployment
            .status
            .as_ref()
            .is_some_and(|status| status.available_replicas == Some(1))
    })
    .await;
}

#[tokio::test]
async fn a_control_plane_without_a_node_finds_pods_unschedulable() {
    if switched_off() {
        return;
    }
    let plane = ControlPlane::start(Node::None).await.unwrap();
    assert!(plane.version() >= Version::new(1, 20));
    assert_eq!(plane.pids().len(), 4);
    let directory = plane.directory().to_path_buf();
    let pids = plane.pids();
    drop(plane);
    assert!(!directory.exists());
    assert!(pids.into_iter().all(is_gone));
}

#[tokio::test]
async fn a_deployment_becomes_available_on_a_hollow_node() {
    let Some(plane) = shared_hollow().await else {
        return;
    };
    let namespace = plane.namespace().await.unwrap();
    deploy(plane, namespace.name(), "app").await;
}

#[tokio::test]
async fn an_api_server_that_was_killed_comes_back_with_its_data_and_everyone_goes_on() {
    if switched_off() {
        return;
    }
    let plane = ControlPlane::start(Node::Played).await.unwrap();
    let namespace = plane.namespace().await.unwrap();
    deploy(&plane, namespace.name(), "before").await;
    let namespaces: Api<Namespace> = Api::all(plane.client().await.unwrap());
    plane.stop_api_server().unwrap();
    namespaces.get(namespace.name()).await.unwrap_err();
    assert_eq!(plane.pids().len(), 3);
    plane.start_api_server().await.unwrap();
    namespaces.get(namespace.name()).await.unwrap();
    deploy(&plane, namespace.name(), "after").await;
}

#[test]
fn a_process_that_is_killed_takes_its_control_plane_with_it() {
    if switched_off() {
        return;
    }
    let mut process = Command::new(env!("CARGO_BIN_EXE_control-plane"))
        .arg("none")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let kubeconfig = lines.next().unwrap();
    let kubeconfig = kubeconfig.split('\'').nth(1).unwrap();
    let directory = Path::new(kubeconfig).parent().unwrap().to_path_buf();
    let processes = lines.next().unwrap();
    let pids = processes.split("processes ").nth(1).unwrap().split(' ');
    let pids: Vec<u32> = pids.map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(pids.len(), 4);
    assert!(directory.exists());
    process.kill().unwrap();
    process.wait().unwrap();
    let killed = Instant::now();
    while directory.exists() || !pids.iter().copied().all(is_gone) {
        assert!(
            killed.elapsed() < Duration::from_secs(30),
            "{directory:?} {pids:?}"
        );
        std::thread::yield_now();
    }
}

/// Gone, or ended and waiting for a parent that cares.
fn is_gone(pid: u32) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    stat.is_err() || stat.is_ok_and(|stat| stat.contains(") Z "))
}
