//! What KEDA's objects may say: the fields of its documentation (<https://keda.sh/docs/latest/reference/scaledobject-spec/>,
//! <https://keda.sh/docs/latest/scalers/redis-streams/>, <https://keda.sh/docs/latest/scalers/redis-lists/>) as far as they are used here. Its own
//! schemas come with its installation.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "that it can be read is what counts")]
struct ScaledObject {
    scale_target_ref: Target,
    polling_interval: u32,
    cooldown_period: u32,
    min_replica_count: u32,
    max_replica_count: u32,
    fallback: Fallback,
    triggers: Vec<Trigger>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "that it can be read is what counts")]
struct Target {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "that it can be read is what counts")]
struct Fallback {
    failure_threshold: u32,
    replicas: u32,
    behavior: Behavior,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Behavior {
    Static,
    CurrentReplicas,
    CurrentReplicasIfHigher,
    CurrentReplicasIfLower,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(dead_code, reason = "that it can be read is what counts")]
struct Trigger {
    r#type: String,
    name: String,
    authentication_ref: Target,
    /// Texts all of them, numbers too.
    metadata: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Authentication {
    secret_target_ref: Vec<Parameter>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "that it can be read is what counts")]
struct Parameter {
    #[serde(rename = "parameter")]
    of_scaler: String,
    name: String,
    key: String,
}

pub(crate) fn scaled_object(object: &Value) -> Vec<String> {
    let spec: ScaledObject = match serde_json::from_value(object["spec"].clone()) {
        Ok(spec) => spec,
        Err(error) => return vec![error.to_string()],
    };
    let mut faults = Vec::new();
    if spec.max_replica_count < spec.min_replica_count.max(1) {
        faults.push("maxReplicaCount is below minReplicaCount".to_owned());
    }
    let mut names: Vec<&str> = spec.triggers.iter().map(|one| one.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() != spec.triggers.len() {
        faults.push("two triggers have one name".to_owned());
    }
    faults.extend(spec.triggers.iter().flat_map(trigger));
    faults
}

fn trigger(trigger: &Trigger) -> Vec<String> {
    // With both, the scaler takes the lag and forgets the other in silence.
    let shapes: &[&[&str]] = match trigger.r#type.as_str() {
        "redis-streams" => &[
            &["consumerGroup", "lagCount", "stream"],
            &["consumerGroup", "pendingEntriesCount", "stream"],
        ],
        "redis" => &[&["listLength", "listName"]],
        other => return vec![format!("there is no trigger of type {other} here")],
    };
    let keys: Vec<&str> = trigger.metadata.keys().map(String::as_str).collect();
    let mut faults = Vec::new();
    if !shapes.contains(&keys.as_slice()) {
        faults.push(format!(
            "the trigger {} says {keys:?}, not one of {shapes:?}",
            trigger.name
        ));
    }
    for name in ["lagCount", "pendingEntriesCount", "listLength"] {
        let number = trigger.metadata.get(name);
        if number.is_some_and(|number| !number.parse().is_ok_and(|number: u64| number > 0)) {
            faults.push(format!(
                "the trigger {} has a {name} that is no number",
                trigger.name
            ));
        }
    }
    faults
}

pub(crate) fn authentication(object: &Value) -> Vec<String> {
    match serde_json::from_value::<Authentication>(object["spec"].clone()) {
        Ok(spec) if spec.secret_target_ref.is_empty() => vec!["it names no secret".to_owned()],
        Ok(_) => Vec::new(),
        Err(error) => vec![error.to_string()],
    }
}
