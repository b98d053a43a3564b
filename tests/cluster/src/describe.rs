//! What a namespace looks like, for whoever reads of a failed test.

use futures_util::future::join4;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStatus, Event, Namespace, Pod};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};

/// The namespace's phase and conditions, its pods with the state of each container, its Deployments and Jobs, and its events, oldest first.
pub async fn describe(client: &Client, namespace: &str) -> String {
    let mut text = format!("namespace {namespace}");
    match Api::<Namespace>::all(client.clone())
        .get_opt(namespace)
        .await
    {
        Ok(Some(found)) => describe_namespace(&mut text, &found),
        Ok(None) => text.push_str(": not there\n"),
        Err(error) => text = format!("{text}: {error}\n"),
    }
    let all = ListParams::default().limit(200);
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let jobs: Api<Job> = Api::namespaced(client.clone(), namespace);
    let events: Api<Event> = Api::namespaced(client.clone(), namespace);
    let (pods, deployments, jobs, events) = join4(
        pods.list(&all),
        deployments.list(&all),
        jobs.list(&all),
        events.list(&all),
    )
    .await;
    for pod in pods.into_iter().flatten() {
        describe_pod(&mut text, &pod);
    }
    for deployment in deployments.into_iter().flatten() {
        let status = deployment.status.clone().unwrap_or_default();
        let line = format!(
            "deployment {}: {} of {} available",
            deployment.name_any(),
            status.available_replicas.unwrap_or(0),
            deployment
                .spec
                .as_ref()
                .and_then(|spec| spec.replicas)
                .unwrap_or(1),
        );
        write(&mut text, &line);
    }
    for job in jobs.into_iter().flatten() {
        let status = job.status.clone().unwrap_or_default();
        let line = format!(
            "job {}: active {}, succeeded {}, failed {}",
            job.name_any(),
            status.active.unwrap_or(0),
            status.succeeded.unwrap_or(0),
            status.failed.unwrap_or(0),
        );
        write(&mut text, &line);
    }
    let mut events: Vec<Event> = events.into_iter().flatten().collect();
    events.sort_by_key(|event| event.metadata.creation_timestamp.clone());
    for event in events {
        let line = format!(
            "event {} {}/{}: {}: {}",
            event.type_.unwrap_or_default(),
            event.involved_object.kind.unwrap_or_default(),
            event.involved_object.name.unwrap_or_default(),
            event.reason.unwrap_or_default(),
            event.message.unwrap_or_default(),
        );
        write(&mut text, &line);
    }
    text
}

fn describe_namespace(text: &mut String, namespace: &Namespace) {
    let status = namespace.status.clone().unwrap_or_default();
    *text = format!("{text}: {}\n", status.phase.unwrap_or_default());
    for condition in status.conditions.into_iter().flatten() {
        if condition.status == "True" {
            let message = condition.message.unwrap_or_default();
            write(text, &format!("{}: {message}", condition.type_));
        }
    }
}

fn describe_pod(text: &mut String, pod: &Pod) {
    let status = pod.status.clone().unwrap_or_default();
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    let phase = status.phase.unwrap_or_default();
    let ending = match pod.metadata.deletion_timestamp {
        Some(_) => ", being deleted",
        None => "",
    };
    let node = node.unwrap_or("no node");
    write(
        text,
        &format!("pod {}: {phase} on {node}{ending}", pod.name_any()),
    );
    for condition in status.conditions.into_iter().flatten() {
        if condition.status != "True" {
            let reason = condition.reason.unwrap_or_default();
            let message = condition.message.unwrap_or_default();
            write(
                text,
                &format!("  not {}: {reason} {message}", condition.type_),
            );
        }
    }
    let init = status.init_container_statuses.into_iter().flatten();
    for container in init.chain(status.container_statuses.into_iter().flatten()) {
        write(text, &format!("  {}", describe_container(&container)));
    }
}

fn describe_container(status: &ContainerStatus) -> String {
    let state = status
        .state
        .as_ref()
        .map_or_else(String::new, describe_state);
    let last = status
        .last_state
        .as_ref()
        .map_or_else(String::new, describe_state);
    let last = if last.is_empty() {
        last
    } else {
        format!(", before that {last}")
    };
    format!(
        "container {} ({}): {state}, ready {}, restarted {} times{last}",
        status.name, status.image, status.ready, status.restart_count
    )
}

fn describe_state(state: &ContainerState) -> String {
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.as_deref().unwrap_or("waiting");
        let message = waiting.message.as_deref().unwrap_or_default();
        format!("{reason} {message}").trim_end().to_owned()
    } else if let Some(ended) = &state.terminated {
        format!("ended with {}", ended.exit_code)
    } else if state.running.is_some() {
        "running".to_owned()
    } else {
        String::new()
    }
}

fn write(text: &mut String, line: &str) {
    text.push_str("  ");
    text.push_str(line);
    text.push('\n');
}
