//! What cannot come up fails at once, with its cause, and leaves nothing.

use futures_util::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{Pod, ResourceQuota};
use kube::api::{DeleteParams, ListParams};
use kube::runtime::WatchStreamExt as _;
use kube::{Api, ResourceExt as _};
use maestro_environment_tests::{Site, Told, phases};
use maestro_test_cluster::{Play, shared_played};
use maestro_tests::Worker;
use serde_json::{Value, json};

/// From the status that shows it to the verdict; a busy machine is slower than the second that is promised.
const AT_ONCE: SignedDuration = SignedDuration::from_secs(5);

fn app(image: &str) -> Value {
    json!({ "app": { "image": image } })
}

/// The failure that was told, after nothing was left of the environment.
fn failure(site: &Site, id: &str, workers: &[&Worker]) -> Told {
    let told = site.await_deleted(id, workers);
    let phases = phases(&told);
    assert_eq!(
        phases,
        ["accepted", "provisioning", "failed", "deleting", "deleted"],
        "{told:?}"
    );
    assert_eq!(told.last().expect("told").data["cause"], "failed");
    told[2].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_fail_is_told_at_once_with_the_container_its_message_and_its_log() {
    let Some((plane, kubelet)) = shared_played().await else {
        return;
    };
    let pull = "rpc error: code = NotFound desc = registry.example/none:1: not found";
    kubelet.play("registry.example/none:1", Play::image_pull_fails(pull));
    let crash = Play::crash_loops(3, 2).printing("reading /etc/app.conf\nno such file\n");
    kubelet.play("registry.example/crash:1", crash);
    let lacking = "secret \"absent\" not found";
    kubelet.play("registry.example/config:1", Play::config_error(lacking));
    let site = Site::on(plane).await;
    let (provision, cleanup) = (site.provision(&[]), site.cleanup(&[]));
    let workers = [&provision, &cleanup];
    for (id, reason, message) in [
        ("none", "ImagePull", Some(pull)),
        ("crash", "CrashLoop", None),
        ("config", "ContainerConfig", Some(lacking)),
    ] {
        let mut spec = app(&format!("registry.example/{id}:1"));
        // With a probe to pass: it runs for a moment before it crashes.
        spec["app"]["port"] = json!(8080);
        site.request(id, &spec);
        let told = failure(&site, id, &workers);
        assert_eq!(told.data["reason"], reason, "{told:?}");
        let failure = &told.data["failure"];
        assert_eq!(failure["container"], "app");
        assert!(
            failure["object"]
                .as_str()
                .expect("an object")
                .starts_with("Pod/app-"),
            "{failure}"
        );
        if let Some(message) = message {
            assert!(
                told.data["detail"]
                    .as_str()
                    .expect("a sentence")
                    .contains(message),
                "{told:?}"
            );
        }
        if id == "crash" {
            assert_eq!(failure["exit_code"], 3);
            let log = failure["log"].as_str().expect("a log");
            assert!(log.contains("no such file"), "{log}");
        }
    }
    assert!(site.namespaces().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_told_soon_after_the_status_that_shows_it() {
    let Some((plane, kubelet)) = shared_played().await else {
        return;
    };
    let site = Site::on(plane).await;
    let provision = site.provision(&[]);
    kubelet.play("registry.example/late:1", Play::stays_creating());
    let mut spec = app("registry.example/late:1");
    spec["keep_on_failure"] = json!(true);
    site.request("late", &spec);
    site.await_phase("late", "provisioning", &[&provision]);
    let namespace = site.namespace().await;
    let pods: Api<Pod> = Api::namespaced(site.client.clone(), &namespace);
    let ours = ListParams::default();
    // The pod is there and runs before it comes to grief.
    maestro_test_cluster::until(
        &Api::<k8s_openapi::api::apps::v1::Deployment>::namespaced(site.client.clone(), &namespace),
        "app",
        |app| {
            app.status
                .as_ref()
                .is_some_and(|status| status.unavailable_replicas == Some(1))
        },
    )
    .await;
    let name = pods
        .list(&ours)
        .await
        .expect("pods")
        .items
        .remove(0)
        .metadata
        .name;
    let name = name.expect("a name");
    kubelet.play(
        "registry.example/late:1",
        Play::config_error("configmap \"x\" not found"),
    );
    let shown = async {
        maestro_test_cluster::until(&pods, &name, |pod| {
            format!("{:?}", pod.status).contains("CreateContainerConfigError")
        })
        .await;
        Timestamp::now()
    };
    let shown = shown.await;
    let told = site.await_phase("late", "failed", &[&provision]);
    let failed = told.last().expect("told");
    let took = failed.time.duration_since(shown);
    assert!(took < AT_ONCE, "{took:?}");
    // It was asked to stay for inspection.
    assert_eq!(site.namespaces().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_slow_fails_at_its_deadline_and_says_what_was_lacking() {
    let Some((plane, kubelet)) = shared_played().await else {
        return;
    };
    kubelet.play("registry.example/slow:1", Play::never_ready());
    let site = Site::on(plane).await;
    let arguments = ["--unschedulable-grace", "2s", "--ready-timeout", "6s"];
    let (provision, cleanup) = (site.provision(&arguments), site.cleanup(&[]));
    let workers = [&provision, &cleanup];
    site.request("slow", &app("registry.example/slow:1"));
    let told = failure(&site, "slow", &workers);
    assert_eq!(told.data["reason"], "Deadline");
    let detail = told.data["detail"].as_str().expect("a sentence");
    assert!(
        detail.starts_with("not all was ready within 6 s: `app`: 0 of 1 pods ready"),
        "{detail}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_node_takes_fails_after_its_grace_in_a_template_of_the_operator_s_own() {
    let Some((plane, _)) = shared_played().await else {
        return;
    };
    let site = Site::on(plane).await;
    let templates = site.fleet.directory().join("templates");
    std::fs::create_dir(&templates).expect("a directory");
    let built_in = include_str!("../../../workers/environment/templates/deployment.yaml");
    let nowhere = built_in.replace(
        "\"{{ placement.node_selector }}\"",
        "{kubernetes.io/hostname: nowhere}",
    );
    assert_ne!(nowhere, built_in);
    std::fs::write(templates.join("deployment.yaml"), nowhere).expect("a template");
    let templates = templates.display().to_string();
    let arguments = ["--unschedulable-grace", "2s", "--templates", &templates];
    let (provision, cleanup) = (site.provision(&arguments), site.cleanup(&[]));
    site.request("nowhere", &app("shop:1"));
    let told = failure(&site, "nowhere", &[&provision, &cleanup]);
    assert_eq!(told.data["reason"], "Unschedulable");
    let detail = told.data["detail"].as_str().expect("a sentence");
    assert!(detail.starts_with("no node took Pod/app-"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_cluster_itself_refuses_is_told_from_what_a_quota_does_not_allow() {
    let Some((plane, kubelet)) = shared_played().await else {
        return;
    };
    let site = Site::on(plane).await;
    let templates = site.fleet.directory().join("templates");
    std::fs::create_dir(&templates).expect("a directory");
    let refused = "apiVersion: v1
kind: Service
metadata: {name: refused}
spec: {type: ExternalName, ports: [{port: 99999}]}
";
    std::fs::write(templates.join("refused.yaml"), refused).expect("a template");
    let templates = templates.display().to_string();
    let (provision, cleanup) = (
        site.provision(&["--templates", &templates]),
        site.cleanup(&[]),
    );
    let spec = json!({ "app": { "image": "shop:1" }, "templates": ["refused"] });
    site.request("refused", &spec);
    let told = failure(&site, "refused", &[&provision, &cleanup]);
    assert_eq!(told.data["reason"], "Rejected", "{told:?}");
    let detail = told.data["detail"].as_str().expect("a sentence");
    assert!(detail.contains(".spec.ports"), "{detail}");

    // A quota of somebody else's comes to be while a pod has not come up; the pod has to be made again.
    kubelet.play("registry.example/again:1", Play::stays_creating());
    site.request("again", &app("registry.example/again:1"));
    site.await_phase("again", "provisioning", &[&provision]);
    let namespace = site.namespace().await;
    let pods: Api<Pod> = Api::namespaced(site.client.clone(), &namespace);
    let sets = Api::<ReplicaSet>::namespaced(site.client.clone(), &namespace);
    let set = first(&sets, &namespace).await;
    maestro_test_cluster::until(&sets, &set, |set| {
        let status = set.status.as_ref();
        status.is_some_and(|status| status.replicas == 1)
    })
    .await;
    let quotas = Api::<ResourceQuota>::namespaced(site.client.clone(), &namespace);
    let tight = json!({ "metadata": { "name": "tight" }, "spec": { "hard": { "pods": "0" } } });
    let tight: ResourceQuota = serde_json::from_value(tight).expect("a quota");
    let parameters = kube::api::PostParams::default();
    quotas.create(&parameters, &tight).await.expect("a quota");
    maestro_test_cluster::until(&quotas, "tight", |quota| {
        let status = quota.status.as_ref();
        status.is_some_and(|status| status.hard.is_some())
    })
    .await;
    pods.delete_collection(&DeleteParams::default(), &ListParams::default())
        .await
        .expect("the pod goes");
    let told = failure(&site, "again", &[&provision, &cleanup]);
    assert_eq!(told.data["reason"], "QuotaExceeded", "{told:?}");
    let detail = told.data["detail"].as_str().expect("a sentence");
    assert!(detail.contains("exceeded quota: tight"), "{detail}");
}

/// The name of the one object of a kind, as soon as it is there.
async fn first<K>(all: &Api<K>, namespace: &str) -> String
where
    K: kube::Resource + Clone + std::fmt::Debug + serde::de::DeserializeOwned + Send + 'static,
    K::DynamicType: Default,
{
    let mut states = std::pin::pin!(
        kube::runtime::watcher(all.clone(), kube::runtime::watcher::Config::default())
            .applied_objects()
    );
    let object = states.next().await.expect("a watch");
    object
        .unwrap_or_else(|error| panic!("{namespace}: {error}"))
        .name_any()
}

#[tokio::test(flavor = "multi_thread")]
async fn tests_that_a_node_drives_out_are_told_from_tests_that_fail() {
    let Some((plane, kubelet)) = shared_played().await else {
        return;
    };
    kubelet.play("tests:driven-out", Play::runs());
    let site = Site::on(plane).await;
    let (provision, cleanup) = (site.provision(&[]), site.cleanup(&[]));
    let spec =
        json!({ "redis": true, "test": { "image": "tests:driven-out", "command": ["run"] } });
    site.request("driven-out", &spec);
    site.await_phase("driven-out", "testing", &[&provision]);
    let pods: Api<Pod> = Api::namespaced(site.client.clone(), &site.namespace().await);
    let jobs = Api::<k8s_openapi::api::batch::v1::Job>::namespaced(
        site.client.clone(),
        pods.namespace().expect("a namespace"),
    );
    maestro_test_cluster::until(&jobs, "test", |job| {
        let status = job.status.as_ref();
        status.is_some_and(|status| status.active == Some(1))
    })
    .await;
    let ours = ListParams::default().labels("job-name=test");
    let pod = pods.list(&ours).await.expect("pods").items.remove(0);
    // As a kubelet writes it whose node has too little memory.
    let evicted = json!({ "status": {
        "phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory.",
        "containerStatuses": null,
    } });
    let name = pod.metadata.name.expect("a name");
    let parameters = kube::api::PatchParams::default();
    pods.patch_status(&name, &parameters, &kube::api::Patch::Merge(evicted))
        .await
        .expect("the status");
    let told = site.await_deleted("driven-out", &[&provision, &cleanup]);
    let tested = told
        .iter()
        .find(|told| told.kind == "maestro.environment.tested.v1");
    let tested = &tested.expect("tested").data;
    assert_eq!(tested["outcome"], "broken", "{tested}");
    let reason = tested["reason"].as_str().expect("a sentence");
    assert!(reason.contains("low on resource"), "{tested}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tests_that_take_too_long_or_cannot_begin_are_told_apart() {
    let Some((plane, kubelet)) = shared_played().await else {
        return;
    };
    kubelet.play("tests:endless", Play::runs().printing("still at it\n"));
    kubelet.play("tests:none", Play::image_pull_fails("manifest unknown"));
    let site = Site::on(plane).await;
    let (provision, cleanup) = (site.provision(&[]), site.cleanup(&[]));
    let outcome = |id: &str, image: &str, timeout: u32| {
        let spec = json!({ "redis": true, "test": { "image": image, "command": ["run"], "timeout_s": timeout } });
        site.request(id, &spec);
        let told = site.await_deleted(id, &[&provision, &cleanup]);
        let tested = told
            .into_iter()
            .find(|told| told.kind == "maestro.environment.tested.v1");
        tested.expect("tested").data
    };
    let endless = outcome("endless", "tests:endless", 2);
    assert_eq!(endless["outcome"], "timed_out", "{endless}");
    let head = endless["log"]["head"].as_str().expect("a log");
    assert!(head.contains("still at it"), "{endless}");
    let none = outcome("none", "tests:none", 60);
    assert_eq!(none["outcome"], "broken", "{none}");
    let reason = none["reason"].as_str().expect("a sentence");
    assert!(reason.contains("manifest unknown"), "{none}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_does_not_go_is_reported_with_what_holds_it_and_still_goes_in_the_end() {
    let Some((plane, kubelet)) = shared_played().await else {
        return;
    };
    let site = Site::on(plane).await;
    let provision = site.provision(&[]);
    site.request("held", &app("registry.example/held:1"));
    site.await_phase("held", "ready", &[&provision]);
    kubelet.play("registry.example/held:1", Play::runs().refusing_to_end());
    let cleanup = site.cleanup(&["--terminating-patience", "10s"]);
    let down = json!({ "environment": "held" });
    site.publish(
        "k8s:cleanup",
        "maestro.environment.cleanup.requested.v1",
        "d",
        &down,
    );
    let told = site.await_told("held", &[&cleanup], |told| told.data["reason"] == "Stuck");
    let stuck = told.last().expect("told").data["detail"].to_string();
    assert!(stuck.contains("pods"), "{stuck}");
    kubelet.play("registry.example/held:1", Play::runs());
    let told = site.await_deleted("held", &[&cleanup]);
    assert_eq!(told.last().expect("told").data["cause"], "requested");
    assert!(site.namespaces().await.is_empty());
}
