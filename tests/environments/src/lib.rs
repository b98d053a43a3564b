//! What is proven of environments: the workers of a real fleet, started as a user would, on a real Kubernetes control plane.
//!
//! A [`Site`] is a fleet of its own with an owner of its own, so that tests share a control plane and none sees another's namespaces.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use k8s_openapi::api::core::v1::Namespace;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};
use maestro_test_cluster::ControlPlane;
use maestro_tests::{Entry, Fleet, Worker};
use serde_json::{Value, json};

/// Distinguishes the fleets of one test program.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A fleet on a control plane that it may share with others.
pub struct Site {
    /// Its Redis and its commands.
    pub fleet: Fleet,
    /// An administrator of the cluster.
    pub client: Client,
    /// Whose its environments are.
    pub owner: String,
    kubeconfig: PathBuf,
}

impl Site {
    /// A fleet whose workers reach the control plane directly.
    ///
    /// # Panics
    /// When Redis or the client cannot be had.
    pub async fn on(plane: &ControlPlane) -> Self {
        Self::through(plane, plane.kubeconfig()).await
    }

    /// A fleet whose workers reach the control plane by this kubeconfig file.
    ///
    /// # Panics
    /// When Redis or the client cannot be had.
    pub async fn through(plane: &ControlPlane, kubeconfig: &Path) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            fleet: Fleet::start(),
            client: plane.client().await.expect("a client"),
            owner: format!("t{}-{number}", std::process::id()),
            kubeconfig: kubeconfig.to_path_buf(),
        }
    }

    /// Starts a provision worker, with further arguments.
    pub fn provision(&self, arguments: &[&str]) -> Worker {
        self.worker("provision", arguments)
    }

    /// Starts a cleanup worker that sweeps every second, with further arguments.
    pub fn cleanup(&self, arguments: &[&str]) -> Worker {
        let mut all = vec!["--sweep-interval", "1s"];
        all.extend(arguments);
        self.worker("cleanup", &all)
    }

    fn worker(&self, kind: &str, arguments: &[&str]) -> Worker {
        self.worker_as(&self.kubeconfig, kind, arguments)
    }

    /// Starts a worker that has the rights of this kubeconfig file.
    pub fn worker_as(&self, kubeconfig: &Path, kind: &str, arguments: &[&str]) -> Worker {
        let kubeconfig = kubeconfig.display().to_string();
        let mut all = vec!["--kubeconfig", &kubeconfig, "--owner", &self.owner];
        all.extend(["--entry-image", "maestro/entry:1", "--lease", "1s"]);
        all.extend(arguments);
        self.fleet.worker(kind, &all)
    }

    /// Asks for an environment.
    ///
    /// # Panics
    /// When Redis does not take it.
    pub fn request(&self, id: &str, spec: &Value) {
        self.publish(
            "k8s:provision",
            "maestro.environment.requested.v1",
            id,
            spec,
        );
    }

    /// Publishes a message.
    ///
    /// # Panics
    /// When Redis does not take it.
    pub fn publish(&self, stream: &str, kind: &str, id: &str, data: &Value) {
        let _: String = redis::cmd("XADD")
            .arg(stream)
            .arg("*")
            .arg(&[("type", kind), ("id", id), ("source", "test")])
            .arg("data")
            .arg(data.to_string())
            .query(&mut self.fleet.redis())
            .expect("XADD");
    }

    /// What has been told so far, of one environment.
    pub fn told(&self, id: &str) -> Vec<Told> {
        let entries = self.fleet.entries("k8s:results");
        let all = entries.iter().map(Told::of);
        all.filter(|told| told.data["environment"] == id).collect()
    }

    /// Waits until this has been told of an environment, and gives back all that has been told of it.
    ///
    /// # Panics
    /// When it takes too long; with the workers' last words.
    pub fn await_told(
        &self,
        id: &str,
        workers: &[&Worker],
        holds: impl Fn(&Told) -> bool,
    ) -> Vec<Told> {
        let mut count = 1;
        loop {
            let entries = self.fleet.await_entries("k8s:results", count, workers);
            let told: Vec<Told> = entries
                .iter()
                .map(Told::of)
                .filter(|told| told.data["environment"] == id)
                .collect();
            if told.iter().any(&holds) {
                return told;
            }
            count = entries.len() + 1;
        }
    }

    /// Waits until an environment is in this phase, and gives back all that has been told of it.
    pub fn await_phase(&self, id: &str, phase: &str, workers: &[&Worker]) -> Vec<Told> {
        self.await_told(id, workers, |told| told.phase() == Some(phase))
    }

    /// Waits until nothing is left of an environment.
    pub fn await_deleted(&self, id: &str, workers: &[&Worker]) -> Vec<Told> {
        self.await_told(id, workers, |told| {
            told.kind == "maestro.environment.deleted.v1"
        })
    }

    /// The namespaces of this fleet.
    ///
    /// # Panics
    /// When the API server does not answer.
    pub async fn namespaces(&self) -> Vec<Namespace> {
        let selector = format!("maestro.dev/owner={}", self.owner);
        let all: Api<Namespace> = Api::all(self.client.clone());
        let list = all.list(&ListParams::default().labels(&selector)).await;
        list.expect("namespaces").items
    }

    /// The one namespace of this fleet.
    ///
    /// # Panics
    /// When there are more or fewer.
    pub async fn namespace(&self) -> String {
        let mut all = self.namespaces().await;
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0).name_any()
    }
}

/// A message on `k8s:results`.
#[derive(Debug, Clone)]
pub struct Told {
    /// Its type.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// When its writer says that it was said.
    pub time: jiff::Timestamp,
    /// Its payload.
    pub data: Value,
}

impl Told {
    fn of(entry: &Entry) -> Self {
        let text = |name: &str| entry.get(name).cloned().unwrap_or_default();
        Self {
            kind: text("type"),
            id: text("id"),
            time: text("time").parse().expect("a time"),
            data: serde_json::from_str(&text("data")).expect("JSON"),
        }
    }

    /// The phase, if it is a status.
    pub fn phase(&self) -> Option<&str> {
        self.data["phase"].as_str()
    }
}

/// The phases that were told, in order.
pub fn phases(told: &[Told]) -> Vec<&str> {
    told.iter().filter_map(Told::phase).collect()
}

/// An application with a database and a Redis.
pub fn stack(image: &str) -> Value {
    json!({
        "app": { "image": image, "port": 8080 },
        "database": "postgresql",
        "redis": true,
    })
}
