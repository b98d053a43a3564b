//! What the manifests, the compose file and the units say to `maestro` is what `maestro` knows.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use maestro_tests::Fleet;
use serde_json::Value;

/// The variables that are no setting and that every command knows.
const NO_SETTINGS: [&str; 2] = ["MAESTRO_CONFIG", "MAESTRO_CONCURRENCY"];

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

/// Every file that is shipped for running the fleet.
fn shipped() -> Vec<(PathBuf, String)> {
    let mut pending = ["kubernetes", "compose", "systemd"]
        .map(|name| deploy().join(name))
        .to_vec();
    pending.push(deploy().join("../Dockerfile"));
    let mut files = Vec::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            let entries = path.read_dir().expect("a directory");
            pending.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else {
            let text = std::fs::read_to_string(&path).expect("a text");
            files.push((path, text));
        }
    }
    files
}

/// The words of a text that begin so.
fn words<'a>(text: &'a str, begin: &str) -> BTreeSet<&'a str> {
    let is_inside = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    text.split(|c: char| !is_inside(c))
        .filter(|word| word.starts_with(begin) && word.len() > begin.len())
        .collect()
}

#[test]
fn every_variable_that_is_shipped_is_a_setting() {
    let fleet = Fleet::start();
    let settings = fleet.ok(&["config", "--output", "json"], "");
    let settings: Vec<Value> = serde_json::from_str(&settings).expect("JSON");
    let known: BTreeSet<&str> = settings
        .iter()
        .filter_map(|setting| setting["variable"].as_str())
        .chain(NO_SETTINGS)
        .collect();
    let mut seen = BTreeSet::new();
    for (path, text) in shipped() {
        for name in words(&text, "MAESTRO_") {
            assert!(
                known.contains(name),
                "{}: no setting is named by {name}",
                path.display()
            );
            seen.insert(name.to_owned());
        }
    }
    // It is files with variables that were read.
    assert!(
        seen.contains("MAESTRO_REDIS_URL") && seen.contains("MAESTRO_GRACE"),
        "{seen:?}"
    );
}

#[test]
fn the_configuration_of_the_manifests_is_read_and_is_what_counts() {
    let fleet = Fleet::start();
    let file = deploy().join("kubernetes/base/fleet.yaml");
    let file = file
        .canonicalize()
        .expect("it is there")
        .display()
        .to_string();
    let settings = fleet.ok(&["config", "--config", &file, "--output", "json"], "");
    let settings: Vec<Value> = serde_json::from_str(&settings).expect("JSON");
    for (name, value) in [
        ("log.format", "json"),
        ("delivery.grace", "25s"),
        ("heal.time_limit", "5m"),
        ("provision.bind_cluster_role", "maestro-environment"),
        ("provision.service_account", "maestro/provision"),
    ] {
        let setting = settings
            .iter()
            .find(|setting| setting["setting"] == name)
            .expect(name);
        assert_eq!(setting["value"], value, "{name}");
        assert!(
            setting["from"]
                .as_str()
                .is_some_and(|from| from.contains("fleet.yaml")),
            "{setting}"
        );
    }
}

#[test]
fn the_commands_of_pods_and_probes_are_commands_with_these_flags() {
    let fleet = Fleet::start();
    let worker = fleet.ok(&["worker", "--help"], "");
    for kind in ["triage", "heal", "provision", "cleanup"] {
        assert!(worker.contains(kind), "{kind}");
        let file = std::fs::read_to_string(deploy().join(format!("kubernetes/base/{kind}.yaml")));
        assert!(
            file.expect("a file")
                .contains(&format!("args: [worker, {kind}]"))
        );
    }
    for flag in ["--kubeconfig", "--entry-image"] {
        assert!(worker.contains(flag), "{flag}");
    }
    let health = fleet.ok(&["health", "--help"], "");
    for flag in ["--max-age", "--ready"] {
        assert!(health.contains(flag), "{flag}");
    }
}

/// As the probes run it in a pod: the worker with the settings of the manifests, and a Redis that is not there at all for `maestro health`.
#[test]
fn a_worker_with_the_manifests_settings_is_live_and_ready_by_its_probes() {
    let fleet = Fleet::start();
    let heartbeat = fleet.directory().join("heartbeat").display().to_string();
    let file = deploy().join("kubernetes/base/fleet.yaml");
    let file = file
        .canonicalize()
        .expect("it is there")
        .display()
        .to_string();
    let mut worker = fleet.worker(
        "triage",
        &["--config", &file, "--heartbeat-file", &heartbeat],
    );
    let probe = |arguments: &[&str]| {
        let mut command = fleet.command(&["health"]);
        command.args(arguments);
        command.env("MAESTRO_HEARTBEAT_FILE", &heartbeat);
        command.env("MAESTRO_REDIS_URL", "redis://127.0.0.1:1");
        command.output().expect("maestro starts")
    };
    fleet.wait_until("the worker is ready", |_| {
        probe(&["--ready"]).status.success()
    });
    let live = probe(&["--max-age", "30s"]);
    assert!(
        live.status.success(),
        "{}",
        String::from_utf8_lossy(&live.stderr)
    );
    assert!(worker.terminate().success(), "{}", worker.log());
    assert!(!probe(&["--ready"]).status.success());
}
