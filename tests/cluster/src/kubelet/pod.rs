//! The next status of a pod: a step of each of its containers, and what that makes of the pod.

use k8s_openapi::api::core::v1::{
    Container, ContainerStatus, Pod, PodCondition, PodIP, PodSpec, PodStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::container::{self, Restart, exit_code, image, is_running, waits_for};
use super::play::{Act, Play};

/// `None` when nothing is left to happen. `play` answers for an image, `address` gives a pod its own.
pub(super) fn next(
    pod: &Pod,
    play: impl Fn(&str) -> Option<Play>,
    address: impl FnOnce() -> String,
    now: &Time,
) -> Option<PodStatus> {
    let spec = pod.spec.as_ref()?;
    let was = pod.status.clone().unwrap_or_default();
    if matches!(was.phase.as_deref(), Some("Succeeded" | "Failed")) {
        return None;
    }
    let restart = match spec.restart_policy.as_deref() {
        Some("Never") => Restart::Never,
        Some("OnFailure") => Restart::OnFailure,
        _ => Restart::Always,
    };
    let by_default = if is_of_a_job(pod) {
        Act::Exits { code: 0 }
    } else {
        Act::Runs
    };

    let init = init_statuses(spec, &was, restart, &play, now);
    let initialized = spec
        .init_containers
        .iter()
        .flatten()
        .zip(&init)
        .all(|(container, status)| is_done(container, status));
    let main: Vec<ContainerStatus> = spec
        .containers
        .iter()
        .map(|container| {
            let known = find(was.container_statuses.as_ref(), &container.name);
            let act = play(image(container)).map_or_else(|| by_default.clone(), |play| play.act);
            // Until then they wait, as at the beginning.
            let act = if initialized { act } else { Act::StaysCreating };
            container::next(container, &act, restart, known, now)
        })
        .collect();

    let phase = phase(&init, initialized, &main, restart);
    let ended = matches!(phase, "Succeeded" | "Failed");
    let unready: Vec<&str> = main
        .iter()
        .filter(|status| !status.ready)
        .map(|status| status.name.as_str())
        .collect();
    let mut next = was.clone();
    let conditions = next.conditions.get_or_insert_default();
    let why = if ended {
        ("PodCompleted", String::new())
    } else {
        let message = format!("containers with unready status: [{}]", unready.join(" "));
        ("ContainersNotReady", message)
    };
    set(
        conditions,
        "Initialized",
        initialized,
        ("ContainersNotInitialized", String::new()),
        now,
    );
    set(conditions, "Ready", unready.is_empty(), why.clone(), now);
    set(conditions, "ContainersReady", unready.is_empty(), why, now);
    next.phase = Some(phase.to_owned());
    next.start_time.get_or_insert_with(|| now.clone());
    next.host_ip.get_or_insert_with(|| "127.0.0.1".to_owned());
    if next.pod_ip.is_none() {
        let address = address();
        next.pod_ips = Some(vec![PodIP {
            ip: address.clone(),
        }]);
        next.pod_ip = Some(address);
    }
    if !init.is_empty() {
        next.init_container_statuses = Some(init);
    }
    next.container_statuses = Some(main);
    (next != was).then_some(next)
}

/// One after the other: those behind the first that is not done yet have not been seen.
fn init_statuses(
    spec: &PodSpec,
    was: &PodStatus,
    restart: Restart,
    play: &impl Fn(&str) -> Option<Play>,
    now: &Time,
) -> Vec<ContainerStatus> {
    let restart = match restart {
        Restart::Always => Restart::OnFailure,
        other => other,
    };
    let mut before_are_done = true;
    let mut statuses = Vec::new();
    for container in spec.init_containers.iter().flatten() {
        let known = find(was.init_container_statuses.as_ref(), &container.name);
        let by_default = if is_sidecar(container) {
            Act::Runs
        } else {
            Act::Exits { code: 0 }
        };
        let act = if before_are_done {
            play(image(container)).map_or(by_default, |play| play.act)
        } else {
            Act::StaysCreating
        };
        let mut status = container::next(container, &act, restart, known, now);
        before_are_done &= known.is_some_and(|known| is_done(container, known));
        status.ready = is_done(container, &status);
        statuses.push(status);
    }
    statuses
}

fn is_done(container: &Container, status: &ContainerStatus) -> bool {
    exit_code(status) == Some(0) || (is_sidecar(container) && is_running(status))
}

/// An init container that runs on beside the others (Kubernetes 1.29).
fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

/// As in <https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase>.
fn phase(
    init: &[ContainerStatus],
    initialized: bool,
    main: &[ContainerStatus],
    restart: Restart,
) -> &'static str {
    let failed = |status: &ContainerStatus| exit_code(status).is_some_and(|code| code != 0);
    if restart == Restart::Never && init.iter().any(failed) {
        return "Failed";
    }
    let starts = |status: &ContainerStatus| {
        waits_for(status).is_some_and(|reason| reason != "CrashLoopBackOff")
    };
    if !initialized || main.iter().any(starts) {
        return "Pending";
    }
    let ended = main.iter().all(|status| match restart {
        Restart::Never => exit_code(status).is_some(),
        Restart::OnFailure => exit_code(status) == Some(0),
        Restart::Always => false,
    });
    match (ended, main.iter().any(failed)) {
        (true, true) => "Failed",
        (true, false) => "Succeeded",
        (false, _) => "Running",
    }
}

fn set(
    conditions: &mut Vec<PodCondition>,
    name: &str,
    holds: bool,
    (reason, message): (&str, String),
    now: &Time,
) {
    let status = if holds { "True" } else { "False" };
    let reason = (!holds).then(|| reason.to_owned());
    let message = (!holds && !message.is_empty()).then_some(message);
    if let Some(known) = conditions.iter_mut().find(|known| known.type_ == name) {
        if known.status != status {
            status.clone_into(&mut known.status);
            known.last_transition_time = Some(now.clone());
        }
        known.reason = reason;
        known.message = message;
    } else {
        conditions.push(PodCondition {
            type_: name.to_owned(),
            status: status.to_owned(),
            reason,
            message,
            last_transition_time: Some(now.clone()),
            ..PodCondition::default()
        });
    }
}

fn find<'a>(statuses: Option<&'a Vec<ContainerStatus>>, name: &str) -> Option<&'a ContainerStatus> {
    statuses?.iter().find(|status| status.name == name)
}

fn is_of_a_job(pod: &Pod) -> bool {
    let owners = pod.metadata.owner_references.iter().flatten();
    owners.into_iter().any(|owner| owner.kind == "Job")
}
