//! Why there are no pods: what controllers say when they may not make them.

use k8s_openapi::api::core::v1::Event as Warning;

use super::Observed;
use super::fault::{Fault, Reason};

/// The first warning that a controller cannot make pods, and will not be able to.
pub(super) fn refused(observed: &Observed) -> Option<Fault> {
    observed.warnings().find_map(fault)
}

fn fault(warning: &Warning) -> Option<Fault> {
    // Of pods, and of the ReplicaSet that is to make them.
    let kinds = ["FailedCreate", "ReplicaSetCreateError"];
    if !kinds.contains(&warning.reason.as_deref().unwrap_or_default()) {
        return None;
    }
    let message = warning.message.as_deref().unwrap_or_default();
    let reason = if message.contains("exceeded quota") {
        Reason::QuotaExceeded
    } else if is_passing(message) {
        return None;
    } else if message.contains("is forbidden") || message.contains("is invalid") {
        Reason::Rejected
    } else {
        return None;
    };
    let about = &warning.involved_object;
    let object = format!(
        "{}/{}",
        about.kind.as_deref().unwrap_or("Object"),
        about.name.as_deref().unwrap_or_default()
    );
    let said = message.strip_prefix("Error creating: ").unwrap_or(message);
    let detail = match reason {
        Reason::QuotaExceeded => {
            format!("the environment's quota does not allow the pods of {object}: {said}")
        }
        _ => format!("the cluster refuses the pods of {object}: {said}"),
    };
    Some(
        Fault::new(reason, detail)
            .object(object)
            .message(Some(message)),
    )
}

/// What is said while objects that were made a moment ago are not known everywhere.
fn is_passing(message: &str) -> bool {
    message.contains("status unknown for quota")
        || (message.contains("serviceaccount") && message.contains("not found"))
        || message.contains("because it is being terminated")
        || message.contains("no API token found")
}
