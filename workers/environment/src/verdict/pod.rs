//! What one pod's status says: ready, on its way, or at fault.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod, PodCondition};
use kube::ResourceExt as _;

use super::fault::{Fault, Reason};
use super::{Patience, moment};
use crate::telling::later;

/// How long a container that nothing probes has to stay up. Kubernetes calls it ready from its first moment on, so one that ends at
/// once is ready for a moment again and again. Times of conditions are in whole seconds.
const SETTLING: SignedDuration = SignedDuration::from_secs(3);

/// What one pod's status says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is ready, since then.
    Ready(Timestamp),
    /// Not yet. With a time: then it has to be looked at again, though nothing may have changed.
    Underway(Option<Timestamp>),
    /// It will not get ready.
    Faulty(Box<Fault>),
}

/// Judges a pod. A container that ends again and again counts only if its last run began after `served_since`: before
/// that, what it needs was not there yet. `None` means that it still is not.
pub(super) fn standing(
    pod: &Pod,
    patience: Patience,
    served_since: Option<Timestamp>,
    now: Timestamp,
) -> Standing {
    if let Some(ready) = condition(pod, "Ready").filter(|ready| ready.status == "True") {
        let since = ready.last_transition_time.as_ref().map_or(now, moment);
        let settled = later(since, SETTLING);
        return if now < settled && is_taken_on_trust(pod) {
            Standing::Underway(Some(settled))
        } else {
            Standing::Ready(since)
        };
    }
    for container in containers(pod) {
        if let Some(fault) = container_fault(pod, container, served_since) {
            return Standing::Faulty(Box::new(fault));
        }
    }
    match unscheduled(pod) {
        Some((since, message)) => {
            let until = later(since, patience.unschedulable);
            if now < until {
                return Standing::Underway(Some(until));
            }
            let waited = patience.unschedulable.as_secs();
            let fault = Fault::new(
                Reason::Unschedulable,
                format!("no node took {} within {waited} s: {message}", named(pod)),
            );
            Standing::Faulty(Box::new(fault.object(named(pod)).message(Some(message))))
        }
        None => Standing::Underway(None),
    }
}

/// Judges the pod of a Job that has to succeed before the environment is ready.
pub(super) fn ended(
    pod: &Pod,
    patience: Patience,
    served_since: Option<Timestamp>,
    now: Timestamp,
) -> Standing {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    match phase {
        Some("Succeeded") => Standing::Ready(now),
        Some("Failed") => match lost(pod) {
            Some(fault) => Standing::Faulty(Box::new(fault)),
            None => Standing::Underway(None),
        },
        _ => match standing(pod, patience, served_since, now) {
            Standing::Ready(_) => Standing::Underway(None),
            other => other,
        },
    }
}

/// Whether a Job of this name made the pod.
pub(super) fn is_of_job(pod: &Pod, name: &str) -> bool {
    let mut owners = pod.owner_references().iter();
    owners.any(|owner| owner.kind == "Job" && owner.name == name)
}

/// Why a pod failed as a whole, if it did.
pub(super) fn lost(pod: &Pod) -> Option<Fault> {
    let status = pod.status.as_ref()?;
    if status.phase.as_deref() != Some("Failed") {
        return None;
    }
    let failed = containers(pod).find_map(|status| {
        let ended = status.state.as_ref()?.terminated.as_ref()?;
        (ended.exit_code != 0).then(|| (status.name.clone(), ended))
    });
    if let Some((name, ended)) = failed {
        let detail = format!(
            "the container `{name}` of {} failed{}",
            named(pod),
            how(ended)
        );
        let mut fault = Fault::new(Reason::ContainerConfig, detail)
            .object(named(pod))
            .message(ended.message.as_deref());
        fault.exit_code = Some(ended.exit_code);
        fault.container = Some(name);
        fault.log = Some((pod.name_any(), false));
        return Some(fault);
    }
    let message = status.message.as_deref();
    let why = status.reason.as_deref().unwrap_or("Failed");
    let detail = format!(
        "{} was ended from outside ({why}){}",
        named(pod),
        because(message)
    );
    Some(
        Fault::new(Reason::Evicted, detail)
            .object(named(pod))
            .message(message),
    )
}

/// `Pod/name`.
pub(super) fn named(pod: &Pod) -> String {
    format!("Pod/{}", pod.name_any())
}

pub(super) fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == kind)
}

/// The states of all containers, those first that run first.
pub(super) fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let first = status.and_then(|status| status.init_container_statuses.as_ref());
    let then = status.and_then(|status| status.container_statuses.as_ref());
    first
        .into_iter()
        .flatten()
        .chain(then.into_iter().flatten())
}

/// Whether a container of it is ready by running, because nothing probes it.
fn is_taken_on_trust(pod: &Pod) -> bool {
    let spec = pod.spec.as_ref();
    let mut containers = spec.into_iter().flat_map(|spec| &spec.containers);
    containers.any(|container| container.readiness_probe.is_none())
}

/// Since when no node takes it, and why.
fn unscheduled(pod: &Pod) -> Option<(Timestamp, &str)> {
    let condition = condition(pod, "PodScheduled")?;
    if condition.status != "False" || condition.reason.as_deref() != Some("Unschedulable") {
        return None;
    }
    let since = condition.last_transition_time.as_ref().map(moment)?;
    Some((
        since,
        condition.message.as_deref().unwrap_or("no reason given"),
    ))
}

/// Why a container will not run, if it will not. What the kubelet may yet overcome is no fault.
fn container_fault(
    pod: &Pod,
    status: &ContainerStatus,
    served_since: Option<Timestamp>,
) -> Option<Fault> {
    let waiting = status.state.as_ref()?.waiting.as_ref()?;
    let message = waiting.message.as_deref();
    let (container, image) = (&status.name, &status.image);
    let fault = match waiting.reason.as_deref()? {
        "ErrImagePull" if !is_hopeless(message.unwrap_or_default()) => return None,
        "ErrImagePull"
        | "ImagePullBackOff"
        | "InvalidImageName"
        | "ErrImageNeverPull"
        | "ImageInspectError"
        | "RegistryUnavailable"
        | "SignatureValidationFailed" => Fault::new(
            Reason::ImagePull,
            format!(
                "the image `{image}` of the container `{container}` cannot be pulled{}",
                because(message)
            ),
        ),
        "CreateContainerConfigError"
        | "CreateContainerError"
        | "RunContainerError"
        | "PreCreateHookError"
        | "PostStartHookError" => Fault::new(
            Reason::ContainerConfig,
            format!(
                "the container `{container}` cannot be made as it is described{}",
                because(message)
            ),
        ),
        "CrashLoopBackOff" => {
            let last = last_end(status);
            let began = last.and_then(|ended| ended.started_at.as_ref().map(moment));
            match (served_since, began) {
                (None, _) => return None,
                (Some(since), Some(began)) if began <= since => return None,
                _ => {}
            }
            let mut fault = Fault::new(
                Reason::CrashLoop,
                format!(
                    "the container `{container}` ends again and again, {} times so far{}",
                    status.restart_count,
                    last.map(how).unwrap_or_default()
                ),
            );
            fault.exit_code = last.map(|ended| ended.exit_code);
            fault.log = Some((pod.name_any(), true));
            fault
        }
        _ => return None,
    };
    let mut fault = fault.object(named(pod)).message(message);
    fault.container = Some(container.clone());
    Some(fault)
}

/// Whether a first failed pull will not come out otherwise.
fn is_hopeless(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    [
        "not found",
        "manifest unknown",
        "denied",
        "unauthorized",
        "invalid reference",
        "does not exist",
    ]
    .iter()
    .any(|sign| message.contains(sign))
}

fn last_end(status: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    let last = status.last_state.as_ref()?.terminated.as_ref();
    last.or_else(|| status.state.as_ref()?.terminated.as_ref())
}

/// How a container ended, to be put behind a sentence.
pub(super) fn how(ended: &ContainerStateTerminated) -> String {
    let code = ended.exit_code;
    match (ended.reason.as_deref(), ended.signal) {
        (Some("OOMKilled"), _) => format!(": it used more memory than it may (exit code {code})"),
        (_, Some(signal)) if signal > 0 => format!(": by signal {signal}"),
        _ => format!(": with exit code {code}"),
    }
}

/// The cluster's words, to be put behind a sentence.
pub(super) fn because(message: Option<&str>) -> String {
    match message.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => format!(": {text}"),
        None => String::new(),
    }
}
