//! A failing test goes in, a proven diff comes out: the whole path through real worker processes.

use maestro_tests::{Entry, Fleet, PATIENCE, Project, listening};
use serde_json::{Value, json};
use std::time::Instant;

const REPORTED: &str = "maestro.error.reported.v1";
const REQUESTED: &str = "maestro.heal.requested.v1";

fn publish(fleet: &Fleet, kind: &str, data: &Value) -> String {
    fleet
        .ok(
            &["publish", "--type", kind, "--data", "-"],
            &data.to_string(),
        )
        .trim()
        .to_owned()
}

fn data(entry: &Entry) -> Value {
    serde_json::from_str(&entry["data"]).expect("JSON")
}

fn of_type<'a>(entries: &'a [Entry], kind: &str) -> Vec<&'a Entry> {
    entries
        .iter()
        .filter(|entry| entry["type"] == kind)
        .collect()
}

#[test]
fn a_reported_failure_is_triaged_healed_shown_and_applied() {
    let fleet = Fleet::start();
    let project = Project::new(fleet.directory(), "project").without_a_colon();
    let triage = fleet.worker("triage", &[]);
    let heal = fleet.worker("heal", &[]);
    publish(
        &fleet,
        REPORTED,
        &project.failure("SyntaxError: expected ':'"),
    );

    let results = fleet.await_entries("automation:results", 2, &[&triage, &heal]);
    let triaged = data(of_type(&results, "maestro.error.triaged.v1")[0]);
    assert_eq!(triaged["decision"], "heal", "{triaged}");
    let answer = of_type(&results, "maestro.heal.completed.v1")[0];
    let healed = data(answer);
    assert_eq!(healed["verdict"], "healed", "{healed:#}");
    assert_eq!(healed["strategy"], "syntax_repair");
    assert_eq!(healed["touches"], json!(["test"]));
    assert_eq!(healed["evidence"]["reproduced"], "2/2");
    assert_eq!(healed["evidence"]["after"], "3/3");
    let patch = healed["patch"].as_str().expect("a patch");
    assert!(patch.contains("+    def test_sum(self):\n"), "{patch}");

    let id = answer["id"].as_str();
    let shown = fleet.ok(&["show", id], "");
    assert!(
        shown.contains("healed") && shown.contains("test_adder.py"),
        "{shown}"
    );
    let root = project.root().display().to_string();
    fleet.ok(&["apply", id, "--into", &root], "");
    let passed = std::process::Command::new("python3")
        .args(["-m", "unittest", "test_adder"])
        .current_dir(project.root())
        .status()
        .expect("python3 runs");
    assert!(passed.success());
}

#[test]
fn a_broken_product_is_refused_and_nothing_is_offered() {
    let fleet = Fleet::start();
    let project = Project::new(fleet.directory(), "project").with_a_broken_product();
    let heal = fleet.worker("heal", &[]);
    publish(
        &fleet,
        REQUESTED,
        &project.failure("AssertionError: -1 != 3"),
    );
    let results = fleet.await_entries("automation:results", 1, &[&heal]);
    let refused = data(&results[0]);
    assert_eq!(refused["verdict"], "refused", "{refused:#}");
    assert!(refused.get("patch").is_none());
    let reason = refused["reason"].as_str().expect("a reason");
    assert!(reason.contains("-1") && reason.contains('3'), "{reason}");
}

#[test]
fn a_heal_whose_worker_is_killed_is_finished_by_another_replica_once() {
    let fleet = Fleet::start();
    // The run takes long enough to be caught in the middle.
    let project = Project::new(fleet.directory(), "project").without_a_colon();
    let slow = std::fs::read_to_string(project.root().join("test_adder.py")).expect("a file");
    let project = project
        .file("slow.py", "import time\ntime.sleep(2)\n")
        .file("test_adder.py", &format!("{slow}\nimport slow\n"));
    let mut first = fleet.worker("heal", &["--lease", "2s"]);
    publish(
        &fleet,
        REQUESTED,
        &project.failure("SyntaxError: expected ':'"),
    );
    fleet.wait_until("the first worker has the message", |redis| {
        pending(redis, "automation:heal", "heal") == 1
    });
    let began = Instant::now();
    while !is_running(first.pid()) {
        assert!(
            began.elapsed() < PATIENCE,
            "no test was run: {}",
            first.log()
        );
        std::thread::yield_now();
    }
    first.kill();
    let second = fleet.worker("heal", &["--lease", "2s"]);
    let results = fleet.await_entries("automation:results", 1, &[&second]);
    assert_eq!(data(&results[0])["verdict"], "healed", "{}", second.log());
    fleet.wait_until("nothing is pending", |redis| {
        pending(redis, "automation:heal", "heal") == 0
    });
    assert_eq!(fleet.entries("automation:results").len(), 1);
    assert!(fleet.dead("automation:heal").is_empty());
}

#[test]
fn no_worker_listens_on_anything() {
    let fleet = Fleet::start();
    let project = Project::new(fleet.directory(), "project").without_a_colon();
    let triage = fleet.worker("triage", &[]);
    let heal = fleet.worker("heal", &[]);
    publish(
        &fleet,
        REPORTED,
        &project.failure("SyntaxError: expected ':'"),
    );
    fleet.await_entries("automation:results", 2, &[&triage, &heal]);
    for worker in [&triage, &heal] {
        assert_eq!(listening(worker.pid()), Vec::<String>::new());
    }
}

#[test]
fn a_worker_that_is_told_to_stop_leaves_its_group_clean() {
    let fleet = Fleet::start();
    let mut triage = fleet.worker("triage", &[]);
    let project = Project::new(fleet.directory(), "project").green();
    publish(&fleet, REPORTED, &project.failure("boom"));
    fleet.await_entries("automation:results", 1, &[&triage]);
    assert!(triage.terminate().success(), "{}", triage.log());
    let consumers: Vec<redis::Value> = redis::cmd("XINFO")
        .arg(&["CONSUMERS", "automation:errors", "triage"])
        .query(&mut fleet.redis())
        .expect("XINFO");
    assert!(consumers.is_empty(), "{consumers:?}");
}

fn pending(redis: &mut redis::Connection, stream: &str, group: &str) -> usize {
    redis::cmd("XPENDING")
        .arg(&[stream, group])
        .query::<(usize, redis::Value, redis::Value, redis::Value)>(redis)
        .map_or(0, |(count, ..)| count)
}

/// Whether a process has a child that runs a test: the sandbox's command line names the probe.
fn is_running(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    // proc_pid_task(5): a child belongs to the thread that started it.
    let children =
        threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    children
        .collect::<String>()
        .split_whitespace()
        .any(|child| {
            std::fs::read_to_string(format!("/proc/{child}/cmdline"))
                .is_ok_and(|line| line.contains("maestro_unittest_probe"))
        })
}
