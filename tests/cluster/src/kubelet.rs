//! A node whose kubelet is played: pods that are scheduled to it go through their life in the API, and no container is started.

mod container;
mod events;
mod logs;
mod node;
mod play;
mod pod;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::runtime::controller::Action;
use kube::runtime::utils::Backoff;
use kube::runtime::{Controller, watcher};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::workplace::Workplace;
use crate::{Error, Version};
use events::Events;
use logs::Knowledge;
pub use play::Play;
use play::Playbook;

/// After an outage of the API server this is how long the kubelet stays away.
const AGAIN: Duration = Duration::from_millis(250);

/// The kubelet of a played node. By default a pod becomes Running and Ready at once, a Job's pod succeeds, and a deleted pod goes
/// at once; a [`Play`] has it otherwise, for all containers of an image, and applies to those that are there already as well.
/// It serves logs, but no exec and no port-forwarding.
#[derive(Debug)]
pub struct Kubelet {
    playbook: Playbook,
    changed: watch::Sender<u64>,
    tasks: Vec<JoinHandle<()>>,
}

impl Kubelet {
    /// Registers the node and runs in the runtime of whoever calls.
    pub(crate) async fn start(
        client: Client,
        version: Version,
        workplace: &Workplace,
    ) -> Result<Self, Error> {
        let playbook = Playbook::default();
        let (changed, scripts) = watch::channel(0);
        let pods: Api<Pod> = Api::all(client.clone());
        let here = watcher::Config::default().fields(&format!("spec.nodeName={}", node::NAME));
        let controller = Controller::new(pods, here)
            .trigger_backoff(Steady)
            .reconcile_all_on(each(scripts));
        let knowledge = Knowledge::new(playbook.clone());
        let (server, port) = logs::serve(workplace, knowledge.clone()).await?;
        node::register(client.clone(), version, port).await?;
        let context = Arc::new(Context {
            events: Events::new(client.clone()),
            client,
            playbook: playbook.clone(),
            knowledge,
            addresses: AtomicU32::new(1),
        });
        let playing = controller
            .run(reconcile, |_, _, _| Action::requeue(AGAIN), context)
            // What went wrong is tried again.
            .for_each(|_| std::future::ready(()));
        Ok(Self {
            playbook,
            changed,
            tasks: vec![tokio::spawn(playing), server],
        })
    }

    /// Has every container of this image, in every namespace, do this.
    pub fn play(&self, image: &str, play: Play) {
        self.set(None, image, play);
    }

    /// The same in one namespace; it wins over what is set for all.
    pub fn play_in(&self, namespace: &str, image: &str, play: Play) {
        self.set(Some(namespace), image, play);
    }

    fn set(&self, namespace: Option<&str>, image: &str, play: Play) {
        self.playbook.set(namespace, image, play);
        self.changed.send_modify(|times| *times += 1);
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// kube's own waits longer each time, up to half a minute, since it spares a server that others use too.
struct Steady;

impl Iterator for Steady {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(AGAIN)
    }
}

impl Backoff for Steady {
    fn reset(&mut self) {}
}

struct Context {
    client: Client,
    playbook: Playbook,
    events: Events,
    knowledge: Knowledge,
    addresses: AtomicU32,
}

/// One step of one pod. What it writes comes back as the next event, and so the next step is made.
async fn reconcile(pod: Arc<Pod>, context: Arc<Context>) -> Result<Action, kube::Error> {
    let namespace = pod.namespace().unwrap_or_default();
    let name = pod.name_any();
    let pods: Api<Pod> = Api::namespaced(context.client.clone(), &namespace);
    if pod.metadata.deletion_timestamp.is_some() {
        if !context.playbook.refuses(&namespace, &pod) {
            let params = DeleteParams {
                preconditions: Some(Preconditions {
                    uid: pod.uid(),
                    ..Preconditions::default()
                }),
                ..DeleteParams::default().grace_period(0)
            };
            context.knowledge.set(&namespace, &name, None);
            settled(pods.delete(&name, &params).await.map(drop))?;
        }
        return Ok(Action::await_change());
    }
    let play = |image: &str| context.playbook.find(&namespace, image);
    let address = || {
        let [_, b, c, d] = context
            .addresses
            .fetch_add(1, Ordering::Relaxed)
            .to_be_bytes();
        format!("10.{b}.{c}.{d}")
    };
    let Some(status) = pod::next(&pod, play, address, &Time(Timestamp::now())) else {
        context.knowledge.set(&namespace, &name, pod.status.clone());
        return Ok(Action::await_change());
    };
    let was = context
        .knowledge
        .set(&namespace, &name, Some(status.clone()));
    // The version makes a step that was made from an old state fail; the newer state is on its way here.
    let patch = json!({
        "metadata": { "resourceVersion": pod.resource_version(), "uid": pod.uid() },
        "status": status,
    });
    let written = pods
        .patch_status(&name, &PatchParams::default(), &Patch::Merge(patch))
        .await;
    match &written {
        Ok(written) => context.events.tell(&pod, written).await,
        Err(_) => drop(context.knowledge.set(&namespace, &name, was)),
    }
    settled(written.map(drop))?;
    Ok(Action::await_change())
}

/// A pod that is gone or has changed is no failure: its watch says so too.
fn settled(result: Result<(), kube::Error>) -> Result<(), kube::Error> {
    match result {
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
        other => other,
    }
}

fn each(changes: watch::Receiver<u64>) -> impl futures_util::Stream<Item = ()> {
    futures_util::stream::unfold(changes, async |mut changes| {
        changes.changed().await.ok()?;
        Some(((), changes))
    })
}
