//! Whether all workloads of an environment are up.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;

use super::fault::Fault;
use super::pod::{Standing, because, ended, is_of_job, named, standing};
use super::{Observed, Patience, creation};

/// What is to be up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Workload {
    /// Its name, for example `app`.
    pub(crate) name: String,
    /// How its pods are told.
    pub(crate) pods: Pods,
    /// How many of them have to be ready; of a Job, to have succeeded.
    pub(crate) wanted: u32,
    /// Whether others need it: they may end and be started again until it is up.
    pub(crate) is_backing: bool,
}

/// How the pods of a workload are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pods {
    /// By their labels.
    Labelled(BTreeMap<String, String>),
    /// By the Job that made them.
    OfJob(String),
    /// It is a pod, of this name.
    Named(String),
}

impl Pods {
    fn are(&self, pod: &Pod) -> bool {
        match self {
            Self::Labelled(labels) => labels
                .iter()
                .all(|(key, value)| pod.labels().get(key) == Some(value)),
            Self::OfJob(name) => is_of_job(pod, name),
            Self::Named(name) => pod.name_any() == *name,
        }
    }
}

/// What has been seen means this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All is up.
    Ready,
    /// Not yet.
    Waiting {
        /// When to look again, though nothing may have changed.
        look_again: Option<Timestamp>,
        /// What is lacking, for a person.
        lacking: String,
    },
    /// It will not come up.
    Failed(Box<Fault>),
}

/// What has been seen of these workloads.
pub(crate) fn judge(
    observed: &Observed,
    workloads: &[Workload],
    patience: Patience,
    now: Timestamp,
) -> Verdict {
    if !observed.knows_pods() {
        return Verdict::Waiting {
            look_again: None,
            lacking: "nothing is known of its pods yet".to_owned(),
        };
    }
    let mut look_again: Option<Timestamp> = None;
    let mut lacking = String::new();
    // Of what others need, since when all of it has been up; from the beginning, if nothing is needed.
    let mut served_since = Some(Timestamp::MIN);
    // What others need is judged first.
    let (backing, rest): (Vec<&Workload>, Vec<&Workload>) =
        workloads.iter().partition(|workload| workload.is_backing);
    for workload in backing.into_iter().chain(rest) {
        let needs = if workload.is_backing {
            Some(Timestamp::MIN)
        } else {
            served_since
        };
        let mut ready = 0;
        let mut waits_for: Option<&Pod> = None;
        for pod in living(observed, workload) {
            let standing = match workload.pods {
                Pods::OfJob(_) => ended(pod, patience, needs, now),
                Pods::Labelled(_) | Pods::Named(_) => standing(pod, patience, needs, now),
            };
            match standing {
                Standing::Ready(since) => {
                    ready += 1;
                    if workload.is_backing {
                        served_since = served_since.map(|before| before.max(since));
                    }
                }
                Standing::Underway(until) => {
                    waits_for = Some(pod);
                    look_again = earliest(look_again, until);
                }
                Standing::Faulty(fault) => return Verdict::Failed(fault),
            }
        }
        if ready < workload.wanted {
            if workload.is_backing {
                served_since = None;
            }
            let separator = if lacking.is_empty() { "" } else { "; " };
            // A String takes whatever is written.
            let _ = write!(
                lacking,
                "{separator}`{}`: {ready} of {} pods ready{}",
                workload.name,
                workload.wanted,
                waits_for
                    .map(|pod| trouble(observed, pod))
                    .unwrap_or_default()
            );
        }
    }
    if lacking.is_empty() {
        return Verdict::Ready;
    }
    if let Some(fault) = creation::refused(observed) {
        return Verdict::Failed(Box::new(fault));
    }
    Verdict::Waiting {
        look_again,
        lacking,
    }
}

fn living<'a>(observed: &'a Observed, workload: &'a Workload) -> impl Iterator<Item = &'a Pod> {
    observed
        .pods()
        .filter(|pod| workload.pods.are(pod) && pod.metadata.deletion_timestamp.is_none())
}

fn earliest(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// What was last complained of about a pod, to be put behind a sentence.
fn trouble(observed: &Observed, pod: &Pod) -> String {
    let name = pod.name_any();
    let complaints = observed
        .warnings()
        .filter(|warning| warning.involved_object.name.as_deref() == Some(name.as_str()));
    let newest = complaints.max_by_key(|warning| {
        let last = warning.last_timestamp.as_ref().map(super::moment);
        last.or_else(|| {
            warning
                .metadata
                .creation_timestamp
                .as_ref()
                .map(super::moment)
        })
    });
    match newest {
        Some(warning) => format!(" ({}{})", named(pod), because(warning.message.as_deref())),
        None => format!(" ({})", named(pod)),
    }
}
