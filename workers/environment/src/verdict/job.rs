//! How far the test Job has come.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::JobCondition;
use k8s_openapi::api::core::v1::{ContainerState, Pod};
use kube::ResourceExt as _;

use super::fault::{Fault, Reason};
use super::pod::{Standing, because, containers, is_of_job, lost, standing};
use super::{Observed, Patience, creation, moment};

/// How the tests' container ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) pod: String,
    pub(crate) exit_code: i32,
    /// Kubernetes's word for it, `OOMKilled` for example.
    pub(crate) reason: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) finished_at: Option<Timestamp>,
}

/// How long after a Job's deadline its container may still be at work until the deadline is kept here.
///
/// The Job controller looks when its own timer rings, and not again: where its first write of the start was refused and the second names a later start,
/// it looks too early, and the Job runs on (seen with 1.20; <https://github.com/kubernetes/kubernetes/issues/107226>).
const OVERDUE: SignedDuration = SignedDuration::from_secs(10);

/// How far the test Job has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Its container does not run yet.
    Waiting(Option<Timestamp>),
    /// Its container runs in this pod; when it is to have ended, if it has a deadline.
    Running(String, Option<Timestamp>),
    /// Its container has ended.
    Ended(Ended),
    /// It was ended because it took too long.
    TimedOut(String),
    /// It did not run, or was ended from outside.
    Broken(Box<Fault>),
}

/// What has been seen of the Job `name`, whose tests run in the container `container`.
pub(crate) fn judge_test(
    observed: &Observed,
    name: &str,
    container: &str,
    patience: Patience,
    now: Timestamp,
) -> Progress {
    let pods = observed.pods().filter(|pod| is_of_job(pod, name));
    // backoffLimit 0 makes one pod; should there be another, the newest counts.
    let newest = pods.max_by_key(|pod| pod.metadata.creation_timestamp.as_ref().map(moment));
    let leaving = newest.is_some_and(|pod| pod.metadata.deletion_timestamp.is_some());
    // A pod that is being taken away has ended for a reason that the Job knows.
    if let Some(failed) = condition(observed, "Failed") {
        let message = failed.message.as_deref();
        if failed.reason.as_deref() == Some("DeadlineExceeded") {
            return Progress::TimedOut(format!(
                "the tests took longer than they may{}",
                because(message)
            ));
        }
        if newest.is_none() || leaving {
            let detail = format!("the test Job failed and left no pod{}", because(message));
            let fault = Fault::new(Reason::Evicted, detail);
            return Progress::Broken(Box::new(
                fault.object(format!("Job/{name}")).message(message),
            ));
        }
    }
    let Some(pod) = newest.filter(|_| !leaving) else {
        if let Some(fault) = creation::refused(observed) {
            return Progress::Broken(Box::new(fault));
        }
        return Progress::Waiting(None);
    };
    let overdue = overdue(observed);
    match of_pod(pod, container, patience, now) {
        Progress::Waiting(_) | Progress::Running(..) if overdue.is_some_and(|at| at <= now) => {
            Progress::TimedOut(
                "the tests took longer than they may, and the cluster did not end them".to_owned(),
            )
        }
        Progress::Waiting(again) => Progress::Waiting(again.into_iter().chain(overdue).min()),
        Progress::Running(pod, _) => Progress::Running(pod, overdue),
        ended => ended,
    }
}

/// When a Job that still runs is ended here, if it has a deadline and has begun.
fn overdue(observed: &Observed) -> Option<Timestamp> {
    let job = observed.job()?;
    let begun = moment(job.status.as_ref()?.start_time.as_ref()?);
    let seconds = job.spec.as_ref()?.active_deadline_seconds?;
    let deadline = begun.saturating_add(SignedDuration::from_secs(seconds));
    Some(
        deadline
            .and_then(|at| at.saturating_add(OVERDUE))
            .unwrap_or(Timestamp::MAX),
    )
}

fn of_pod(pod: &Pod, container: &str, patience: Patience, now: Timestamp) -> Progress {
    let status = containers(pod).find(|status| status.name == container);
    let state = status.and_then(|status| status.state.as_ref());
    if let Some(ContainerState {
        terminated: Some(ended),
        ..
    }) = state
    {
        return Progress::Ended(Ended {
            pod: pod.name_any(),
            exit_code: ended.exit_code,
            reason: ended.reason.clone(),
            message: ended.message.clone(),
            started_at: ended.started_at.as_ref().map(moment),
            finished_at: ended.finished_at.as_ref().map(moment),
        });
    }
    if let Some(fault) = lost(pod) {
        return Progress::Broken(Box::new(fault));
    }
    if state.is_some_and(|state| state.running.is_some()) {
        return Progress::Running(pod.name_any(), None);
    }
    match standing(pod, patience, Some(Timestamp::MIN), now) {
        Standing::Faulty(fault) => Progress::Broken(fault),
        Standing::Underway(until) => Progress::Waiting(until),
        Standing::Ready(_) => Progress::Waiting(None),
    }
}

fn condition<'a>(observed: &'a Observed, kind: &str) -> Option<&'a JobCondition> {
    let conditions = observed.job()?.status.as_ref()?.conditions.as_ref()?;
    conditions
        .iter()
        .find(|condition| condition.type_ == kind && condition.status == "True")
}
