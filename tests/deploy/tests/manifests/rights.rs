//! Who may do what, reach whom and know what.

use maestro_deploy_tests::kustomize::{everything, with_components, workers};
use maestro_deploy_tests::{Manifest, documents, text};
use serde_json::Value;

#[test]
fn no_worker_has_a_port_and_no_service_points_at_one() {
    for (name, manifests) in everything() {
        for worker in workers(manifests) {
            for container in worker.containers() {
                assert!(container["ports"].is_null(), "{name}: {}", worker.title());
            }
        }
        for service in manifests.iter().filter(|one| one.kind() == "Service") {
            assert_eq!(
                service.at("/spec/selector/app.kubernetes.io~1name"),
                "redis",
                "{name}"
            );
        }
    }
}

#[test]
fn the_rights_are_those_of_the_documented_files_and_go_to_the_two_that_need_them() {
    let is_of_rights = |one: &&Manifest| one.api_version().starts_with("rbac.");
    let mut documented: Vec<Value> = ["provision", "environment", "cleanup"]
        .iter()
        .flat_map(|name| {
            documents(&text(&format!(
                "deploy/kubernetes/environments/{name}.yaml"
            )))
        })
        .collect();
    documented.sort_by_key(|one| (one["kind"].to_string(), one["metadata"]["name"].to_string()));
    for (name, manifests) in everything() {
        let mut given: Vec<Value> = manifests
            .iter()
            .filter(is_of_rights)
            .map(|one| one.0.clone())
            .collect();
        for one in &mut given {
            let labels = one["metadata"]["labels"].as_object_mut().unwrap();
            labels.remove("app.kubernetes.io/part-of");
            if labels.is_empty() {
                one["metadata"].as_object_mut().unwrap().remove("labels");
            }
        }
        given.sort_by_key(|one| (one["kind"].to_string(), one["metadata"]["name"].to_string()));
        assert_eq!(given, documented, "{name}");
        for manifest in manifests {
            if let Some(pod) = manifest.pod() {
                let needs_a_token = ["provision", "cleanup"].contains(&manifest.name());
                assert_eq!(
                    pod["automountServiceAccountToken"],
                    needs_a_token,
                    "{name}: {}",
                    manifest.title()
                );
            }
        }
    }
    let fleet = documents(&text("deploy/kubernetes/base/fleet.yaml"));
    assert_eq!(
        fleet[0]["provision"]["bind_cluster_role"],
        "maestro-environment"
    );
    assert_eq!(
        fleet[0]["provision"]["service_account"],
        "maestro/provision"
    );
}

#[test]
fn nothing_that_is_shipped_holds_a_secret() {
    for (name, manifests) in everything() {
        assert!(manifests.iter().all(|one| one.kind() != "Secret"), "{name}");
        for container in manifests.iter().flat_map(Manifest::containers) {
            for variable in container["env"].as_array().into_iter().flatten() {
                let said = variable["value"].as_str().unwrap_or_default();
                let name = variable["name"].as_str().unwrap();
                let is_reference =
                    said.is_empty() || (said.starts_with("$(") && said.ends_with(')'));
                assert!(
                    !name.contains("PASSWORD") && !name.contains("URL") && !name.contains("AUTH")
                        || is_reference,
                    "{name}: {said}"
                );
            }
        }
    }
}

#[test]
fn nobody_may_connect_to_a_worker_and_each_is_held_by_a_policy() {
    let manifests = with_components(&["network-policy"]);
    let policies: Vec<&Manifest> = manifests
        .iter()
        .filter(|one| one.kind() == "NetworkPolicy")
        .collect();
    let of_all = policies
        .iter()
        .find(|one| one.name() == "every-worker")
        .unwrap();
    assert_eq!(
        of_all.0["spec"]["policyTypes"],
        serde_json::json!(["Ingress", "Egress"])
    );
    assert!(
        policies
            .iter()
            .all(|one| one.0["spec"]["ingress"].is_null())
    );
    for worker in workers(&manifests) {
        let labels = worker.0.pointer("/spec/template/metadata/labels").unwrap();
        let wanted = of_all.0["spec"]["podSelector"]["matchLabels"]
            .as_object()
            .unwrap();
        assert!(wanted.iter().all(|(name, value)| &labels[name] == value));
    }
}
