//! A manifest that is ready to be applied.

use std::fmt;

use kube::core::GroupVersionKind;
use serde_json::Value;

/// A manifest that is ready to be applied: it has a kind and a name, lies in the environment's namespace, and bears its
/// owner.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    /// All of it.
    pub manifest: Value,
    /// For example `apps/v1`.
    pub api_version: String,
    /// For example `Deployment`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The template that it comes from.
    pub template: String,
}

impl Object {
    /// By which its API is found.
    pub fn gvk(&self) -> GroupVersionKind {
        let (group, version) = match self.api_version.split_once('/') {
            Some((group, version)) => (group, version),
            None => ("", self.api_version.as_str()),
        };
        GroupVersionKind::gvk(group, version, &self.kind)
    }

    /// The group of its API; empty for the core.
    pub fn group(&self) -> &str {
        self.api_version
            .split_once('/')
            .map_or("", |(group, _)| group)
    }

    /// The specification of its pods, and how many run at a time, where it makes any.
    pub(crate) fn pods(&self) -> Option<Pods<'_>> {
        let manifest = &self.manifest;
        let path = pod_path(self.group(), &self.kind)?;
        let number = |path: &str, default: u64| {
            manifest
                .pointer(path)
                .and_then(Value::as_u64)
                .unwrap_or(default)
        };
        let count = match self.kind.as_str() {
            "Job" => {
                let parallel = number("/spec/parallelism", 1);
                parallel.min(number("/spec/completions", parallel))
            }
            "CronJob" => number("/spec/jobTemplate/spec/parallelism", 1),
            "Pod" | "DaemonSet" => 1,
            _ => number("/spec/replicas", 1),
        };
        Some(Pods {
            spec: manifest.pointer(&pointer(path, "spec"))?,
            count,
        })
    }
}

/// What an object makes of pods.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pods<'a> {
    pub(crate) spec: &'a Value,
    /// How many run at a time. Of a `DaemonSet` it is not known; one is the least.
    pub(crate) count: u64,
}

/// Where in a manifest its pod stands: `metadata` and `spec` are below.
pub(crate) fn pod_path(group: &str, kind: &str) -> Option<&'static [&'static str]> {
    match (group, kind) {
        ("", "Pod") => Some(&[]),
        ("apps", "Deployment" | "StatefulSet" | "ReplicaSet" | "DaemonSet")
        | ("batch", "Job")
        | ("", "ReplicationController") => Some(&["spec", "template"]),
        ("batch", "CronJob") => Some(&["spec", "jobTemplate", "spec", "template"]),
        _ => None,
    }
}

fn pointer(path: &[&str], last: &str) -> String {
    path.iter()
        .chain([&last])
        .fold(String::new(), |whole, part| whole + "/" + part)
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}
