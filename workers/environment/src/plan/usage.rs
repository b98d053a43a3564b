//! What all objects of an environment ask for together, as the quota and the scheduler count it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::object::Object;
use super::resources::RESOURCES;
use super::unfit::Unfit;
use crate::quantity::Quantity;

/// Amounts by the names that a `ResourceQuota` has for them, for example `limits.memory`.
pub type Usage = BTreeMap<String, Quantity>;

/// Sums up what the objects ask for.
pub(super) fn usage(objects: &[&Object]) -> Usage {
    let defaults = Defaults::of(objects);
    let mut usage = Usage::new();
    let mut add = |name: &str, amount: Quantity| {
        let sum = usage.entry(name.to_owned()).or_default();
        *sum = sum.plus(amount);
    };
    for object in objects {
        match object.kind.as_str() {
            "Service" if object.group().is_empty() => add("services", Quantity::whole(1)),
            "PersistentVolumeClaim" => add("persistentvolumeclaims", Quantity::whole(1)),
            _ => {}
        }
        let Some(pods) = object.pods() else { continue };
        add("pods", Quantity::whole(pods.count));
        for resource in RESOURCES {
            for bound in ["requests", "limits"] {
                let amount = of_pod(pods.spec, bound, resource, &defaults);
                add(&format!("{bound}.{resource}"), amount.times(pods.count));
            }
        }
        let claims = object.manifest.pointer("/spec/volumeClaimTemplates");
        let claims = claims.and_then(Value::as_array).map_or(0, Vec::len);
        add(
            "persistentvolumeclaims",
            Quantity::whole(claims as u64).times(pods.count),
        );
    }
    usage
}

/// Compares with every quota that is among the objects.
pub(super) fn check(usage: &Usage, objects: &[&Object]) -> Result<(), Unfit> {
    for quota in objects
        .iter()
        .filter(|object| object.kind == "ResourceQuota")
    {
        // A quota for some pods only says nothing of the sum of all.
        if ["/spec/scopes", "/spec/scopeSelector"]
            .iter()
            .any(|scope| quota.manifest.pointer(scope).is_some())
        {
            continue;
        }
        let hard = quota
            .manifest
            .pointer("/spec/hard")
            .and_then(Value::as_object);
        for (resource, allowed) in hard.into_iter().flatten() {
            let name = match resource.as_str() {
                "cpu" => "requests.cpu",
                "memory" => "requests.memory",
                other => other,
            };
            let asked = usage.get(name).copied().unwrap_or_default();
            let Ok(allowed) = Quantity::of_value(allowed) else {
                continue;
            };
            if asked > allowed {
                return Err(Unfit::Quota {
                    resource: resource.clone(),
                    asked,
                    allowed,
                });
            }
        }
    }
    Ok(())
}

/// What a container has that says nothing itself, by [`LimitRange`](https://kubernetes.io/docs/concepts/policy/limit-range/).
#[derive(Default)]
struct Defaults {
    requests: BTreeMap<&'static str, Quantity>,
    limits: BTreeMap<&'static str, Quantity>,
}

impl Defaults {
    fn of(objects: &[&Object]) -> Self {
        let mut defaults = Self::default();
        let ranges = objects.iter().filter(|object| object.kind == "LimitRange");
        let limits = ranges.filter_map(|range| range.manifest.pointer("/spec/limits")?.as_array());
        for limit in limits
            .flatten()
            .filter(|limit| limit["type"] == "Container")
        {
            for resource in RESOURCES {
                let amount = |name: &str| {
                    limit
                        .get(name)?
                        .get(resource)
                        .and_then(|value| Quantity::of_value(value).ok())
                };
                let limited = amount("default").or_else(|| amount("max"));
                let requested = amount("defaultRequest")
                    .or(limited)
                    .or_else(|| amount("min"));
                if let Some(limited) = limited {
                    defaults.limits.insert(resource, limited);
                }
                if let Some(requested) = requested {
                    defaults.requests.insert(resource, requested);
                }
            }
        }
        defaults
    }

    /// A request that is not given is the limit where that is given, and the default otherwise.
    fn of_container(&self, container: &Value, bound: &str, resource: &str) -> Quantity {
        let said = |bound: &str| {
            let amount = container.get("resources")?.get(bound)?.get(resource)?;
            Quantity::of_value(amount).ok()
        };
        let (said, default) = match bound {
            "requests" => (said("requests").or_else(|| said("limits")), &self.requests),
            _ => (said("limits"), &self.limits),
        };
        said.or_else(|| default.get(resource).copied())
            .unwrap_or_default()
    }
}

/// A pod needs the sum of its containers, or more while one of its init containers runs:
/// <https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers>.
fn of_pod(spec: &Value, bound: &str, resource: &str, defaults: &Defaults) -> Quantity {
    let said = spec
        .get("resources")
        .and_then(|all| all.get(bound)?.get(resource));
    let overhead = spec
        .get("overhead")
        .and_then(|overhead| overhead.get(resource));
    let overhead = overhead
        .and_then(|amount| Quantity::of_value(amount).ok())
        .unwrap_or_default();
    if let Some(whole) = said.and_then(|amount| Quantity::of_value(amount).ok()) {
        return whole.plus(overhead);
    }
    let containers = |list: &str| {
        spec.get(list)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    };
    let amount = |container: &Value| defaults.of_container(container, bound, resource);
    let (mut sidecars, mut most) = (Quantity::ZERO, Quantity::ZERO);
    for container in containers("initContainers") {
        let with = sidecars.plus(amount(container));
        if container["restartPolicy"] == "Always" {
            sidecars = with;
        }
        most = most.max(with);
    }
    let running =
        containers("containers").fold(sidecars, |sum, container| sum.plus(amount(container)));
    running.max(most).plus(overhead)
}
