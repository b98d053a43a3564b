//! What has been seen of a namespace: its pods, the warnings about its objects, and the Job.

use std::collections::BTreeMap;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event as Warning, Pod};
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt as _};

use crate::cluster::Change;

/// Objects of one kind by name, as a watch tells of them.
#[derive(Debug)]
struct Seen<K> {
    objects: BTreeMap<String, K>,
    /// The list that a watch begins with, until it is whole.
    arriving: Option<BTreeMap<String, K>>,
    is_whole: bool,
}

impl<K> Default for Seen<K> {
    fn default() -> Self {
        Self {
            objects: BTreeMap::new(),
            arriving: None,
            is_whole: false,
        }
    }
}

impl<K: Resource> Seen<K> {
    fn take(&mut self, event: Event<K>) {
        match event {
            Event::Init => self.arriving = Some(BTreeMap::new()),
            Event::InitApply(object) => {
                let arriving = self.arriving.get_or_insert_default();
                arriving.insert(object.name_any(), object);
            }
            Event::InitDone => {
                self.objects = self.arriving.take().unwrap_or_default();
                self.is_whole = true;
            }
            Event::Apply(object) => {
                self.objects.insert(object.name_any(), object);
            }
            Event::Delete(object) => {
                self.objects.remove(&object.name_any());
            }
        }
    }
}

/// What has been seen of a namespace.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    pods: Seen<Pod>,
    warnings: Seen<Warning>,
    jobs: Seen<Job>,
}

impl Observed {
    pub(crate) fn take(&mut self, change: Change) {
        match change {
            Change::Pod(event) => self.pods.take(event),
            Change::Warning(event) => self.warnings.take(event),
            Change::Job(event) => self.jobs.take(event),
        }
    }

    /// Whether the pods that there are, are known.
    pub(crate) fn knows_pods(&self) -> bool {
        self.pods.is_whole
    }

    /// Whether it is known if there is a Job.
    pub(crate) fn knows_job(&self) -> bool {
        self.jobs.is_whole
    }

    /// Every pod.
    pub(crate) fn pods(&self) -> impl Iterator<Item = &Pod> {
        self.pods.objects.values()
    }

    /// The warnings about objects.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = &Warning> {
        self.warnings.objects.values()
    }

    /// Whether it looks as if the namespace were being taken away.
    pub(crate) fn seems_to_leave(&self) -> bool {
        let leaves = |pod: &Pod| pod.metadata.deletion_timestamp.is_some();
        let says_so = |warning: &Warning| {
            let message = warning.message.as_deref().unwrap_or_default();
            message.contains("because it is being terminated")
        };
        self.pods().any(leaves) || self.warnings().any(says_so)
    }

    /// The Job.
    pub(crate) fn job(&self) -> Option<&Job> {
        self.jobs.objects.values().next()
    }
}
