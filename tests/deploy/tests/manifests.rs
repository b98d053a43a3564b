//! The manifests, as they would be applied.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use maestro_deploy_tests::kustomize::{COMPONENTS, directory, with_components};
use maestro_deploy_tests::{Manifest, documents, kinds, repository, restricted, text, variable};
use serde_json::Value;

const WORKERS: [&str; 4] = ["cleanup", "heal", "provision", "triage"];

/// Everything that may be applied together, by name. kubectl takes a second for each.
fn everything() -> &'static [(String, Vec<Manifest>)] {
    static ALL: LazyLock<Vec<(String, Vec<Manifest>)>> = LazyLock::new(put_together);
    &ALL
}

fn put_together() -> Vec<(String, Vec<Manifest>)> {
    let mut all: Vec<(String, Vec<Manifest>)> = COMPONENTS
        .iter()
        .map(|component| ((*component).to_owned(), with_components(&[component])))
        .collect();
    for name in ["base", "overlays/trial"] {
        all.push((name.to_owned(), directory(name)));
    }
    let together = ["heal-sandbox", "keda", "network-policy", "redis"];
    all.push((together.join(" + "), with_components(&together)));
    all
}

fn workers(manifests: &[Manifest]) -> Vec<&Manifest> {
    manifests.iter().filter(|one| one.is_worker()).collect()
}

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
