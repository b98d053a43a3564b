//! What is applied for the requests that are typical, as a person reads it.

#![expect(
    clippy::unwrap_used,
    reason = "a request that is not what it should be ends the test"
)]

mod requests;

use std::fmt::Write as _;

use maestro_environment::plan::{AwaitedKind, Object, Plan};
use requests::{planned, request};
use serde_json::json;

/// The plan as the manifests that `kubectl` would take.
fn shown(plan: &Plan) -> String {
    let mut text = String::new();
    let mut stage = |name: &str, objects: &[Object]| {
        writeln!(text, "# === {name}").unwrap();
        for object in objects {
            writeln!(text, "--- # {object} of `{}`", object.template).unwrap();
            text.push_str(&serde_saphyr::to_string(&object.manifest).unwrap());
        }
    };
    stage("namespace", std::slice::from_ref(&plan.namespace));
    stage("guards", &plan.guards);
    stage("configuration", &plan.configuration);
    stage("workloads", &plan.workloads);
    stage("tests", plan.tests.as_slice());
    writeln!(text, "# === and").unwrap();
    for awaited in &plan.awaited {
        writeln!(text, "await {awaited:?}").unwrap();
    }
    for (name, address) in &plan.endpoints {
        writeln!(text, "endpoint {name}: {address}").unwrap();
    }
    for (name, amount) in &plan.usage {
        writeln!(text, "usage {name}: {amount}").unwrap();
    }
    writeln!(text, "secret: {:?}", plan.secret).unwrap();
    writeln!(text, "expires at {}", plan.expires_at).unwrap();
    text.replace(
        &format!("created-by: \"{}\"", env!("CARGO_PKG_VERSION")),
        "created-by: VERSION",
    )
}

#[test]
fn an_app_with_postgresql_and_redis_is_these_manifests() {
    let plan = planned(&request(json!({
        "app": {
            "image": "ghcr.example/shop/web:1.4.2",
            "port": 8080,
            "replicas": 2,
            "env": {"LOG_LEVEL": "debug", "PGPASSWORD": "$(DATABASE_PASSWORD)", "REDIS_HOST": "elsewhere"},
            "command": ["shop", "serve", "--verbose"],
            "health_path": "/health",
            "resources": {"cpu": "250m", "memory": "256Mi"}
        },
        "database": "postgresql",
        "redis": true,
        "labels": {"team": "shop"}
    })))
    .unwrap();
    insta::assert_snapshot!(shown(&plan));
}

#[test]
fn an_app_without_a_port_has_no_service_and_no_probes() {
    let plan = planned(&request(json!({"app": {"image": "worker"}}))).unwrap();
    insta::assert_snapshot!(shown(&plan));
}

#[test]
fn tests_whose_report_is_wanted_run_under_the_entry_program() {
    let plan = planned(&request(json!({
        "app": {"image": "web:1", "port": 3000},
        "database": "mysql",
        "test": {
            "image": "tests:1",
            "command": ["npm", "test"],
            "env": {"CI": "true"},
            "timeout_s": 900,
            "junit_path": "/tmp/junit.xml"
        }
    })))
    .unwrap();
    insta::assert_snapshot!(shown(&plan));
}

#[test]
fn tests_without_a_report_run_as_they_are() {
    let plan = planned(&request(json!({
        "database": "mongodb",
        "database_version": "7",
        "network": {"egress": "internet"},
        "ttl_s": 120,
        "test": {"image": "tests:1", "command": ["check"]}
    })))
    .unwrap();
    insta::assert_snapshot!(shown(&plan));
}

#[test]
fn postgresql_18_keeps_its_data_where_its_image_wants_it() {
    let plan = planned(&request(
        json!({"database": "postgresql", "database_version": "18"}),
    ))
    .unwrap();
    let pod = &plan.workloads[0].manifest["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!(container["image"], "postgres:18");
    let environment = container["env"].as_array().unwrap();
    let data = environment
        .iter()
        .find(|each| each["name"] == "PGDATA")
        .unwrap();
    assert_eq!(data["value"], "/var/lib/postgresql/18/docker");
    assert_eq!(
        container["volumeMounts"][0]["mountPath"],
        "/var/lib/postgresql"
    );
}

#[test]
fn a_redis_alone_is_an_environment() {
    let plan = planned(&request(json!({"redis": true}))).unwrap();
    assert_eq!(plan.awaited.len(), 1);
    assert_eq!(plan.awaited[0].kind, AwaitedKind::Deployment);
    assert_eq!(plan.awaited[0].name, "redis");
    assert_eq!(plan.secret.as_deref(), Some("credentials"));
    assert_eq!(plan.endpoints.keys().collect::<Vec<_>>(), ["redis"]);
}

#[test]
fn every_object_and_every_pod_bears_its_owner_and_lies_in_the_namespace() {
    let plan = planned(&request(json!({
        "app": {"image": "web:1", "port": 80},
        "database": "mysql",
        "redis": true,
        "test": {"image": "tests:1", "command": ["check"]}
    })))
    .unwrap();
    let namespace = &plan.namespace.name;
    let inside = plan
        .guards
        .iter()
        .chain(&plan.configuration)
        .chain(&plan.workloads)
        .chain(&plan.tests);
    let mut pods = 0;
    for object in inside.clone() {
        assert_eq!(
            object.manifest["metadata"]["namespace"], **namespace,
            "{object}"
        );
        pods += usize::from(object.manifest.pointer("/spec/template/spec").is_some());
    }
    assert_eq!(pods, 4);
    for object in inside.chain([&plan.namespace]) {
        let pod = object.manifest.pointer("/spec/template/metadata");
        for metadata in [Some(&object.manifest["metadata"]), pod]
            .into_iter()
            .flatten()
        {
            let labels = &metadata["labels"];
            assert_eq!(
                labels["app.kubernetes.io/managed-by"], "maestro",
                "{object}"
            );
            assert_eq!(labels["maestro.dev/owner"], "maestro", "{object}");
            assert_eq!(
                labels["maestro.dev/environment"],
                namespace["maestro-".len()..],
                "{object}"
            );
        }
    }
}

#[test]
fn the_same_request_at_another_time_differs_in_its_expiry_alone() {
    let asked = request(json!({"app": {"image": "web:1"}, "database": "postgresql"}));
    let first = planned(&asked).unwrap();
    let mut second = requests::planned_at(&asked, "2026-07-01T13:30:00.999Z").unwrap();
    assert_eq!(first.expires_at.to_string(), "2026-07-01T13:00:00Z");
    assert_eq!(second.expires_at.to_string(), "2026-07-01T14:30:00Z");
    second.expires_at = first.expires_at;
    second.namespace.manifest["metadata"]["annotations"]["maestro.dev/expires-at"] =
        "2026-07-01T13:00:00Z".into();
    assert_eq!(first, second);
}
