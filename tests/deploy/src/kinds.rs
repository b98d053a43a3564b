//! Each object held to the type of a current release: what the type does not know is a slip of the pen, which an API server of another release
//! would drop in silence.

use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Manifest, keda};

/// What is wrong with an object; nothing if it is what its kind has.
pub fn faults(manifest: &Manifest) -> Vec<String> {
    let checked = match (manifest.api_version(), manifest.kind()) {
        ("v1", "Namespace") => held_to::<Namespace>(&manifest.0),
        ("v1", "ServiceAccount") => held_to::<ServiceAccount>(&manifest.0),
        ("v1", "ConfigMap") => held_to::<ConfigMap>(&manifest.0),
        ("v1", "Service") => held_to::<Service>(&manifest.0),
        ("apps/v1", "Deployment") => held_to::<Deployment>(&manifest.0),
        ("apps/v1", "StatefulSet") => held_to::<StatefulSet>(&manifest.0),
        ("batch/v1", "Job") => held_to::<Job>(&manifest.0),
        ("policy/v1", "PodDisruptionBudget") => held_to::<PodDisruptionBudget>(&manifest.0),
        ("autoscaling/v2", "HorizontalPodAutoscaler") => {
            held_to::<HorizontalPodAutoscaler>(&manifest.0)
        }
        ("networking.k8s.io/v1", "NetworkPolicy") => held_to::<NetworkPolicy>(&manifest.0),
        ("rbac.authorization.k8s.io/v1", "ClusterRole") => held_to::<ClusterRole>(&manifest.0),
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding") => {
            held_to::<ClusterRoleBinding>(&manifest.0)
        }
        ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy") => {
            held_to::<ValidatingAdmissionPolicy>(&manifest.0)
        }
        ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding") => {
            held_to::<ValidatingAdmissionPolicyBinding>(&manifest.0)
        }
        ("keda.sh/v1alpha1", "ScaledObject") => keda::scaled_object(&manifest.0),
        ("keda.sh/v1alpha1", "TriggerAuthentication") => keda::authentication(&manifest.0),
        (version, kind) => vec![format!("there is no kind {kind} of {version} here")],
    };
    let title = manifest.title();
    checked
        .into_iter()
        .map(|fault| format!("{title}: {fault}"))
        .collect()
}

/// Reads the object as a `T` and writes it again: what is lost on the way, no `T` has.
fn held_to<T: DeserializeOwned + Serialize>(object: &Value) -> Vec<String> {
    let read: T = match serde_json::from_value(object.clone()) {
        Ok(read) => read,
        Err(error) => return vec![error.to_string()],
    };
    let written = serde_json::to_value(read).unwrap_or_default();
    let mut lost = Vec::new();
    compare(object, &written, "", &mut lost);
    lost
}

fn compare(said: &Value, kept: &Value, path: &str, lost: &mut Vec<String>) {
    match (said, kept) {
        (Value::Object(said), Value::Object(kept)) => {
            for (name, value) in said {
                let path = format!("{path}.{name}");
                match kept.get(name) {
                    Some(kept) => compare(value, kept, &path, lost),
                    None => lost.push(format!("{path} is no field of it")),
                }
            }
        }
        (Value::Array(said), Value::Array(kept)) if said.len() == kept.len() => {
            for (number, (said, kept)) in said.iter().zip(kept).enumerate() {
                compare(said, kept, &format!("{path}[{number}]"), lost);
            }
        }
        _ if said == kept => {}
        _ => lost.push(format!("{path} is {said}, and was taken for {kept}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_misspelt_field_is_told_with_its_path() {
        let manifest = Manifest(json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": { "name": "triage" },
            "spec": { "maxUnavailabel": 1, "selector": { "matchLabels": { "a": "b" } } }
        }));
        assert_eq!(
            faults(&manifest),
            ["PodDisruptionBudget/triage: .spec.maxUnavailabel is no field of it"]
        );
    }

    #[test]
    fn a_kind_that_nobody_checks_is_a_fault() {
        let manifest =
            Manifest(json!({ "apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget" }));
        assert_eq!(faults(&manifest).len(), 1);
    }
}
