//! One flow is one trace, from its producer's span through every worker to the results; and JSON logs name it.

use maestro_monitoring::Collector;
use maestro_tests::{Fleet, Project};
use serde_json::Value;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PRODUCER: &str = "00f067aa0ba902b7";

fn of(worker: &str) -> impl Fn(&Value) -> bool {
    move |span| {
        let attributes = span["attributes"].as_array().into_iter().flatten();
        attributes.into_iter().any(|attribute| {
            attribute["key"] == "messaging.consumer.group.name"
                && attribute["value"]["stringValue"] == worker
        })
    }
}

#[test]
fn a_flow_is_one_trace_from_its_producer_to_its_results() {
    let fleet = Fleet::start();
    let collector = Collector::start(&[]);
    let target = format!("http://{}", collector.address());
    let traced = ["--traces-target", &target, "--log-format", "json"];
    let (triage, heal) = (
        fleet.worker("triage", &traced),
        fleet.worker("heal", &traced),
    );
    let project = Project::new(fleet.directory(), "project").without_a_colon();
    let failure = project.failure("SyntaxError: expected ':'");
    let parent = format!("00-{TRACE}-{PRODUCER}-01");
    let kind = "maestro.error.reported.v1";
    let arguments = ["publish", "--type", kind, "--data", "-", "--id", "traced"];
    let arguments = [&arguments[..], &["--traceparent", &parent]].concat();
    fleet.ok(&arguments, &failure.to_string());

    let triaged = collector.span(of("triage"));
    assert_eq!(triaged["traceId"], TRACE);
    assert_eq!(triaged["parentSpanId"], PRODUCER);
    let asked = &fleet.await_entries("automation:heal", 1, &[&triage])[0];
    let span = triaged["spanId"].as_str().expect("a span");
    assert_eq!(asked["traceparent"], format!("00-{TRACE}-{span}-01"));

    let healed = collector.span(of("heal"));
    assert_eq!(healed["traceId"], TRACE);
    assert_eq!(healed["parentSpanId"], span);
    let span = healed["spanId"].as_str().expect("a span");
    let results = fleet.await_entries("automation:results", 2, &[&heal]);
    let last = results.last().expect("a result");
    assert_eq!(last["traceparent"], format!("00-{TRACE}-{span}-01"));

    // What a log reader needs to find all of it.
    let log = triage.log();
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let handled = lines.into_iter().find(|line| line["message"] == "handled");
    let handled = handled.unwrap_or_else(|| panic!("no such line in\n{log}"));
    for (member, expected) in [
        ("correlation", "traced"),
        ("stream", "automation:errors"),
        ("outcome", "done"),
    ] {
        assert_eq!(handled[member], expected, "{handled}");
    }
    assert!(
        handled["entry"]
            .as_str()
            .is_some_and(|entry| entry.contains('-')),
        "{handled}"
    );
}

#[test]
fn without_a_target_a_trace_context_is_carried_on_as_it_came() {
    let fleet = Fleet::start();
    let triage = fleet.worker("triage", &[]);
    let project = Project::new(fleet.directory(), "project").without_a_colon();
    let failure = project.failure("SyntaxError: expected ':'");
    let parent = format!("00-{TRACE}-{PRODUCER}-01");
    let kind = "maestro.error.reported.v1";
    let arguments = [
        "publish",
        "--type",
        kind,
        "--data",
        "-",
        "--traceparent",
        &parent,
    ];
    fleet.ok(&arguments, &failure.to_string());
    let asked = &fleet.await_entries("automation:heal", 1, &[&triage])[0];
    assert_eq!(asked["traceparent"], parent);
}

#[test]
fn a_storm_of_broken_messages_is_dead_letters_and_few_log_lines() {
    const STORM: usize = 3000;
    let fleet = Fleet::start();
    let triage = fleet.worker("triage", &["--log-rate", "20"]);
    let mut storm = redis::pipe();
    for _ in 0..STORM {
        storm.cmd("XADD").arg("automation:errors").arg("*");
        storm
            .arg("type")
            .arg("maestro.error.reported.v1")
            .arg("data")
            .arg("{")
            .ignore();
    }
    storm.query::<()>(&mut fleet.redis()).expect("XADD");
    let dead = fleet.await_entries("{automation:errors}:dead", STORM, &[&triage]);
    assert_eq!(dead.len(), STORM);
    let lines = triage.log().lines().count();
    assert!(lines < STORM / 4, "{lines} lines for {STORM} messages");
}
