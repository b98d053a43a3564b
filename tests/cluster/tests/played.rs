//! A played node runs, fails and ends pods as a test scripts it, and the controllers of a real control plane answer to that.

use std::fmt::Debug;

use futures_util::TryStreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Namespace, Pod, ResourceQuota};
use kube::api::{DeleteParams, ListParams, LogParams, PostParams};
use kube::core::{NamespaceResourceScope, Resource};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use maestro_test_cluster::{Kubelet, Play, TestNamespace, shared_played, until, until_gone};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// What each test has: a namespace, a client of its own runtime, and the kubelet. `None` where tests cannot script one.
struct Stage {
    namespace: TestNamespace,
    client: Client,
    kubelet: &'static Kubelet,
}

impl Stage {
    async fn set() -> Option<Self> {
        let (plane, kubelet) = shared_played().await?;
        let namespace = plane.namespace().await.expect("a namespace is made");
        let client = plane.client().await.expect("a client is made");
        Some(Self {
            namespace,
            client,
            kubelet,
        })
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), self.namespace.name())
    }

    fn play(&self, image: &str, play: Play) {
        self.kubelet.play_in(self.namespace.name(), image, play);
    }

    async fn create<K>(&self, object: Value) -> K
    where
        K: Resource<Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + serde::Serialize,
        K::DynamicType: Default,
    {
        let object: K = serde_json::from_value(object).expect("it is an object");
        self.api()
            .create(&PostParams::default(), &object)
            .await
            .expect("it is created")
    }

    /// Creates a pod of one container of this image.
    async fn pod(&self, image: &str) {
        let spec = json!({ "containers": [{ "name": "main", "image": image }] });
        self.create::<Pod>(json!({ "metadata": { "name": "p" }, "spec": spec }))
            .await;
    }

    /// Waits until the pod `p` is seen like this.
    async fn see(&self, what: impl Fn(&Pod) -> bool) -> Pod {
        until(&self.api(), "p", what).await
    }
}

fn waits_for(pod: &Pod, reason: &str) -> bool {
    let statuses = pod
        .status
        .iter()
        .flat_map(|status| status.container_statuses.iter().flatten());
    statuses
        .filter_map(|status| status.state.as_ref()?.waiting.as_ref()?.reason.as_deref())
        .any(|found| found == reason)
}

fn condition<'a>(pod: &'a Pod, name: &str) -> Option<&'a str> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let found = conditions
        .iter()
        .find(|condition| condition.type_ == name)?;
    Some(&found.status)
}

fn phase(pod: &Pod) -> &str {
    pod.status
        .as_ref()
        .and_then(|status| status.phase.as_deref())
        .unwrap_or_default()
}

#[tokio::test]
async fn a_deployment_becomes_available_and_its_service_gets_its_addresses() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let container = json!({
        "name": "app", "image": "app:1",
        "readinessProbe": { "httpGet": { "path": "/", "port": 80 } },
    });
    stage.create::<Deployment>(json!({
        "metadata": { "name": "app" },
        "spec": {
            "replicas": 3,
            "selector": { "matchLabels": { "app": "app" } },
            "template": { "metadata": { "labels": { "app": "app" } }, "spec": { "containers": [container] } },
        },
    }))
    .await;
    until(&stage.api::<Deployment>(), "app", |deployment| {
        deployment
            .status
            .as_ref()
            .is_some_and(|status| status.available_replicas == Some(3))
    })
    .await;
    let pods = stage
        .api::<Pod>()
        .list(&ListParams::default())
        .await
        .unwrap();
    let mut addresses: Vec<String> = pods
        .into_iter()
        .filter_map(|pod| pod.status?.pod_ip)
        .collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 3);
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_seen_with_its_message_and_its_events() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    stage.play("app:gone", Play::image_pull_fails("manifest unknown"));
    stage.pod("app:gone").await;
    let pod = stage.see(|pod| waits_for(pod, "ImagePullBackOff")).await;
    assert_eq!(phase(&pod), "Pending");
    assert_eq!(condition(&pod, "Ready"), Some("False"));
    assert_eq!(condition(&pod, "PodScheduled"), Some("True"));
    let events = watcher(stage.api::<Event>(), watcher::Config::default()).applied_objects();
    let mut told = Box::pin(events.try_filter(|event| {
        let message = "Failed to pull image \"app:gone\": manifest unknown";
        let name = event.involved_object.name.as_deref();
        std::future::ready(event.message.as_deref() == Some(message) && name == Some("p"))
    }));
    told.try_next().await.unwrap().unwrap();
    // The image is there now: the same pod goes on.
    stage.play("app:gone", Play::runs());
    stage
        .see(|pod| condition(pod, "Ready") == Some("True"))
        .await;
}

#[tokio::test]
async fn a_crash_loop_shows_the_last_exit_code_and_the_restarts() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    stage.play("app:crash", Play::crash_loops(7, 3));
    stage.pod("app:crash").await;
    let pod = stage.see(|pod| waits_for(pod, "CrashLoopBackOff")).await;
    let status = &pod
        .status
        .as_ref()
        .unwrap()
        .container_statuses
        .as_ref()
        .unwrap()[0];
    assert_eq!(status.restart_count, 3);
    let last = status
        .last_state
        .as_ref()
        .unwrap()
        .terminated
        .as_ref()
        .unwrap();
    assert_eq!(last.exit_code, 7);
    assert_eq!(phase(&pod), "Running");
}

#[tokio::test]
async fn a_missing_secret_and_a_failing_probe_and_a_slow_start_are_seen_as_what_they_are() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    stage.play("app:x", Play::stays_creating());
    stage.pod("app:x").await;
    let pod = stage.see(|pod| waits_for(pod, "ContainerCreating")).await;
    assert_eq!(phase(&pod), "Pending");
    stage.play("app:x", Play::config_error("secret \"s\" not found"));
    stage
        .see(|pod| waits_for(pod, "CreateContainerConfigError"))
        .await;
    stage.play("app:x", Play::never_ready());
    let pod = stage.see(|pod| phase(pod) == "Running").await;
    assert_eq!(condition(&pod, "Ready"), Some("False"));
    stage.play("app:x", Play::runs());
    stage
        .see(|pod| condition(pod, "Ready") == Some("True"))
        .await;
}

#[tokio::test]
async fn a_job_fails_with_its_exit_code_and_its_log_is_followed_to_the_end() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    stage.play(
        "tests:1",
        Play::runs().printing("collected 3 items\n1 failed\n"),
    );
    let job = json!({
        "metadata": { "name": "tests" },
        "spec": {
            "backoffLimit": 0,
            "template": { "spec": {
                "restartPolicy": "Never",
                "initContainers": [{ "name": "first", "image": "init:1" }],
                "containers": [{ "name": "tests", "image": "tests:1" }],
            } },
        },
    });
    stage.create::<Job>(job).await;
    let jobs = stage.api::<Job>();
    until(&jobs, "tests", |job| {
        job.status
            .as_ref()
            .is_some_and(|status| status.active == Some(1))
    })
    .await;
    let pods = stage.api::<Pod>();
    let of_job = ListParams::default().labels("job-name=tests");
    let name = pods.list(&of_job).await.unwrap().items[0].name_any();
    until(&pods, &name, |pod| phase(pod) == "Running").await;

    let follow = LogParams {
        follow: true,
        ..LogParams::default()
    };
    let mut log = Box::pin(pods.log_stream(&name, &follow).await.unwrap());
    let mut text = vec![0; 27];
    futures_util::AsyncReadExt::read_exact(&mut log, &mut text)
        .await
        .unwrap();
    assert_eq!(text, b"collected 3 items\n1 failed\n");
    stage.play(
        "tests:1",
        Play::exits(1).printing("collected 3 items\n1 failed\n"),
    );
    let mut rest = Vec::new();
    futures_util::AsyncReadExt::read_to_end(&mut log, &mut rest)
        .await
        .unwrap();
    assert_eq!(rest, b"");

    let failed = |job: &Job| {
        let status = job.status.as_ref();
        let mut conditions = status
            .and_then(|status| status.conditions.as_ref())
            .into_iter()
            .flatten();
        conditions.any(|condition| condition.type_ == "Failed" && condition.status == "True")
    };
    until(&jobs, "tests", failed).await;
    let tail = LogParams {
        tail_lines: Some(1),
        ..LogParams::default()
    };
    assert_eq!(pods.logs(&name, &tail).await.unwrap(), "1 failed\n");
}

#[tokio::test]
async fn a_job_succeeds_where_nothing_else_is_scripted() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let template = json!({ "spec": { "restartPolicy": "Never", "containers": [{ "name": "t", "image": "t" }] } });
    stage
        .create::<Job>(json!({ "metadata": { "name": "j" }, "spec": { "template": template } }))
        .await;
    until(&stage.api::<Job>(), "j", |job| {
        job.status
            .as_ref()
            .is_some_and(|status| status.succeeded == Some(1))
    })
    .await;
}

#[tokio::test]
async fn a_resource_quota_refuses_what_exceeds_it() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let quota = json!({ "metadata": { "name": "q" }, "spec": { "hard": { "pods": "0" } } });
    stage.create::<ResourceQuota>(quota).await;
    until(&stage.api::<ResourceQuota>(), "q", |quota| {
        quota
            .status
            .as_ref()
            .is_some_and(|status| status.hard.is_some())
    })
    .await;
    let pod = json!({
        "metadata": { "name": "p" }, "spec": { "containers": [{ "name": "c", "image": "c" }] },
    });
    let pod: Pod = serde_json::from_value(pod).unwrap();
    let refused = stage
        .api::<Pod>()
        .create(&PostParams::default(), &pod)
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("exceeded quota: q"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_namespace_ends_with_everything_in_it_but_not_before_its_last_pod() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    stage.play("app:stubborn", Play::runs().refusing_to_end());
    let spec = json!({
        "terminationGracePeriodSeconds": 1,
        "containers": [{ "name": "main", "image": "app:stubborn" }],
    });
    stage
        .create::<Pod>(json!({ "metadata": { "name": "p" }, "spec": spec }))
        .await;
    stage.see(|pod| phase(pod) == "Running").await;
    let namespaces: Api<Namespace> = Api::all(stage.client.clone());
    let name = stage.namespace.name();
    namespaces
        .delete(name, &DeleteParams::default())
        .await
        .unwrap();
    let held = until(&namespaces, name, |namespace| {
        let status = namespace.status.as_ref();
        let mut conditions = status
            .and_then(|status| status.conditions.as_ref())
            .into_iter()
            .flatten();
        conditions.any(|condition| {
            condition.type_ == "NamespaceContentRemaining" && condition.status == "True"
        })
    })
    .await;
    assert_eq!(held.status.unwrap().phase.as_deref(), Some("Terminating"));
    stage.play("app:stubborn", Play::runs());
    until_gone(&namespaces, name).await;
}

#[tokio::test]
async fn a_hundred_pods_become_ready() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let template = json!({
        "metadata": { "labels": { "app": "many" } },
        "spec": { "containers": [{ "name": "c", "image": "many:1" }] },
    });
    stage.create::<Deployment>(json!({
        "metadata": { "name": "many" },
        "spec": { "replicas": 100, "selector": { "matchLabels": { "app": "many" } }, "template": template },
    }))
    .await;
    until(&stage.api::<Deployment>(), "many", |deployment| {
        deployment
            .status
            .as_ref()
            .is_some_and(|status| status.available_replicas == Some(100))
    })
    .await;
}
