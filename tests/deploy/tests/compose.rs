//! The compose file, and what it provisions.

use std::process::Output;

use maestro_deploy_tests::tools::compose;
use maestro_deploy_tests::{documents, repository, text};
use serde_json::Value;

const FILE: &str = "deploy/compose/compose.yaml";

/// `compose config`, with this password of Redis.
fn config(password: Option<&str>, more: &[&str]) -> Output {
    let mut command = compose();
    command
        .arg("--file")
        .arg(repository().join(FILE))
        .args(more)
        .arg("config");
    for name in [
        "REDIS_PASSWORD",
        "REPOSITORIES",
        "KUBECONFIG",
        "ENTRY_IMAGE",
    ] {
        command.env_remove(name);
    }
    if let Some(password) = password {
        command.env("REDIS_PASSWORD", password);
    }
    command.output().expect("compose starts")
}

#[test]
fn compose_takes_the_file_and_refuses_to_go_without_a_password() {
    let output = config(Some("made-up"), &["--profile", "kubernetes"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.is_empty(), "{said}");
    let resolved = &documents(&String::from_utf8(output.stdout).unwrap())[0];
    let services = resolved["services"].as_object().unwrap();
    for worker in ["triage", "heal", "provision", "cleanup"] {
        let worker = &services[worker];
        assert_eq!(
            worker["environment"]["MAESTRO_REDIS_URL"],
            "redis://:made-up@redis:6379"
        );
        assert_eq!(
            worker["depends_on"]["redis"]["condition"],
            "service_healthy"
        );
    }
    if !repository().join("deploy/compose/.env").exists() {
        let output = config(None, &[]);
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains("say it in deploy/compose/.env"));
    }
}

/// The file itself, its merge keys resolved.
fn services() -> serde_json::Map<String, Value> {
    let file = documents(&text(FILE)).remove(0);
    file["services"].as_object().expect("services").clone()
}

#[test]
fn ports_are_this_machines_own_and_workers_have_none() {
    for (name, service) in services() {
        let ports = service["ports"].as_array().cloned().unwrap_or_default();
        assert!(
            ports
                .iter()
                .all(|port| port.as_str().unwrap().starts_with("127.0.0.1:")),
            "{name}"
        );
        let is_worker = service["image"].as_str().unwrap().starts_with("maestro/");
        assert!(!is_worker || ports.is_empty(), "{name}");
    }
}

#[test]
fn workers_are_held_as_in_a_cluster_and_stop_in_order() {
    let seconds = |text: &Value| {
        text.as_str()
            .unwrap()
            .trim_end_matches('s')
            .parse::<u64>()
            .unwrap()
    };
    for (name, service) in services() {
        let image = service["image"].as_str().unwrap();
        let tag = image.rsplit('/').next().unwrap().split_once(':').unwrap().1;
        assert_ne!(tag, "latest", "{name}");
        if !image.starts_with("maestro/") {
            continue;
        }
        assert_eq!(service["command"][1], name.as_str());
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], serde_json::json!(["ALL"]), "{name}");
        let options = service["security_opt"].as_array().unwrap();
        assert!(options.contains(&"no-new-privileges:true".into()), "{name}");
        assert_eq!(options.len() > 1, name == "heal", "{name}");
        assert_eq!(
            service["healthcheck"]["test"],
            serde_json::json!(["CMD", "maestro", "health", "--max-age", "30s"])
        );
        let drain = match &service["environment"]["MAESTRO_GRACE"] {
            Value::Null => 25,
            own => seconds(own),
        };
        assert!(
            seconds(&service["stop_grace_period"]) >= drain + 10,
            "{name}"
        );
    }
}

#[test]
fn what_is_mounted_from_the_repository_is_there() {
    for (name, service) in services() {
        let volumes = service["volumes"].as_array().cloned().unwrap_or_default();
        let options = service["security_opt"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let volumes = volumes
            .iter()
            .map(|one| one.as_str().unwrap().split(':').next().unwrap().to_owned());
        let profiles = options.iter().filter_map(|one| {
            one.as_str()
                .unwrap()
                .strip_prefix("seccomp=")
                .map(str::to_owned)
        });
        for path in volumes.chain(profiles).filter(|path| path.starts_with('.')) {
            assert!(
                repository().join("deploy/compose").join(&path).exists(),
                "{name}: {path}"
            );
        }
    }
}

#[test]
fn prometheus_reads_what_was_pushed_as_the_workers_said_it_and_grafana_reads_prometheus() {
    let prometheus = &documents(&text("deploy/compose/prometheus.yaml"))[0];
    for rules in prometheus["rule_files"].as_array().unwrap() {
        let name = rules
            .as_str()
            .unwrap()
            .strip_prefix("/etc/prometheus/rules/")
            .unwrap();
        assert!(
            repository().join("deploy/prometheus").join(name).exists(),
            "{name}"
        );
    }
    let scrape = &prometheus["scrape_configs"][0];
    assert_eq!(scrape["honor_labels"], true);
    assert_eq!(
        scrape["static_configs"][0]["targets"][0],
        "pushgateway:9091"
    );
    for (name, worker) in services() {
        if worker["image"].as_str().unwrap().starts_with("maestro/") {
            assert_eq!(
                worker["environment"]["MAESTRO_METRICS_TARGET"], "http://pushgateway:9091",
                "{name}"
            );
        }
    }
    let source = &documents(&text("deploy/compose/grafana/datasources/prometheus.yaml"))[0];
    assert_eq!(source["datasources"][0]["url"], "http://prometheus:9090");
    let provider = &documents(&text("deploy/compose/grafana/dashboards/fleet.yaml"))[0];
    let path = provider["providers"][0]["options"]["path"]
        .as_str()
        .unwrap();
    let volumes = services()["grafana"]["volumes"].clone();
    assert!(
        volumes
            .as_array()
            .unwrap()
            .contains(&format!("../grafana:{path}:ro").into())
    );
}
