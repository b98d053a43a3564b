//! From the status that shows a failure to the verdict in the results.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::runtime::{WatchStreamExt as _, watcher};
use maestro_environment_tests::Site;
use maestro_test_cluster::{ControlPlane, Play};
use serde::Serialize;
use serde_json::json;

use crate::results::{Results, median, milliseconds};

/// How long a status may take to come: far longer than it does.
const PATIENCE: Duration = Duration::from_mins(1);

/// In milliseconds, for one way to fail.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Verdict {
    pub(crate) median_ms: f64,
    pub(crate) longest_ms: f64,
}

/// By reason.
pub(crate) async fn measure(
    plane: &ControlPlane,
    rounds: u16,
) -> anyhow::Result<BTreeMap<&'static str, Verdict>> {
    let kubelet = plane.kubelet().context("the node is played")?;
    let site = Site::on(plane).await;
    let _worker = site.provision(&[]);
    let ways = [
        (
            "ImagePull",
            "ImagePullBackOff",
            Play::image_pull_fails("manifest unknown"),
        ),
        ("CrashLoop", "CrashLoopBackOff", Play::crash_loops(3, 2)),
        (
            "ContainerConfig",
            "CreateContainerConfigError",
            Play::config_error("secret \"x\" not found"),
        ),
    ];
    let mut verdicts = BTreeMap::new();
    for (reason, waiting, play) in ways {
        let image = format!("shop:{}", reason.to_lowercase());
        kubelet.play(&image, play);
        let mut spans = Vec::new();
        for round in 0..rounds {
            let id = format!("{}-{round}", reason.to_lowercase());
            let seen = tokio::spawn(shown(site.client.clone(), image.clone(), waiting));
            let mut results = Results::from_now_on(&site)?;
            let spec = json!({ "app": { "image": image, "port": 8080 } });
            site.request(&id, &spec);
            let told = tokio::task::spawn_blocking(move || {
                results.until(1, |data| data["phase"] == "failed")
            });
            let told = told.await??;
            let seen = tokio::time::timeout(PATIENCE, seen).await???;
            // The first sign of a failed pull may be enough; then the verdict is there before the second.
            spans.push(milliseconds(told.saturating_duration_since(seen)));
            remove(&site).await?;
        }
        let longest = spans.iter().copied().fold(0.0, f64::max);
        verdicts.insert(
            reason,
            Verdict {
                median_ms: median(spans),
                longest_ms: longest,
            },
        );
    }
    Ok(verdicts)
}

/// When a pod of this image is first seen to fail, by a watch like the worker's.
async fn shown(
    client: kube::Client,
    image: String,
    waiting: &'static str,
) -> anyhow::Result<Instant> {
    let pods: Api<Pod> = Api::all(client);
    let mut states = std::pin::pin!(watcher(pods, watcher::Config::default()).applied_objects());
    while let Some(pod) = states.next().await {
        let pod = pod?;
        let statuses = pod.status.and_then(|status| status.container_statuses);
        let fails = statuses.into_iter().flatten().any(|status| {
            let state = status.state.and_then(|state| state.waiting);
            let reason = state.and_then(|waiting| waiting.reason);
            // A pull that the registry refuses is decided at its first sign.
            status.image == image
                && reason.is_some_and(|reason| reason == waiting || reason == "ErrImagePull")
        });
        if fails && pod.metadata.deletion_timestamp.is_none() {
            return Ok(Instant::now());
        }
    }
    anyhow::bail!("the watch ended")
}

/// So that the next round's pod is the only one.
async fn remove(site: &Site) -> anyhow::Result<()> {
    let all: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(site.client.clone());
    for namespace in site.namespaces().await {
        let name = namespace.metadata.name.unwrap_or_default();
        all.delete(&name, &kube::api::DeleteParams::default())
            .await?;
        let uid = namespace.metadata.uid.unwrap_or_default();
        let gone = kube::runtime::conditions::is_deleted(&uid);
        kube::runtime::wait::await_condition(all.clone(), &name, gone).await?;
    }
    Ok(())
}
