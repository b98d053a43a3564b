//! What containers ask for, as their manifests say it.

use serde_json::Value;

use crate::quantity::Quantity;
use crate::templates::{Rendered, TemplateFault};

/// The resources that are looked at.
pub(super) const RESOURCES: [&str; 2] = ["cpu", "memory"];

/// Finds amounts that are none, and requests of more than the limit, in the pods at `path`.
pub(super) fn check(rendered: &Rendered<'_>, path: &[&str]) -> Result<(), TemplateFault> {
    let spec = path
        .iter()
        .chain(&["spec"])
        .try_fold(&rendered.manifest, |value, key| value.get(key));
    for list in ["initContainers", "containers"] {
        let containers = spec
            .and_then(|spec| spec.get(list))
            .and_then(Value::as_array);
        for (number, container) in containers.into_iter().flatten().enumerate() {
            let number = number.to_string();
            let at = |more: &[&'static str]| -> Vec<&str> {
                path.iter()
                    .copied()
                    .chain(["spec", list, &number, "resources"])
                    .chain(more.iter().copied())
                    .collect()
            };
            for name in RESOURCES {
                let amount = |kind: &'static str| match container
                    .pointer(&format!("/resources/{kind}/{name}"))
                {
                    None | Some(Value::Null) => Ok(None),
                    Some(value) => Quantity::of_value(value).map(Some).map_err(|problem| {
                        rendered.fault(&at(&[kind, name]), format!("{value} {problem}"))
                    }),
                };
                if let (Some(request), Some(limit)) = (amount("requests")?, amount("limits")?)
                    && request > limit
                {
                    return Err(rendered.fault(
                        &at(&["requests", name]),
                        format!("the request of {request} is more than the limit of {limit}"),
                    ));
                }
            }
        }
    }
    Ok(())
}
