//! What holds a namespace that does not go away.

use k8s_openapi::api::core::v1::Namespace;

/// What holds a namespace that is going away, as its conditions tell.
pub(super) fn what_holds(namespace: &Namespace) -> String {
    let status = namespace.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_ref());
    let holding: Vec<String> = conditions
        .into_iter()
        .flatten()
        .filter(|condition| condition.status == "True")
        .map(|condition| {
            let message = condition.message.as_deref().unwrap_or_default().trim();
            format!("{}: {message}", condition.type_)
        })
        .collect();
    let spec = namespace.spec.as_ref();
    let finalizers = namespace.metadata.finalizers.iter().flatten();
    let finalizers: Vec<&str> = spec
        .and_then(|spec| spec.finalizers.as_ref())
        .into_iter()
        .flatten()
        .chain(finalizers)
        .map(String::as_str)
        .collect();
    match (holding.is_empty(), finalizers.is_empty()) {
        (false, _) => holding.join("; "),
        (true, false) => format!("its finalizers {} are not done", finalizers.join(", ")),
        (true, true) => "its conditions do not say why".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_conditions_that_hold_are_named_and_the_finalizers_where_there_are_none() {
        let stuck: Namespace = serde_json::from_value(json!({
            "metadata": { "name": "n" },
            "spec": { "finalizers": ["kubernetes"] },
            "status": { "phase": "Terminating", "conditions": [
                { "type": "NamespaceDeletionContentFailure", "status": "False", "message": "All content successfully deleted" },
                { "type": "NamespaceFinalizersRemaining", "status": "True", "message": "Some content in the namespace has finalizers remaining: example.org/hold in 1 resource instances" },
            ]},
        }))
        .unwrap();
        assert_eq!(
            what_holds(&stuck),
            "NamespaceFinalizersRemaining: Some content in the namespace has finalizers remaining: example.org/hold in 1 resource instances"
        );
        let own: Namespace = serde_json::from_value(json!({
            "metadata": { "name": "n", "finalizers": ["example.org/own"] },
        }))
        .unwrap();
        assert_eq!(
            what_holds(&own),
            "its finalizers example.org/own are not done"
        );
    }
}
