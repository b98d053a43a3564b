//! A report of a thousand failing tests, published in one command.

use std::collections::HashSet;
use std::fmt::Write as _;

use maestro_tests::Fleet;
use serde_json::Value;

const TESTS: usize = 1000;

fn report() -> String {
    let mut cases = String::new();
    for n in 0..TESTS {
        let _ = write!(
            cases,
            "<testcase classname=\"tests.test_{0}\" name=\"test_{n}\" time=\"0.01\"><failure message=\"KeyError: 'k{n}'\">tests/test_{0}.py:{n}: KeyError</failure></testcase>",
            n % 10
        );
    }
    format!(
        "<?xml version=\"1.0\"?><testsuites><testsuite name=\"pytest\" errors=\"0\" failures=\"{TESTS}\" skipped=\"0\" tests=\"{TESTS}\" time=\"1\">{cases}</testsuite></testsuites>"
    )
}

#[test]
fn every_message_is_triaged_once_repeats_are_suppressed_and_nothing_is_lost() {
    let fleet = Fleet::start();
    let directory = fleet.directory().join("project");
    std::fs::create_dir_all(directory.join("tests")).unwrap();
    for n in 0..10 {
        std::fs::write(directory.join(format!("tests/test_{n}.py")), "").unwrap();
    }
    let file = fleet.directory().join("report.xml");
    std::fs::write(&file, report()).unwrap();
    let (file, directory) = (file.display().to_string(), directory.display().to_string());
    let publish = |run: &str| {
        fleet.ok(
            &[
                "publish",
                "--junit",
                &file,
                "--repository",
                &directory,
                "--framework",
                "pytest",
                "--run",
                run,
            ],
            "",
        )
    };
    let printed = publish("first");
    assert_eq!(printed.lines().collect::<HashSet<_>>().len(), TESTS);

    // Two replicas share the work.
    let workers = [fleet.worker("triage", &[]), fleet.worker("triage", &[])];
    let workers: Vec<_> = workers.iter().collect();
    let triaged = fleet.await_entries("automation:results", TESTS, &workers);
    let causes: HashSet<&str> = triaged
        .iter()
        .map(|entry| entry["causationid"].as_str())
        .collect();
    assert_eq!(causes.len(), TESTS, "a message was triaged twice");
    assert_eq!(
        fleet
            .await_entries("automation:heal", TESTS, &workers)
            .len(),
        TESTS
    );

    // The same report again is the same messages: nothing happens. As another run it is a thousand repeats.
    publish("first");
    publish("second");
    let triaged = fleet.await_entries("automation:results", 2 * TESTS, &workers);
    let repeats = triaged[TESTS..]
        .iter()
        .map(|entry| serde_json::from_str::<Value>(&entry["data"]).unwrap())
        .filter(|data| data["decision"] == "repeat" && data["occurrences"] == 2)
        .count();
    assert_eq!(repeats, TESTS);
    fleet.wait_until("all is acknowledged", |_| {
        let status: Value =
            serde_json::from_str(&fleet.ok(&["status", "--output", "json"], "")).unwrap();
        let text = status.to_string();
        text.contains("automation:errors")
            && figure(&status, "pending") == 0
            && figure(&status, "lag") == 0
    });
    assert_eq!(fleet.entries("automation:heal").len(), TESTS);
    assert_eq!(fleet.entries("automation:results").len(), 2 * TESTS);
    assert!(fleet.dead("automation:errors").is_empty());
}

/// A figure of the group `triage`, wherever it stands in the status.
fn figure(status: &Value, name: &str) -> u64 {
    match status {
        Value::Object(members)
            if members.get("group").or_else(|| members.get("name"))
                == Some(&Value::from("triage")) =>
        {
            members
                .get(name)
                .and_then(Value::as_u64)
                .unwrap_or(u64::MAX)
        }
        Value::Object(members) => members
            .values()
            .map(|value| figure(value, name))
            .find(|n| *n != u64::MAX)
            .unwrap_or(u64::MAX),
        Value::Array(values) => values
            .iter()
            .map(|value| figure(value, name))
            .find(|n| *n != u64::MAX)
            .unwrap_or(u64::MAX),
        _ => u64::MAX,
    }
}
