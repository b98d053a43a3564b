//! The rules, the dashboards and the runbook, each by its own program.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
struct Rule {
    alert: String,
    annotations: Annotations,
}

#[derive(Debug, Deserialize)]
struct Annotations {
    runbook: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs a program that must succeed.
fn run(program: &str, arguments: &[PathBuf]) {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&said)
    );
}

fn files(directory: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(directory)).expect("a directory");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        .collect()
}

fn promtool(words: &[&str], directory: &str) {
    let files = files(directory);
    assert!(files.len() > 1, "{files:?}");
    let words = words.iter().map(PathBuf::from);
    run("promtool", &words.chain(files).collect::<Vec<_>>());
}

fn alerts() -> Vec<Rule> {
    let text = fs::read_to_string(root().join("deploy/prometheus/alerts.yaml")).expect("alerts");
    let rules: Rules = serde_saphyr::from_str(&text).expect("rules");
    rules
        .groups
        .into_iter()
        .flat_map(|group| group.rules)
        .collect()
}

#[test]
fn prometheus_takes_the_rules_and_their_tests_hold() {
    promtool(&["check", "rules"], "deploy/prometheus");
    promtool(&["test", "rules"], "deploy/prometheus/tests");
}

#[test]
fn every_alert_has_its_test_and_its_paragraph_and_no_paragraph_is_left_over() {
    let runbook = fs::read_to_string(root().join("docs/runbook.md")).expect("the runbook");
    let tests = root().join("deploy/prometheus/tests/alerts.yaml");
    let tests = fs::read_to_string(tests).expect("the tests");
    let headings: BTreeSet<_> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .map(str::to_owned)
        .collect();
    let alerts = alerts();
    for Rule { alert, annotations } in &alerts {
        let anchor = alert.to_lowercase();
        assert_eq!(annotations.runbook, format!("docs/runbook.md#{anchor}"));
        // Each is expected to fire in one test at least.
        let parts = tests.split("alertname: ");
        let mut fires = parts.filter(|part| part.starts_with(&format!("{alert}\n")));
        assert!(
            fires.any(|part| part.contains("exp_alerts:")),
            "{alert} has no test"
        );
    }
    let alerts: BTreeSet<_> = alerts.into_iter().map(|rule| rule.alert).collect();
    assert_eq!(headings, alerts);
}

#[test]
fn the_dashboards_are_what_their_program_writes() {
    let words = ["deploy/grafana/generate.py", "--check"];
    run("python3", &words.map(PathBuf::from));
}

#[test]
fn dashboards_and_rules_name_only_metrics_that_are_described() {
    let mut files = files("deploy/prometheus");
    files.push(root().join("deploy/grafana/generate.py"));
    for file in files {
        let text = fs::read_to_string(&file).expect("UTF-8");
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "_:".contains(c)));
        let named = words.filter(|word| {
            (word.starts_with("maestro_") || word.starts_with("streams_")) && !word.contains(':')
        });
        for name in named {
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| name.strip_suffix(end));
            let known = [Some(name), base]
                .into_iter()
                .flatten()
                .any(|name| maestro_telemetry::metric(name).is_some());
            assert!(known, "{}: {name} is not described", file.display());
        }
    }
}
