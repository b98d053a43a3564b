//! What stands on a namespace, and is all that a worker knows of an environment.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt as _;

use crate::identity::Owner;
use crate::names::{MAESTRO, annotation, label};
use crate::verdict::moment;

/// An environment, as its namespace tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// The namespace's name.
    pub(crate) namespace: String,
    /// Kubernetes's id of this very namespace.
    pub(crate) uid: String,
    /// The version that was read.
    pub(crate) version: String,
    /// The environment's id; absent if somebody took it off.
    pub(crate) id: Option<String>,
    /// Who asked for it.
    pub(crate) source: Option<String>,
    /// The hash of what was asked for.
    pub(crate) spec_hash: Option<String>,
    /// When its time is over; absent if that is not there or no time.
    pub(crate) expires_at: Option<Timestamp>,
    /// When it was made.
    pub(crate) created_at: Timestamp,
    /// Whether it is going away.
    pub(crate) is_leaving: bool,
    /// The messages that let it live longer, in short.
    pub(crate) extensions: Vec<String>,
}

impl Record {
    /// What stands on a namespace, if it bears this owner's mark.
    pub(crate) fn of(namespace: &Namespace, owner: &Owner) -> Option<Self> {
        let labels = namespace.labels();
        let bears = |key: &str, value: &str| labels.get(key).is_some_and(|found| found == value);
        if !bears(label::MANAGED_BY, MAESTRO) || !bears(label::OWNER, owner.as_str()) {
            return None;
        }
        let annotations = namespace.annotations();
        let text = |key: &str| {
            annotations
                .get(key)
                .cloned()
                .filter(|text| !text.is_empty())
        };
        Some(Self {
            namespace: namespace.name_any(),
            uid: namespace.uid().unwrap_or_default(),
            version: namespace.resource_version().unwrap_or_default(),
            id: text(annotation::ID),
            source: text(annotation::SOURCE),
            spec_hash: text(annotation::SPEC_HASH),
            expires_at: text(annotation::EXPIRES_AT).and_then(|text| text.parse().ok()),
            created_at: namespace
                .metadata
                .creation_timestamp
                .as_ref()
                .map_or(Timestamp::MIN, moment),
            is_leaving: namespace.metadata.deletion_timestamp.is_some(),
            extensions: extensions(annotations),
        })
    }

    /// Whether its time is over.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires| expires <= now)
    }

    /// For how many seconds it has lived.
    pub(crate) fn lived_s(&self, now: Timestamp) -> Option<u64> {
        u64::try_from(now.duration_since(self.created_at).as_secs()).ok()
    }
}

fn extensions(annotations: &BTreeMap<String, String>) -> Vec<String> {
    let text = annotations.get(annotation::EXTENDED_BY);
    text.map(|text| text.split_whitespace().map(str::to_owned).collect())
        .unwrap_or_default()
}
