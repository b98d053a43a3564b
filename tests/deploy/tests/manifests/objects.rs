//! What objects there are, and that each is well-formed.

use std::collections::BTreeSet;

use maestro_deploy_tests::kustomize::{COMPONENTS, directory, everything, workers};
use maestro_deploy_tests::{Manifest, kinds, repository, text};

const WORKERS: [&str; 4] = ["cleanup", "heal", "provision", "triage"];

#[test]
fn every_component_and_overlay_there_is_is_tried() {
    let names = |of: &str| -> BTreeSet<String> {
        let entries = std::fs::read_dir(repository().join("deploy/kubernetes").join(of));
        let names = entries.unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.into_string().unwrap()).collect()
    };
    assert_eq!(
        names("components"),
        BTreeSet::from(COMPONENTS.map(str::to_owned))
    );
    assert_eq!(names("overlays"), BTreeSet::from(["trial".to_owned()]));
}

#[test]
fn every_object_is_what_a_current_release_has_under_its_kind() {
    for (name, manifests) in everything() {
        let faults: Vec<String> = manifests.iter().flat_map(kinds::faults).collect();
        assert!(faults.is_empty(), "{name}: {faults:#?}");
    }
}

#[test]
fn each_kind_of_worker_has_a_deployment_a_budget_and_an_account_of_its_own() {
    let base = directory("base");
    let named = |kind: &str| -> Vec<&str> {
        let of_kind = base.iter().filter(|one| one.kind() == kind);
        of_kind.map(Manifest::name).collect()
    };
    for kind in ["Deployment", "PodDisruptionBudget", "ServiceAccount"] {
        assert_eq!(named(kind), WORKERS, "{kind}");
    }
    for worker in workers(&base) {
        let pod = worker.pod().unwrap();
        assert_eq!(pod["serviceAccountName"], worker.name());
        assert_eq!(
            pod["containers"][0]["args"],
            serde_json::json!(["worker", worker.name()])
        );
        let selector = &worker.0["spec"]["selector"]["matchLabels"];
        for spread in pod["topologySpreadConstraints"].as_array().unwrap() {
            assert_eq!(&spread["labelSelector"]["matchLabels"], selector);
        }
        let budget = base
            .iter()
            .find(|one| one.kind() == "PodDisruptionBudget" && one.name() == worker.name());
        assert_eq!(
            &budget.unwrap().0["spec"]["selector"]["matchLabels"],
            selector
        );
    }
}

#[test]
fn images_are_pinned_by_a_tag() {
    for (name, manifests) in everything() {
        for manifest in manifests {
            for container in manifest.containers() {
                let image = container["image"].as_str().unwrap();
                let tag = image
                    .rsplit('/')
                    .next()
                    .unwrap()
                    .split_once(':')
                    .map(|(_, tag)| tag);
                assert!(tag.is_some_and(|tag| tag != "latest"), "{name}: {image}");
            }
        }
    }
    let version = text("Cargo.toml");
    let version = version
        .lines()
        .find_map(|line| line.strip_prefix("version = "))
        .unwrap()
        .trim_matches('"');
    for worker in workers(&directory("base")) {
        let image = worker.containers()[0]["image"].as_str().unwrap();
        let kind = if worker.name() == "heal" {
            "heal"
        } else {
            "worker"
        };
        assert_eq!(image, format!("maestro/{kind}:{version}"));
    }
}
