//! How pods are confined, looked after and ended.

use maestro_deploy_tests::kustomize::{directory, everything, with_components, workers};
use maestro_deploy_tests::{Manifest, documents, restricted, text, variable};
use serde_json::Value;

#[test]
fn every_pod_is_of_the_restricted_profile_but_for_what_the_sandbox_takes() {
    for (name, manifests) in everything() {
        let violations: Vec<String> = manifests.iter().flat_map(restricted::violations).collect();
        let enforced = manifests[0].label("pod-security.kubernetes.io/enforce");
        if name.contains("heal-sandbox") {
            // Kubernetes allows it to pods with users of their own alone, and so must the namespace.
            assert_eq!(
                violations,
                ["Deployment/heal: worker: its /proc is unmasked"],
                "{name}"
            );
            assert_eq!(enforced, "baseline", "{name}");
            let heal = workers(manifests)[1].pod().unwrap();
            assert_eq!(heal["hostUsers"], false);
        } else {
            assert!(violations.is_empty(), "{name}: {violations:#?}");
            assert_eq!(enforced, "restricted", "{name}");
        }
        assert_eq!(
            manifests[0].label("pod-security.kubernetes.io/warn"),
            "restricted"
        );
    }
}

#[test]
fn the_sandboxs_profile_is_where_the_component_says_and_leaves_it_what_it_is_made_of() {
    let manifests = with_components(&["heal-sandbox"]);
    let heal = workers(&manifests)[1].pod().unwrap();
    let file = heal["securityContext"]["seccompProfile"]["localhostProfile"]
        .as_str()
        .unwrap();
    let name = file.strip_prefix("maestro/").unwrap();
    let profile = text(&format!("deploy/kubernetes/components/heal-sandbox/{name}"));
    let profile: Value = serde_json::from_str(&profile).unwrap();
    assert_eq!(profile["defaultAction"], "SCMP_ACT_ALLOW");
    let denied = profile["syscalls"][0]["names"].as_array().unwrap();
    let is_denied = |name: &str| denied.iter().any(|one| one == name);
    for needed in [
        "clone",
        "clone3",
        "unshare",
        "mount",
        "umount2",
        "pivot_root",
        "prctl",
        "capset",
    ] {
        assert!(!is_denied(needed), "{needed}");
    }
    for dangerous in [
        "bpf",
        "keyctl",
        "setns",
        "io_uring_setup",
        "userfaultfd",
        "kexec_load",
        "init_module",
    ] {
        assert!(is_denied(dangerous), "{dangerous}");
    }
}

#[test]
fn no_heal_worker_runs_until_it_is_said_what_confines_it() {
    let replicas = |manifests: &[Manifest]| workers(manifests)[1].0["spec"]["replicas"].clone();
    let sandbox = |manifests: &[Manifest]| {
        let heal = workers(manifests)[1].containers()[0].clone();
        variable(&heal, "MAESTRO_SANDBOX").map(str::to_owned)
    };
    let base = directory("base");
    assert_eq!((replicas(&base), sandbox(&base)), (0.into(), None));
    let confined = with_components(&["heal-sandbox"]);
    assert_eq!((replicas(&confined), sandbox(&confined)), (1.into(), None));
    let unconfined = with_components(&["heal-unconfined"]);
    assert_eq!(
        (replicas(&unconfined), sandbox(&unconfined)),
        (1.into(), Some("off".to_owned()))
    );
}

#[test]
fn probes_read_the_workers_own_file_and_ask_nobody() {
    for worker in workers(&directory("base")) {
        let container = worker.containers()[0];
        let file = variable(container, "MAESTRO_HEARTBEAT_FILE").unwrap();
        let mounts = container["volumeMounts"].as_array().unwrap();
        let mount = mounts
            .iter()
            .find(|mount| file.starts_with(&format!("{}/", mount["mountPath"].as_str().unwrap())));
        let volumes = worker.pod().unwrap()["volumes"].as_array().unwrap();
        let volume = volumes
            .iter()
            .find(|volume| volume["name"] == mount.unwrap()["name"])
            .unwrap();
        assert_eq!(volume["emptyDir"]["medium"], "Memory", "{}", worker.title());
        for (probe, command) in [
            (
                "startupProbe",
                ["maestro", "health", "--max-age", "30s"].as_slice(),
            ),
            ("livenessProbe", &["maestro", "health", "--max-age", "30s"]),
            ("readinessProbe", &["maestro", "health", "--ready"]),
        ] {
            let probe = container[probe].as_object().unwrap();
            assert_eq!(probe["exec"], serde_json::json!({ "command": command }));
            assert!(
                !probe.contains_key("httpGet")
                    && !probe.contains_key("tcpSocket")
                    && !probe.contains_key("grpc")
            );
        }
    }
}

#[test]
fn a_pod_is_given_longer_to_end_than_its_worker_takes_to_drain() {
    let fleet = documents(&text("deploy/kubernetes/base/fleet.yaml"));
    let of_all = seconds(fleet[0]["delivery"]["grace"].as_str().unwrap());
    for (name, manifests) in everything() {
        for worker in workers(manifests) {
            let own = variable(worker.containers()[0], "MAESTRO_GRACE").map(seconds);
            let drain = own.unwrap_or(of_all);
            let given = worker.pod().unwrap()["terminationGracePeriodSeconds"]
                .as_u64()
                .unwrap();
            assert!(
                given >= drain + 10,
                "{name}: {} has {given} s for {drain} s",
                worker.title()
            );
        }
    }
    // A heal that a roll-out interrupts has the time that one may take.
    let base = directory("base");
    let heal = variable(workers(&base)[1].containers()[0], "MAESTRO_GRACE").map(seconds);
    let limit = fleet[0]["heal"]["time_limit"].as_str().unwrap();
    assert!(heal.unwrap() > seconds(limit));
}

fn seconds(span: &str) -> u64 {
    let (number, unit) = span.split_at(span.len() - 1);
    let number: u64 = number.parse().expect("a number");
    match unit {
        "s" => number,
        "m" => 60 * number,
        _ => panic!("{span}"),
    }
}
