#![expect(
    clippy::needless_pass_by_value,
    reason = "values are written where they are used"
)]

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kube::runtime::watcher::Event;
use serde_json::{Value, json};

use super::*;
use crate::cluster::Change;

const PATIENCE: Patience = Patience {
    unschedulable: SignedDuration::from_secs(60),
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_782_000_000 + seconds).unwrap()
}

fn time(seconds: i64) -> String {
    at(seconds).to_string()
}

fn workload(name: &str, pods: u32, is_backing: bool) -> Workload {
    Workload {
        name: name.to_owned(),
        pods: Pods::Labelled(BTreeMap::from([("app".to_owned(), name.to_owned())])),
        wanted: pods,
        is_backing,
    }
}

fn pod(name: &str, app: &str, status: Value) -> Value {
    json!({ "metadata": { "name": name, "labels": { "app": app } }, "status": status })
}

fn ready(name: &str, app: &str, since: i64) -> Value {
    let condition = json!({ "type": "Ready", "status": "True", "lastTransitionTime": time(since) });
    pod(
        name,
        app,
        json!({ "phase": "Running", "conditions": [condition] }),
    )
}

fn waiting(name: &str, app: &str, reason: &str, message: &str) -> Value {
    let container = json!({
        "name": app, "image": "registry.example/x:1", "imageID": "", "ready": false, "restartCount": 0,
        "state": { "waiting": { "reason": reason, "message": message } },
    });
    pod(
        name,
        app,
        json!({ "phase": "Pending", "containerStatuses": [container] }),
    )
}

fn crashing(name: &str, app: &str, began: i64) -> Value {
    let container = json!({
        "name": app, "image": "i", "imageID": "", "ready": false, "restartCount": 2,
        "state": { "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 10s" } },
        "lastState": { "terminated": { "exitCode": 3, "reason": "Error", "startedAt": time(began), "finishedAt": time(began + 1) } },
    });
    pod(
        name,
        app,
        json!({ "phase": "Running", "containerStatuses": [container] }),
    )
}

fn observed(pods: &[Value], warnings: &[Value]) -> Observed {
    let mut observed = Observed::default();
    observed.take(Change::Pod(Event::Init));
    for pod in pods {
        let pod = serde_json::from_value(pod.clone()).unwrap();
        observed.take(Change::Pod(Event::InitApply(pod)));
    }
    observed.take(Change::Pod(Event::InitDone));
    for warning in warnings {
        let warning = serde_json::from_value(warning.clone()).unwrap();
        observed.take(Change::Warning(Event::Apply(warning)));
    }
    observed
}

fn warning(kind: &str, name: &str, reason: &str, message: &str) -> Value {
    json!({
        "metadata": { "name": format!("{name}.1") }, "type": "Warning",
        "involvedObject": { "kind": kind, "name": name }, "reason": reason, "message": message,
    })
}

fn verdict(pods: &[Value], warnings: &[Value], workloads: &[Workload]) -> Verdict {
    judge(&observed(pods, warnings), workloads, PATIENCE, at(100))
}

fn fault(verdict: Verdict) -> Fault {
    match verdict {
        Verdict::Failed(fault) => *fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_ready_before_the_pods_are_known_nor_while_one_is_lacking() {
    let app = [workload("app", 2, false)];
    let unknown = judge(&Observed::default(), &[], PATIENCE, at(0));
    assert!(matches!(unknown, Verdict::Waiting { .. }), "{unknown:?}");
    let one = verdict(&[ready("a", "app", 1)], &[], &app);
    assert_eq!(
        one,
        Verdict::Waiting {
            look_again: None,
            lacking: "`app`: 1 of 2 pods ready".to_owned()
        }
    );
    let both = [ready("a", "app", 1), ready("b", "app", 2)];
    assert_eq!(verdict(&both, &[], &app), Verdict::Ready);
}

#[test]
fn a_container_that_nothing_probes_has_to_stay_up_for_a_while() {
    let mut pod = ready("a", "app", 0);
    pod["spec"] = json!({ "containers": [{ "name": "app", "image": "i" }] });
    let judged = |pod: &Value, now: i64| {
        let observed = observed(std::slice::from_ref(pod), &[]);
        judge(&observed, &[workload("app", 1, false)], PATIENCE, at(now))
    };
    let Verdict::Waiting { look_again, .. } = judged(&pod, 2) else {
        panic!("it may have ended meanwhile");
    };
    assert_eq!(look_again, Some(at(3)));
    assert_eq!(judged(&pod, 3), Verdict::Ready);
    pod["spec"]["containers"][0]["readinessProbe"] = json!({ "tcpSocket": { "port": 80 } });
    assert_eq!(judged(&pod, 0), Verdict::Ready);
}

#[test]
fn a_pod_that_is_going_away_counts_no_more() {
    let mut leaving = ready("a", "app", 1);
    leaving["metadata"]["deletionTimestamp"] = json!(time(50));
    let seen = observed(&[leaving.clone()], &[]);
    assert!(seen.seems_to_leave());
    let verdict = verdict(&[leaving], &[], &[workload("app", 1, false)]);
    assert!(matches!(verdict, Verdict::Waiting { .. }), "{verdict:?}");
}

#[test]
fn an_image_that_cannot_be_pulled_fails_at_once_with_the_container_and_the_words_of_the_cluster() {
    let app = [workload("app", 1, false)];
    let said = "Back-off pulling image \"registry.example/x:1\"";
    let fault = fault(verdict(
        &[waiting("p", "app", "ImagePullBackOff", said)],
        &[],
        &app,
    ));
    assert_eq!(fault.reason, Reason::ImagePull);
    assert_eq!(fault.object.as_deref(), Some("Pod/p"));
    assert_eq!(fault.container.as_deref(), Some("app"));
    assert_eq!(fault.message.as_deref(), Some(said));
    assert_eq!(
        fault.detail,
        format!("the image `registry.example/x:1` of the container `app` cannot be pulled: {said}")
    );
}

#[test]
fn a_first_failed_pull_is_final_only_if_the_registry_says_no() {
    let app = [workload("app", 1, false)];
    let passing = waiting("p", "app", "ErrImagePull", "dial tcp: i/o timeout");
    assert!(matches!(
        verdict(&[passing], &[], &app),
        Verdict::Waiting { .. }
    ));
    let gone = waiting("p", "app", "ErrImagePull", "manifest unknown");
    assert_eq!(fault(verdict(&[gone], &[], &app)).reason, Reason::ImagePull);
}

#[test]
fn a_container_that_cannot_be_made_as_described_fails_at_once() {
    for reason in [
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    ] {
        let broken = waiting("p", "app", reason, "secret \"x\" not found");
        let fault = fault(verdict(&[broken], &[], &[workload("app", 1, false)]));
        assert_eq!(fault.reason, Reason::ContainerConfig);
    }
}

#[test]
fn a_crash_counts_only_from_when_what_the_app_needs_was_up() {
    let both = [workload("database", 1, true), workload("app", 1, false)];
    let early = [
        waiting("d", "database", "ContainerCreating", ""),
        crashing("a", "app", 5),
    ];
    assert!(matches!(
        verdict(&early, &[], &both),
        Verdict::Waiting { .. }
    ));
    let before = [ready("d", "database", 10), crashing("a", "app", 9)];
    assert!(matches!(
        verdict(&before, &[], &both),
        Verdict::Waiting { .. }
    ));
    let after = [ready("d", "database", 10), crashing("a", "app", 11)];
    let fault = fault(verdict(&after, &[], &both));
    assert_eq!(fault.reason, Reason::CrashLoop);
    assert_eq!(fault.exit_code, Some(3));
    assert_eq!(fault.log, Some(("a".to_owned(), true)));
    assert_eq!(
        fault.detail,
        "the container `app` ends again and again, 2 times so far: with exit code 3"
    );
}

#[test]
fn a_database_that_crashes_needs_nothing_and_fails_at_once() {
    let database = [workload("database", 1, true)];
    let fault = fault(verdict(&[crashing("d", "database", 1)], &[], &database));
    assert_eq!(fault.reason, Reason::CrashLoop);
}

#[test]
fn a_pod_without_a_node_is_given_time_and_then_fails_with_the_scheduler_s_words() {
    let condition = json!({
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/3 nodes are available: 3 Insufficient cpu.", "lastTransitionTime": time(50),
    });
    let pending = pod(
        "p",
        "app",
        json!({ "phase": "Pending", "conditions": [condition] }),
    );
    let app = [workload("app", 1, false)];
    let seen = observed(&[pending], &[]);
    match judge(&seen, &app, PATIENCE, at(109)) {
        Verdict::Waiting { look_again, .. } => assert_eq!(look_again, Some(at(110))),
        other => panic!("{other:?}"),
    }
    let fault = fault(judge(&seen, &app, PATIENCE, at(110)));
    assert_eq!(fault.reason, Reason::Unschedulable);
    assert!(fault.detail.contains("3 Insufficient cpu."), "{fault:?}");
}

#[test]
fn pods_that_may_not_be_made_fail_at_once_unless_it_passes() {
    let app = [workload("app", 1, false)];
    let reason = |message: &str| {
        let warning = warning("ReplicaSet", "app-1", "FailedCreate", message);
        match verdict(&[], &[warning], &app) {
            Verdict::Failed(fault) => Some((fault.reason, fault.object)),
            _ => None,
        }
    };
    let object = Some("ReplicaSet/app-1".to_owned());
    assert_eq!(
        reason(
            "Error creating: pods \"app-1-x\" is forbidden: exceeded quota: quota, requested: pods=1, used: pods=1, limited: pods=1"
        ),
        Some((Reason::QuotaExceeded, object.clone()))
    );
    assert_eq!(
        reason(
            "Error creating: pods \"app-1-x\" is forbidden: violates PodSecurity \"restricted:latest\": privileged"
        ),
        Some((Reason::Rejected, object))
    );
    for passing in [
        "Error creating: pods \"x\" is forbidden: status unknown for quota: quota, resources: pods",
        "Error creating: pods \"x\" is forbidden: error looking up service account n/default: serviceaccount \"default\" not found",
        "Error creating: Internal error occurred: later",
    ] {
        assert_eq!(reason(passing), None, "{passing}");
    }
}

#[test]
fn what_is_lacking_is_told_with_the_newest_complaint_about_the_pod() {
    let mut old = warning("Pod", "p", "Unhealthy", "Readiness probe failed: old");
    old["metadata"]["name"] = json!("p.0");
    old["lastTimestamp"] = json!(time(1));
    let mut new = warning(
        "Pod",
        "p",
        "Unhealthy",
        "Readiness probe failed: HTTP probe failed with statuscode: 500",
    );
    new["lastTimestamp"] = json!(time(9));
    let running = pod("p", "app", json!({ "phase": "Running" }));
    match verdict(&[running], &[old, new], &[workload("app", 1, false)]) {
        Verdict::Waiting { lacking, .. } => assert_eq!(
            lacking,
            "`app`: 0 of 1 pods ready (Pod/p: Readiness probe failed: HTTP probe failed with statuscode: 500)"
        ),
        other => panic!("{other:?}"),
    }
}

fn test_pod(status: Value) -> Value {
    json!({
        "metadata": {
            "name": "test-1", "creationTimestamp": time(0),
            "ownerReferences": [{ "apiVersion": "batch/v1", "kind": "Job", "name": "test", "uid": "u" }],
        },
        "status": status,
    })
}

fn progress(pods: &[Value], job: Value) -> Progress {
    let mut observed = observed(pods, &[]);
    let job = serde_json::from_value(job).unwrap();
    observed.take(Change::Job(Event::Apply(job)));
    judge_test(&observed, "test", "test", PATIENCE, at(100))
}

fn container(state: Value) -> Value {
    json!({ "phase": "Running", "containerStatuses": [
        { "name": "test", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state },
    ]})
}

fn job(conditions: Value) -> Value {
    json!({ "metadata": { "name": "test" }, "status": { "conditions": conditions } })
}

#[test]
fn tests_have_ended_when_their_container_has_whether_or_not_the_job_knows_it() {
    let state = json!({ "terminated": {
        "exitCode": 1, "reason": "Error", "startedAt": time(1), "finishedAt": time(9),
    }});
    let ended = match progress(&[test_pod(container(state))], job(json!([]))) {
        Progress::Ended(ended) => ended,
        other => panic!("{other:?}"),
    };
    assert_eq!(ended.exit_code, 1);
    assert_eq!(ended.pod, "test-1");
    assert_eq!(
        (ended.started_at, ended.finished_at),
        (Some(at(1)), Some(at(9)))
    );
    let running = container(json!({ "running": { "startedAt": time(1) } }));
    assert_eq!(
        progress(&[test_pod(running)], job(json!([]))),
        Progress::Running("test-1".to_owned(), None)
    );
}

#[test]
fn tests_that_take_too_long_are_told_from_tests_that_were_killed() {
    let late = json!([{ "type": "Failed", "status": "True", "reason": "DeadlineExceeded",
        "message": "Job was active longer than specified deadline" }]);
    let killed =
        json!({ "terminated": { "exitCode": 143, "startedAt": time(1), "finishedAt": time(9) }});
    let mut leaving = test_pod(container(killed));
    leaving["metadata"]["deletionTimestamp"] = json!(time(9));
    // Until the Job says why, a pod on its way out means nothing.
    assert_eq!(
        progress(&[leaving.clone()], job(json!([]))),
        Progress::Waiting(None)
    );
    for pods in [vec![leaving], vec![]] {
        let told = progress(&pods, job(late.clone()));
        assert!(matches!(told, Progress::TimedOut(_)), "{told:?}");
    }
    let lost = json!([{ "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit" }]);
    let told = progress(&[], job(lost));
    assert!(matches!(told, Progress::Broken(_)), "{told:?}");
}

#[test]
fn a_deadline_that_the_cluster_does_not_keep_is_kept_here() {
    let begun = |start: i64| {
        json!({ "metadata": { "name": "test" },
            "spec": { "activeDeadlineSeconds": 20, "template": { "spec": { "containers": [] } } },
            "status": { "startTime": time(start) } })
    };
    let running = || test_pod(container(json!({ "running": { "startedAt": time(1) } })));
    // It is looked at second 100; ten seconds are the Job controller's own.
    let told = progress(&[running()], begun(71));
    assert_eq!(told, Progress::Running("test-1".to_owned(), Some(at(101))));
    for pod in [running(), test_pod(json!({ "phase": "Pending" }))] {
        let told = progress(&[pod], begun(70));
        assert!(matches!(told, Progress::TimedOut(_)), "{told:?}");
    }
    let ended =
        json!({ "terminated": { "exitCode": 0, "startedAt": time(1), "finishedAt": time(9) } });
    let told = progress(&[test_pod(container(ended))], begun(1));
    assert!(matches!(told, Progress::Ended(_)), "{told:?}");
}

#[test]
fn tests_that_cannot_begin_are_broken_with_the_cause() {
    let state = json!({ "waiting": { "reason": "ImagePullBackOff", "message": "no" } });
    match progress(&[test_pod(container(state))], job(json!([]))) {
        Progress::Broken(fault) => assert_eq!(fault.reason, Reason::ImagePull),
        other => panic!("{other:?}"),
    }
    let evicted = json!({ "phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory." });
    match progress(&[test_pod(evicted)], job(json!([]))) {
        Progress::Broken(fault) => {
            assert_eq!(fault.reason, Reason::Evicted);
            assert!(fault.detail.contains("low on resource"), "{fault:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_list_that_begins_anew_forgets_what_is_no_longer_there() {
    let mut seen = observed(&[ready("a", "app", 1)], &[]);
    let pod = serde_json::from_value(ready("b", "app", 2)).unwrap();
    seen.take(Change::Pod(Event::Init));
    seen.take(Change::Pod(Event::InitApply(pod)));
    assert_eq!(seen.pods().count(), 1);
    seen.take(Change::Pod(Event::InitDone));
    let names: Vec<_> = seen.pods().map(|pod| pod.metadata.name.clone()).collect();
    assert_eq!(names, [Some("b".to_owned())]);
}
