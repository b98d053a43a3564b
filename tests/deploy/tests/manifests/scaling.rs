//! Who says how many there are.

use std::collections::BTreeSet;

use maestro_deploy_tests::Manifest;
use maestro_deploy_tests::kustomize::{with_components, workers};
use serde_json::Value;

#[test]
fn keda_watches_both_lanes_of_the_stream_that_the_worker_reads_and_the_groups_are_made_before() {
    let manifests = with_components(&["keda"]);
    let streams = [
        ("cleanup", "k8s:cleanup"),
        ("heal", "automation:heal"),
        ("provision", "k8s:provision"),
        ("triage", "automation:errors"),
    ];
    let job = manifests.iter().find(|one| one.kind() == "Job").unwrap();
    let script = job.containers()[0]["args"][0].as_str().unwrap();
    for (worker, stream) in streams {
        let scaled = manifests
            .iter()
            .find(|one| one.kind() == "ScaledObject" && one.name() == worker)
            .unwrap();
        assert_eq!(scaled.at("/spec/scaleTargetRef/name"), worker);
        let triggers = scaled.0["spec"]["triggers"].as_array().unwrap();
        let watched: BTreeSet<(&str, &str)> = triggers
            .iter()
            .filter(|trigger| trigger["type"] == "redis-streams")
            .map(|trigger| {
                assert_eq!(trigger["metadata"]["consumerGroup"], worker);
                let by = if trigger["metadata"]["lagCount"].is_null() {
                    "pending"
                } else {
                    "lag"
                };
                (trigger["metadata"]["stream"].as_str().unwrap(), by)
            })
            .collect();
        let urgent = format!("{{{stream}}}:urgent");
        let expected = [
            (stream, "lag"),
            (stream, "pending"),
            (&urgent, "lag"),
            (&urgent, "pending"),
        ];
        assert_eq!(watched, BTreeSet::from(expected));
        assert!(script.contains(&format!("{stream}/{worker}")), "{worker}");
        // With no worker alive, only KEDA sees that something is due.
        if scaled.0["spec"]["minReplicaCount"] == 0 {
            let delayed: Vec<&Value> = triggers
                .iter()
                .filter(|one| one["type"] == "redis")
                .map(|one| &one["metadata"]["listName"])
                .collect();
            assert_eq!(
                delayed,
                [
                    &format!("{{{stream}}}:delayed"),
                    &format!("{{{stream}}}:urgent:delayed")
                ]
            );
        }
    }
    // Who scales says how many there are.
    assert!(
        workers(&manifests)
            .iter()
            .all(|worker| worker.0["spec"]["replicas"].is_null())
    );
}

#[test]
fn who_scales_by_processor_time_names_deployments_that_leave_their_number_to_it_and_say_what_they_ask_for()
 {
    let manifests = with_components(&["hpa"]);
    let scalers: Vec<&Manifest> = manifests
        .iter()
        .filter(|one| one.kind() == "HorizontalPodAutoscaler")
        .collect();
    assert_eq!(scalers.len(), 2);
    for worker in workers(&manifests) {
        let is_scaled = scalers
            .iter()
            .any(|scaler| scaler.at("/spec/scaleTargetRef/name") == worker.name());
        assert_eq!(
            worker.0["spec"]["replicas"].is_null(),
            is_scaled,
            "{}",
            worker.title()
        );
        // The share of what was asked for is what is measured.
        assert!(worker.containers()[0]["resources"]["requests"]["cpu"].is_string());
    }
}
