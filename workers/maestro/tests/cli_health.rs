//! `maestro health`, asked about real worker processes.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::time::{Duration, Instant};

use support::{Place, Running, Said, eventually, exists};

const AGE: Duration = Duration::from_secs(4);

fn worker(place: &Place) -> Running {
    let mut worker = place.start(
        "worker",
        &["worker", "triage", "--heartbeat-file", "heartbeat"],
    );
    eventually("it has begun", || {
        assert!(!worker.has_ended(), "{}", place.read("worker.err"));
        exists(place.path().join("heartbeat")).then_some(())
    });
    worker
}

fn health(place: &Place, more: &[&str]) -> Said {
    let age = format!("{}s", AGE.as_secs());
    let mut words = vec!["health", "--file", "heartbeat", "--max-age", &age];
    words.extend(more);
    place.run(&words)
}

fn is_ready(place: &Place) -> bool {
    health(place, &["--ready"]).code == 0
}

#[test]
fn a_worker_without_redis_stays_alive_and_is_not_ready_until_redis_is_back() {
    let mut place = Place::with_redis();
    let worker = worker(&place);
    eventually("it is ready", || is_ready(&place).then_some(()));
    place.server().kill();
    let said = eventually("it is not ready", || {
        let said = health(&place, &["--ready"]);
        (said.code != 0).then_some(said)
    });
    assert_eq!(
        (said.code, said.err.as_str()),
        (1, "maestro: not ready: triage is not connected to Redis\n")
    );
    // For longer than a loop may take.
    let start = Instant::now();
    while start.elapsed() < AGE + Duration::from_secs(2) {
        let said = health(&place, &[]);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(said.out.contains("not connected to Redis"), "{said:?}");
    }
    place.server().restart().unwrap();
    eventually("it is ready again", || is_ready(&place).then_some(()));
    assert_eq!(worker.stop(), 0);
    let said = health(&place, &[]);
    assert_eq!(
        (said.code, said.err.as_str()),
        (
            1,
            "maestro: there is no `heartbeat`: the worker has not begun, or has ended in order\n"
        )
    );
}

#[test]
fn a_worker_that_begins_and_ends_while_redis_is_away_is_alive_all_the_time() {
    let mut place = Place::with_redis();
    place.server().kill();
    let mut worker = worker(&place);
    let start = Instant::now();
    while start.elapsed() < AGE + Duration::from_secs(2) {
        let said = health(&place, &[]);
        assert_eq!(said.code, 0, "{said:?}");
    }
    assert_eq!(health(&place, &["--ready"]).code, 1);
    worker.signal("TERM");
    eventually("it ends", || worker.has_ended().then_some(()));
    assert!(!exists(place.path().join("heartbeat")));
}

#[test]
fn a_worker_that_is_frozen_or_killed_is_seen() {
    let place = Place::with_redis();
    let worker = worker(&place);
    eventually("it is ready", || is_ready(&place).then_some(()));
    worker.signal("STOP");
    let pid = worker.pid();
    let said = eventually("it is taken for dead", || {
        let said = health(&place, &[]);
        (said.code == 1).then_some(said)
    });
    // By the age of the file, or by what it says of the loop, whichever comes first.
    let process = format!("process {pid} ");
    assert!(
        said.err.contains(&process) && said.err.contains("hangs"),
        "{said:?}"
    );
    worker.signal("CONT");
    eventually("it lives again", || {
        (health(&place, &[]).code == 0).then_some(())
    });
    worker.kill();
    eventually("it is taken for dead", || {
        (health(&place, &[]).code == 1).then_some(())
    });
}

#[test]
fn health_without_a_file_says_how_to_name_one() {
    let place = Place::bare();
    let said = place.run(&["health"]);
    assert_eq!(
        (said.code, said.err.as_str()),
        (
            2,
            "maestro: no heartbeat file is named; name it with --file or MAESTRO_HEARTBEAT_FILE, for the worker and for this\n"
        )
    );
    place.file("heartbeat", "something else");
    let said = health(&place, &[]);
    assert_eq!(
        (said.code, said.err.as_str()),
        (1, "maestro: `heartbeat` is no heartbeat file\n")
    );
}
