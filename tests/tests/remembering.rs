//! What people decide is remembered by the whole fleet, counted once, and later heals go by it.

use maestro_tests::{Entry, Fleet, Project, Worker};
use serde_json::Value;

const REPORTED: &str = "maestro.error.reported.v1";
const COMPLETED: &str = "maestro.heal.completed.v1";

fn data(entry: &Entry) -> Value {
    serde_json::from_str(&entry["data"]).expect("JSON")
}

/// Reports the project's failure and waits for the verdict: the answer's id and data.
fn heal(fleet: &Fleet, project: &Project, workers: &[&Worker]) -> (String, Value) {
    let before = completed(fleet).len();
    let failure = project.failure("SyntaxError: expected ':'").to_string();
    fleet.ok(&["publish", "--type", REPORTED, "--data", "-"], &failure);
    fleet.wait_until("there is a verdict", |_| {
        let is_there = completed(fleet).len() > before;
        assert!(
            is_there || fleet.dead("automation:heal").is_empty(),
            "{}",
            workers
                .iter()
                .map(|worker| worker.log())
                .collect::<String>()
        );
        is_there
    });
    let answer = completed(fleet).pop().expect("a verdict");
    (answer["id"].clone(), data(&answer))
}

fn completed(fleet: &Fleet) -> Vec<Entry> {
    let entries = fleet.entries("automation:results");
    let is_verdict = |entry: &Entry| entry["type"] == COMPLETED;
    entries.into_iter().filter(is_verdict).collect()
}

/// Every repeat of the failure is healed anew.
fn fleet_of_repeats(fleet: &Fleet) -> (Worker, Worker) {
    (
        fleet.worker("triage", &["--triage-window", "1ms"]),
        fleet.worker("heal", &[]),
    )
}

#[test]
fn a_heal_that_was_applied_raises_the_confidence_of_the_next_and_one_that_was_rejected_is_not_offered_again()
 {
    let fleet = Fleet::start();
    let project = Project::new(fleet.directory(), "project").without_a_colon();
    let (triage, worker) = fleet_of_repeats(&fleet);
    let workers = [&triage, &worker];

    let (id, first) = heal(&fleet, &project, &workers);
    assert_eq!(first["verdict"], "healed", "{first:#}");
    let experience = &first["evidence"]["experience"];
    assert_eq!(experience["alike"]["accepted"], 0);
    assert_eq!(first["confidence"], experience["counted"]);

    let copy = Project::new(fleet.directory(), "copy").without_a_colon();
    let into = copy.root().display().to_string();
    fleet.ok(&["apply", &id, "--into", &into], "");
    let (id, second) = heal(&fleet, &project, &workers);
    assert_eq!(second["verdict"], "healed", "{second:#}");
    assert_eq!(second["fingerprint"], first["fingerprint"]);
    let experience = &second["evidence"]["experience"];
    assert_eq!(experience["alike"]["accepted"], 1);
    assert_eq!(experience["this"]["accepted"], 1);
    assert!(
        second["confidence"].as_f64() > first["confidence"].as_f64(),
        "{second:#}"
    );
    let shown = fleet.ok(&["show", &id], "");
    assert!(shown.contains("1 accepted, 0 rejected"), "{shown}");

    // The first acceptance was of the same repair; the last decision counts.
    let reason = "we keep Python 2 here";
    fleet.ok(
        &["verdict", &id, "reject", "--reason", reason, "--by", "ada"],
        "",
    );
    let (_, third) = heal(&fleet, &project, &workers);
    assert_ne!(third["verdict"], "healed", "{third:#}");
    assert!(third.get("patch").is_none(), "{third:#}");
    let caveats = third["evidence"]["caveats"].to_string();
    assert!(
        caveats.contains("ada turned the same repair of the same failure down")
            && caveats.contains("we keep Python 2 here"),
        "{third:#}"
    );
    let report: Value =
        serde_json::from_str(&fleet.ok(&["report", "--output", "json"], "")).expect("JSON");
    assert_eq!(report["calibration"]["decisions"], 2, "{report:#}");
    assert_eq!(report["strategies"][0]["rejected"], 1);
    assert_eq!(report["strategies"][0]["accepted"], 1);
    assert_eq!(report["days"][0]["healed"], 2);
}

#[test]
fn a_decision_is_counted_once_though_the_workers_that_take_it_in_are_killed() {
    let fleet = Fleet::start();
    let project = Project::new(fleet.directory(), "project").without_a_colon();
    let (triage, mut worker) = fleet_of_repeats(&fleet);
    let (id, first) = heal(&fleet, &project, &[&triage, &worker]);
    assert_eq!(first["verdict"], "healed", "{first:#}");
    worker.kill();
    for _ in 0..5 {
        fleet.ok(&["verdict", &id, "accept"], "");
        // A worker takes in what there is as soon as it has started. Wherever it is by then, it is killed.
        let mut killed = fleet.worker("heal", &[]);
        fleet.wait_until("it has started", |_| killed.log().contains("started"));
        killed.kill();
    }
    let worker = fleet.worker("heal", &["--lease", "2s"]);
    let (_, next) = heal(&fleet, &project, &[&triage, &worker]);
    let experience = &next["evidence"]["experience"];
    assert_eq!(experience["alike"]["accepted"], 1, "{next:#}");
    assert_eq!(experience["reported"], 2, "{next:#}");
    assert_eq!(fleet.entries("automation:results").len(), 2 + 2 + 5);
    let remembered: Vec<String> = redis::cmd("KEYS")
        .arg("{automation:results}:history*")
        .query(&mut fleet.redis())
        .expect("KEYS");
    assert_eq!(remembered.len(), 3, "{remembered:?}");
}
