//! Bad input: one clear sentence each, and a dead letter with all that was sent.

use maestro_tests::{Fleet, Project, Worker};
use redis::Commands;
use serde_json::json;

const REPORTED: &str = "maestro.error.reported.v1";
const REQUESTED: &str = "maestro.heal.requested.v1";

fn good() -> String {
    json!({ "project": { "repository": "/r" }, "kind": "test_failure", "message": "m" }).to_string()
}

/// Sends fields as they are to triage; gives back the dead letter's reason and sentence.
fn refused(fields: &[(&str, &[u8])]) -> (String, String) {
    let fleet = Fleet::start();
    let triage = fleet.worker("triage", &[]);
    let _: String = fleet
        .redis()
        .xadd("automation:errors", "*", fields)
        .expect("XADD");
    let dead = fleet.await_entries("{automation:errors}:dead", 1, &[&triage]);
    for (name, value) in fields {
        let kept = dead[0].get(*name).map(String::as_bytes);
        assert!(
            kept == Some(*value) || std::str::from_utf8(value).is_err(),
            "{name} is lost: {:?}",
            dead[0].keys()
        );
    }
    assert!(fleet.entries("automation:results").is_empty());
    (dead[0]["deadreason"].clone(), dead[0]["deaddetail"].clone())
}

/// Asks for the heal of a repository; gives back the dead letter's reason and sentence.
fn refused_heal(fleet: &Fleet, worker: &Worker, data: &serde_json::Value) -> (String, String) {
    fleet.ok(
        &["publish", "--type", REQUESTED, "--data", "-"],
        &data.to_string(),
    );
    let dead = fleet.await_entries("{automation:heal}:dead", 1, &[worker]);
    (dead[0]["deadreason"].clone(), dead[0]["deaddetail"].clone())
}

#[test]
fn what_is_not_json_is_undecodable() {
    let (reason, detail) = refused(&[("type", REPORTED.as_bytes()), ("data", b"{nonsense")]);
    assert_eq!(reason, "undecodable");
    assert!(
        detail.contains("data") && detail.contains("JSON"),
        "{detail}"
    );
}

#[test]
fn a_missing_member_is_named_by_its_path() {
    let (reason, detail) = refused(&[
        ("type", REPORTED.as_bytes()),
        (
            "data",
            br#"{"project":{},"kind":"test_failure","message":"m"}"#,
        ),
    ]);
    assert_eq!(reason, "invalid");
    assert!(
        detail.contains("$.project") && detail.contains("repository"),
        "{detail}"
    );
}

#[test]
fn a_member_of_the_wrong_type_is_named_with_what_was_expected() {
    let data = json!({ "project": { "repository": "/r" }, "kind": "test_failure", "message": 7 })
        .to_string();
    let (reason, detail) = refused(&[("type", REPORTED.as_bytes()), ("data", data.as_bytes())]);
    assert_eq!(reason, "invalid");
    assert!(
        detail.contains("$.message") && detail.contains("string"),
        "{detail}"
    );
}

#[test]
fn an_unknown_type_and_an_unknown_version_are_told_apart() {
    let (reason, detail) = refused(&[
        ("type", b"maestro.error.imagined.v1"),
        ("data", good().as_bytes()),
    ]);
    assert_eq!(reason, "unknown_type");
    assert!(detail.contains("maestro.error.imagined.v1"), "{detail}");
    let (reason, detail) = refused(&[
        ("type", b"maestro.error.reported.v9"),
        ("data", good().as_bytes()),
    ]);
    assert_eq!(reason, "unknown_type");
    assert!(detail.contains("v9") && detail.contains("v1"), "{detail}");
}

#[test]
fn two_mebibytes_of_data_are_oversized() {
    let data = json!({ "project": { "repository": "/r" }, "kind": "test_failure", "message": "m".repeat(2 << 20) }).to_string();
    let (reason, detail) = refused(&[("type", REPORTED.as_bytes()), ("data", data.as_bytes())]);
    assert_eq!(reason, "oversized");
    assert!(
        detail.contains("1048576") || detail.contains("1 MiB"),
        "{detail}"
    );
}

#[test]
fn bytes_that_are_not_utf8_are_undecodable() {
    let (reason, detail) = refused(&[
        ("type", REPORTED.as_bytes()),
        ("data", b"{\"a\":\"\xff\xfe\"}"),
    ]);
    assert_eq!(reason, "undecodable");
    assert!(detail.contains("UTF-8"), "{detail}");
}

#[test]
fn the_publisher_refuses_the_same_with_the_same_sentence() {
    let fleet = Fleet::start();
    let output = fleet.run(
        &[
            "publish",
            "--type",
            REPORTED,
            "--data",
            r#"{"project":{},"kind":"test_failure","message":"m"}"#,
        ],
        "",
    );
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("$.project") && said.contains("repository"),
        "{said}"
    );
    assert!(fleet.entries("automation:errors").is_empty());
}

#[test]
fn a_repository_that_does_not_exist_or_must_not_be_read_is_refused() {
    let fleet = Fleet::start();
    let heal = fleet.worker("heal", &[]);
    let missing = fleet.directory().join("nowhere");
    let ask = |repository: &str| {
        json!({ "project": { "repository": repository }, "kind": "test_failure", "message": "m",
                "test": { "id": "test_adder", "framework": "unittest" } })
    };
    let (reason, detail) = refused_heal(&fleet, &heal, &ask(&missing.display().to_string()));
    assert_eq!(reason, "refused");
    assert!(detail.contains("nowhere"), "{detail}");
    let fleet = Fleet::start();
    let heal = fleet.worker("heal", &[]);
    let (reason, detail) = refused_heal(&fleet, &heal, &ask("/etc"));
    assert_eq!(reason, "refused");
    assert!(detail.contains("project.repository"), "{detail}");
}

/// A project whose only test does something that it may not.
fn hostile(body: &str) -> (String, String) {
    let fleet = Fleet::start();
    let heal = fleet.worker("heal", &["--time-limit", "20s"]);
    let test = format!(
        "import os, unittest\n\n\nclass AdderTest(unittest.TestCase):\n    def test_sum(self):\n{body}\n"
    );
    let project = Project::new(fleet.directory(), "project").file("test_adder.py", &test);
    refused_heal(&fleet, &heal, &project.failure("m"))
}

#[test]
fn a_test_that_forks_for_ever_is_stopped_and_named() {
    let (reason, detail) = hostile("        while True:\n            os.fork()");
    assert_eq!(reason, "refused");
    assert!(
        detail.contains("process") || detail.contains("memory") || detail.contains("time"),
        "{detail}"
    );
}

#[test]
fn a_test_that_fills_the_disk_is_stopped_and_named() {
    let (reason, detail) = hostile(
        "        for n in range(1 << 20):\n            with open('x%d' % n, 'wb') as file:\n                file.write(b'x' * (64 << 20))",
    );
    assert_eq!(reason, "refused");
    assert!(detail.contains("writing"), "{detail}");
}

#[test]
fn a_test_that_never_ends_is_stopped_and_named() {
    let (reason, detail) = hostile("        while True:\n            pass");
    assert_eq!(reason, "refused");
    assert!(detail.contains("time"), "{detail}");
}
