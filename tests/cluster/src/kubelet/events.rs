//! The events that a kubelet reports about a pod that does not come up.

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource as _};

use super::container::{is_running, waits_for};
use super::node;

pub(super) struct Events(Recorder);

impl Events {
    pub(super) fn new(client: Client) -> Self {
        let reporter = Reporter {
            controller: "kubelet".to_owned(),
            instance: Some(node::NAME.to_owned()),
        };
        Self(Recorder::new(client, reporter))
    }

    /// What has newly befallen a container between these two.
    pub(super) async fn tell(&self, before: &Pod, after: &Pod) {
        for status in statuses(after) {
            let was = statuses(before).find(|was| was.name == status.name);
            let reason = waits_for(status);
            if was.is_some_and(|was| {
                waits_for(was) == reason && is_running(was) == is_running(status)
            }) {
                continue;
            }
            for event in about(status) {
                // A namespace that is being deleted takes no more events.
                drop(self.0.publish(&event, &after.object_ref(&())).await);
            }
        }
    }
}

fn about(status: &ContainerStatus) -> Vec<Event> {
    let waiting = status
        .state
        .as_ref()
        .and_then(|state| state.waiting.as_ref());
    let message = waiting
        .and_then(|waiting| waiting.message.clone())
        .unwrap_or_default();
    let (name, image) = (&status.name, &status.image);
    let warning = EventType::Warning;
    match waits_for(status) {
        Some("ErrImagePull") => vec![
            event(
                warning,
                "Failed",
                format!("Failed to pull image \"{image}\": {message}"),
            ),
            event(warning, "Failed", "Error: ErrImagePull".to_owned()),
        ],
        Some("ImagePullBackOff") => vec![event(EventType::Normal, "BackOff", message)],
        Some("CreateContainerConfigError") => {
            vec![event(warning, "Failed", format!("Error: {message}"))]
        }
        Some("CrashLoopBackOff") => {
            vec![event(
                warning,
                "BackOff",
                "Back-off restarting failed container".to_owned(),
            )]
        }
        None if is_running(status) => {
            vec![event(
                EventType::Normal,
                "Started",
                format!("Started container {name}"),
            )]
        }
        _ => Vec::new(),
    }
}

fn event(type_: EventType, reason: &str, note: String) -> Event {
    Event {
        type_,
        reason: reason.to_owned(),
        note: Some(note),
        action: "Play".to_owned(),
        secondary: None,
    }
}

fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.iter();
    status.flat_map(|status| {
        let init = status.init_container_statuses.iter().flatten();
        init.chain(status.container_statuses.iter().flatten())
    })
}
