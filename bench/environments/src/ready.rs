//! From a message to `ready`, for an application with `PostgreSQL` and Redis, in turns with `kubectl`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::Context as _;
use maestro_environment_tests::{Site, stack};
use maestro_test_cluster::ControlPlane;
use serde::Serialize;

use crate::manifests::Manifests;
use crate::results::{Results, median, milliseconds};

/// Medians, in milliseconds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Ready {
    /// From the message to `ready` in the results.
    pub(crate) fleet_ms: f64,
    /// From before `kubectl apply` to after `kubectl wait`.
    pub(crate) kubectl_ms: f64,
    /// Each of the fleet's rounds.
    pub(crate) fleet_rounds_ms: Vec<f64>,
    /// Each of kubectl's.
    pub(crate) kubectl_rounds_ms: Vec<f64>,
    /// How many objects an environment is made of.
    pub(crate) objects: usize,
}

/// In turns. The first turn of each is left out: both learn what the cluster serves in it.
pub(crate) async fn measure(plane: &ControlPlane, rounds: u16) -> anyhow::Result<Ready> {
    let site = Site::on(plane).await;
    let _worker = site.provision(&[]);
    let directory = tempfile::tempdir()?;
    let (mut fleet, mut kubectl, mut objects) = (Vec::new(), Vec::new(), 0);
    for round in 0..=rounds {
        let id = format!("ready-{round}");
        let mut results = Results::from_now_on(&site)?;
        let begun = Instant::now();
        site.request(&id, &stack("shop:1"));
        let ready = results.until_phase(1, "ready")?;
        let by_fleet = milliseconds(ready - begun);

        let manifests = Manifests::of(&stack("shop:1"), "kubectl", &id)?;
        objects = manifests.all.len();
        let by_kubectl = apply_and_wait(plane.kubeconfig(), &manifests, directory.path())?;
        if round > 0 {
            fleet.push(by_fleet);
            kubectl.push(by_kubectl);
        }
    }
    Ok(Ready {
        fleet_ms: median(fleet.clone()),
        kubectl_ms: median(kubectl.clone()),
        fleet_rounds_ms: fleet,
        kubectl_rounds_ms: kubectl,
        objects,
    })
}

/// What a person would type.
fn apply_and_wait(
    kubeconfig: &Path,
    manifests: &Manifests,
    directory: &Path,
) -> anyhow::Result<f64> {
    let file = directory.join("manifests.json");
    std::fs::write(&file, manifests.list().to_string())?;
    let kubectl = |arguments: &[&str]| {
        let mut command = Command::new("kubectl");
        command
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(["--namespace", &manifests.namespace])
            .args(arguments)
            // What it learns of the cluster, it keeps here.
            .env("HOME", directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let status = command.status().context("kubectl does not start")?;
        anyhow::ensure!(status.success(), "kubectl {arguments:?}: {status}");
        Ok(())
    };
    let path = file.to_str().context("the directory's name is no text")?;
    let begun = Instant::now();
    kubectl(&["apply", "-f", path])?;
    kubectl(&[
        "wait",
        "--for=condition=Available",
        "deployment",
        "--all",
        "--timeout=120s",
    ])?;
    Ok(milliseconds(begun.elapsed()))
}
