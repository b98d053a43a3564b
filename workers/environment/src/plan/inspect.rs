//! From a rendered manifest to an object of this environment and of no other: it is named, lies in the namespace, bears its
//! owner, and asks for nothing that reaches outside.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::object::{Object, pod_path};
use super::pod_security::{self, Level};
use super::resources;
use crate::names::DOMAIN;
use crate::syntax::{is_name, is_subdomain};
use crate::templates::{Rendered, TemplateFault};

/// Kinds that lie in no namespace, so that they would stay when the environment goes. Whether another kind does,
/// only the cluster can say.
const CLUSTER_SCOPED: [&str; 17] = [
    "APIService",
    "CertificateSigningRequest",
    "ClusterRole",
    "ClusterRoleBinding",
    "CSIDriver",
    "CustomResourceDefinition",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
];

/// What every object of an environment has in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds<'a> {
    pub(super) namespace: &'a str,
    /// Whose it is and which one: every object and every pod bears these, and no template may say otherwise.
    pub(super) owner: &'a BTreeMap<String, String>,
    /// Further labels; a template's own win.
    pub(super) labels: &'a BTreeMap<String, String>,
    pub(super) level: Level,
}

/// Takes in the manifest of an object inside of the namespace.
pub(super) fn object(rendered: Rendered<'_>, bounds: &Bounds<'_>) -> Result<Object, TemplateFault> {
    let Head {
        api_version,
        kind,
        name,
    } = head(&rendered)?;
    if CLUSTER_SCOPED.contains(&kind.as_str()) {
        return Err(rendered.fault(
            &["kind"],
            format!("a {kind} lies in no namespace, so it would stay when the environment goes"),
        ));
    }
    if kind == "List" || kind.ends_with("List") && rendered.manifest.get("items").is_some() {
        return Err(rendered.fault(
            &["kind"],
            "a list is written as several documents, with `---` between them",
        ));
    }
    let namespace = rendered.manifest.pointer("/metadata/namespace");
    if namespace.is_some_and(|namespace| *namespace != bounds.namespace) {
        return Err(rendered.fault(
            &["metadata", "namespace"],
            "an environment's objects lie in its own namespace; this line is not needed",
        ));
    }
    if kind == "Service" {
        check_service(&rendered)?;
    }
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let pod = pod_path(group, &kind);
    if let Some(path) = pod {
        check_labels(&rendered, path, bounds)?;
        pod_security::check(&rendered, path, bounds.level)?;
        resources::check(&rendered, path)?;
    }
    check_labels(&rendered, &[], bounds)?;
    let template = rendered.name.to_owned();
    let mut manifest = rendered.manifest;
    for path in [Some(&[][..]), pod].into_iter().flatten() {
        stamp(&mut manifest, path, bounds);
    }
    if let Some(metadata) = manifest.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("namespace".to_owned(), bounds.namespace.into());
    }
    Ok(Object {
        manifest,
        api_version,
        kind,
        name,
        template,
    })
}

/// Takes in the manifest of the namespace itself, which gets `annotations`, too.
pub(super) fn namespace(
    rendered: Rendered<'_>,
    bounds: &Bounds<'_>,
    annotations: &BTreeMap<&str, String>,
) -> Result<Object, TemplateFault> {
    let Head {
        api_version,
        kind,
        name,
    } = head(&rendered)?;
    if kind != "Namespace" || api_version != "v1" {
        return Err(rendered.fault(
            &["kind"],
            "the template `namespace` makes one Namespace of `v1` and nothing else",
        ));
    }
    if name != bounds.namespace {
        return Err(rendered.fault(
            &["metadata", "name"],
            "an environment's namespace is called `{{ namespace }}`, by which it is found again",
        ));
    }
    check_labels(&rendered, &[], bounds)?;
    let template = rendered.name.to_owned();
    let mut manifest = rendered.manifest;
    stamp(&mut manifest, &[], bounds);
    let own = entry(&mut manifest, &["metadata", "annotations"]);
    for (key, value) in annotations {
        own.insert((*key).to_owned(), value.as_str().into());
    }
    Ok(Object {
        manifest,
        api_version,
        kind,
        name,
        template,
    })
}

struct Head {
    api_version: String,
    kind: String,
    name: String,
}

fn head(rendered: &Rendered<'_>) -> Result<Head, TemplateFault> {
    let text = |path: &[&str]| {
        let pointer = path
            .iter()
            .fold(String::new(), |all, part| all + "/" + part);
        match rendered.manifest.pointer(&pointer) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
            Some(_) => Err(rendered.fault(path, format!("`{}` is a string", path.join(".")))),
            None => Err(rendered.fault(
                &path[..path.len() - 1],
                format!("`{}` is missing", path.join(".")),
            )),
        }
    };
    let api_version = text(&["apiVersion"])?;
    let kind = text(&["kind"])?;
    let name = text(&["metadata", "name"])?;
    let fits = match kind.as_str() {
        "Service" | "Namespace" => {
            is_name(&name) && !(kind == "Service" && name.starts_with(|c: char| c.is_ascii_digit()))
        }
        _ => is_subdomain(&name),
    };
    if !fits {
        return Err(rendered.fault(
            &["metadata", "name"],
            format!(
                "{} is no name that Kubernetes gives to a {kind}",
                crate::shown(&name)
            ),
        ));
    }
    Ok(Head {
        api_version,
        kind,
        name,
    })
}

fn check_service(rendered: &Rendered<'_>) -> Result<(), TemplateFault> {
    let kind = rendered
        .manifest
        .pointer("/spec/type")
        .and_then(Value::as_str);
    match kind {
        Some(kind @ ("LoadBalancer" | "NodePort")) => Err(rendered.fault(
            &["spec", "type"],
            format!("a {kind} opens the environment to the outside; `ClusterIP` does not"),
        )),
        _ if rendered.manifest.pointer("/spec/externalIPs").is_some() => Err(rendered.fault(
            &["spec", "externalIPs"],
            "addresses of its own would open the environment to the outside",
        )),
        _ => Ok(()),
    }
}

/// Finds labels that only we give, and maps that are none.
fn check_labels(
    rendered: &Rendered<'_>,
    path: &[&str],
    bounds: &Bounds<'_>,
) -> Result<(), TemplateFault> {
    for name in ["labels", "annotations"] {
        let path: Vec<&str> = path.iter().copied().chain(["metadata", name]).collect();
        let pointer = path
            .iter()
            .fold(String::new(), |all, part| all + "/" + part);
        let entries = match rendered.manifest.pointer(&pointer) {
            None | Some(Value::Null) => continue,
            Some(Value::Object(entries)) => entries,
            Some(_) => return Err(rendered.fault(&path, format!("`{name}` is a map"))),
        };
        for (key, value) in entries {
            let path: Vec<&str> = path.iter().copied().chain([key.as_str()]).collect();
            if !value.is_string() {
                return Err(rendered.fault(
                    &path,
                    format!("the value of `{key}` is a string; quotes make it one"),
                ));
            }
            let ours = key
                .split_once('/')
                .is_some_and(|(domain, _)| domain == DOMAIN)
                || bounds.owner.contains_key(key);
            let same = bounds.owner.get(key).is_some_and(|owner| *value == **owner);
            if ours && !same {
                return Err(rendered.fault(
                    &path,
                    format!("`{key}` is the worker's own, who sets it by itself"),
                ));
            }
        }
    }
    Ok(())
}

/// Adds the labels to what stands at `path`: an object, or its pods.
fn stamp(manifest: &mut Value, path: &[&str], bounds: &Bounds<'_>) {
    let path: Vec<&str> = path.iter().copied().chain(["metadata", "labels"]).collect();
    let labels = entry(manifest, &path);
    for (key, value) in bounds.labels {
        labels
            .entry(key.clone())
            .or_insert_with(|| value.as_str().into());
    }
    for (key, value) in bounds.owner {
        labels.insert(key.clone(), value.as_str().into());
    }
}

/// The map at a path, made where there is none.
fn entry<'a>(value: &'a mut Value, path: &[&str]) -> &'a mut Map<String, Value> {
    let below = path.iter().fold(value, |value, key| {
        if !value.is_object() {
            *value = json!({});
        }
        &mut value[*key]
    });
    if !below.is_object() {
        *below = json!({});
    }
    match below {
        Value::Object(map) => map,
        _ => unreachable!("it was made a map one line above"),
    }
}
