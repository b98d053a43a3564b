//! How messages are delivered, through real worker processes: urgent ones, ordered ones, scheduled ones, not too many.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use maestro_tests::{Entry, Fleet, Project};
use serde_json::{Value, json};

const REPORTED: &str = "maestro.error.reported.v1";

fn failure(fleet: &Fleet) -> Value {
    let project = Project::new(fleet.directory(), "project").without_a_colon();
    project.failure("SyntaxError: expected ':'")
}

/// Publishes one error, with further arguments.
fn publish(fleet: &Fleet, data: &Value, more: &[&str]) {
    let all = [&["publish", "--type", REPORTED, "--data", "-"], more].concat();
    fleet.ok(&all, &data.to_string());
}

/// Publishes errors with these ids and a partition key each.
fn publish_keyed(fleet: &Fleet, data: &Value, messages: impl Iterator<Item = (String, String)>) {
    let lines: Vec<String> = messages
        .map(|(id, key)| {
            json!({ "type": REPORTED, "id": id, "partitionkey": key, "data": data }).to_string()
        })
        .collect();
    fleet.ok(&["publish", "--lines"], &lines.join("\n"));
}

/// Which errors the results are about, in their order.
fn causes(results: &[Entry]) -> Vec<&str> {
    results
        .iter()
        .map(|entry| entry["causationid"].as_str())
        .collect()
}

#[test]
fn an_urgent_error_asks_for_its_heal_by_the_urgent_lane() {
    let fleet = Fleet::start();
    let data = failure(&fleet);
    let triage = fleet.worker("triage", &[]);
    publish(&fleet, &data, &["--id", "now", "--urgent"]);
    let requests = fleet.await_entries("{automation:heal}:urgent", 1, &[&triage]);
    assert_eq!(requests[0]["type"], "maestro.heal.requested.v1");
    assert_eq!(causes(&requests), ["now"]);
    assert!(fleet.entries("automation:heal").is_empty());
    assert!(fleet.entries("automation:errors").is_empty());
    // Nobody of ours reads the results: they have one lane, where everybody looks.
    let results = fleet.await_entries("automation:results", 1, &[&triage]);
    assert_eq!(causes(&results), ["now"]);
}

#[test]
fn errors_of_one_partition_key_are_triaged_in_their_order_by_two_replicas() {
    let fleet = Fleet::start();
    let data = failure(&fleet);
    let ids = |key: &str| (0..60).map(|n| format!("{key}-{n}")).collect::<Vec<_>>();
    let (one, other) = (ids("one"), ids("other"));
    let both = one.iter().zip(&other);
    let messages = both.flat_map(|(a, b)| [(a.clone(), "one".into()), (b.clone(), "other".into())]);
    publish_keyed(&fleet, &data, messages);
    let first = fleet.worker("triage", &[]);
    let second = fleet.worker("triage", &[]);
    let results = fleet.await_entries("automation:results", 120, &[&first, &second]);
    for (key, expected) in [("one", &one), ("other", &other)] {
        let mut seen = causes(&results);
        seen.retain(|cause| cause.starts_with(&format!("{key}-")));
        assert_eq!(&seen, expected);
    }
}

#[test]
fn an_error_that_is_not_yet_due_waits_and_others_go_on() {
    let fleet = Fleet::start();
    let data = failure(&fleet);
    let triage = fleet.worker("triage", &[]);
    let due = Timestamp::now() + Duration::from_secs(4);
    let text = due.to_string();
    publish(&fleet, &data, &["--id", "later", "--not-before", &text]);
    publish(&fleet, &data, &["--id", "at-once"]);
    let results = fleet.await_entries("automation:results", 2, &[&triage]);
    assert_eq!(causes(&results), ["at-once", "later"]);
    assert!(Timestamp::now() >= due);
}

#[test]
fn a_rate_limit_of_the_file_holds_for_all_replicas_together() {
    let fleet = Fleet::start();
    let data = failure(&fleet);
    let file = fleet.directory().join("fleet.yaml");
    std::fs::write(&file, "triage:\n  rate_limit: 5/s burst 1\n").expect("a file");
    let file = file.display().to_string();
    publish_keyed(
        &fleet,
        &data,
        (0..11).map(|n| (n.to_string(), n.to_string())),
    );
    let began = Instant::now();
    let first = fleet.worker("triage", &["--config", &file]);
    let second = fleet.worker("triage", &["--config", &file]);
    fleet.await_entries("automation:results", 11, &[&first, &second]);
    // The first at once, and ten more a fifth of a second apart.
    assert!(
        began.elapsed() >= Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
}
