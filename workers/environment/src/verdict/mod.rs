//! What the state of pods means: up, not yet, or never. Values in, values out; the clock and the cluster are elsewhere.
//!
//! [`Observed`] is what has been seen of a namespace, [`judge`] says what it means for the workloads, [`judge_test`] for the test Job.

mod creation;
mod fault;
mod job;
mod observed;
mod pod;
mod workload;

#[cfg(test)]
mod tests;

pub(crate) use fault::{Fault, Reason};
pub(crate) use job::{Ended, Progress, judge_test};
pub(crate) use observed::Observed;
pub(crate) use workload::{Pods, Verdict, Workload, judge};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// How long things may take that often pass by themselves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// How long a pod may find no node: an autoscaler may be at work.
    pub(crate) unschedulable: jiff::SignedDuration,
}

/// Kubernetes's time as ours; the two libraries have a version of jiff each.
pub(crate) fn moment(time: &Time) -> Timestamp {
    Timestamp::from_nanosecond(time.0.as_nanosecond()).unwrap_or(Timestamp::MIN)
}
