//! `maestro ps`, over real workers that live, fall silent, end, and are of another version.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use serde_json::Value;
use support::{Place, Running, eventually};

fn worker(place: &Place, name: &str) -> Running {
    place.start(
        name,
        &["worker", "triage", "--concurrency", "3", "--lease", "2s"],
    )
}

fn replicas(place: &Place) -> Vec<Value> {
    let all = place.json(&["ps", "--output", "json"]);
    all["replicas"].as_array().unwrap().clone()
}

/// The replica of this process, once it is registered.
fn of(place: &Place, running: &Running) -> Value {
    eventually("it is registered", || {
        let all = replicas(place);
        all.into_iter().find(|one| one["process"] == running.pid())
    })
}

#[test]
fn a_living_replica_is_listed_and_one_that_ends_in_order_is_not() {
    let place = Place::with_redis();
    assert_eq!(
        place.run(&["ps"]).err,
        "no worker is registered; start some with `maestro up` or `maestro worker`\n"
    );
    let first = worker(&place, "first");
    let second = worker(&place, "second");
    let one = of(&place, &first);
    of(&place, &second);
    assert_eq!(one["kind"], "triage");
    assert_eq!(one["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(one["state"], "alive");
    assert_eq!(
        (&one["concurrency"], &one["pending"]),
        (&3.into(), &0.into())
    );
    let lines = place.lines(&["ps"]);
    assert_eq!(lines.len(), 3, "{lines:?}");
    let heading =
        "kind    replica  version  host  process  state  up  beat  at once  holds  oldest";
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(words(&lines[0]), words(heading));
    assert_eq!(first.stop(), 0);
    let left = replicas(&place);
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0]["process"], second.pid());
    assert_eq!(second.stop(), 0);
    assert_eq!(replicas(&place), [Value::Null; 0]);
}

#[test]
fn another_version_and_a_replica_that_fell_silent_with_a_message_are_named() {
    let place = Place::with_redis();
    let running = worker(&place, "new");
    let new = of(&place, &running);
    assert_eq!(place.lines(&["ps"]).len(), 2);

    // As a version before this one registers, which said less of itself.
    let now = place.redis(&["TIME"])[0]
        .as_str()
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1000;
    let registry = "{automation:errors}:workers";
    let register = |name: &str, at: u64, about: &str| {
        let field = format!("triage/{name}");
        place.redis(&["HSET", registry, &field, &format!("{at} {about}")]);
    };
    register("old", now, "elsewhere 12 0.0.9");
    let versions = &place.json(&["ps", "--output", "json"])["versions"];
    assert_eq!(versions["0.0.9"]["triage"], 1);
    let version = new["version"].as_str().unwrap();
    let lines = place.lines(&["ps"]);
    let skew = format!("versions differ: 0.0.9 (1 triage); {version} (1 triage)");
    assert_eq!(lines[3..], [skew]);

    // It reads a message in a group of its own, so that nobody takes it over, and was last heard of a minute ago.
    let id = place.redis(&["XADD", "automation:errors", "*", "type", "x", "data", "{}"]);
    let id = id.as_str().unwrap();
    place.redis(&["XGROUP", "CREATE", "automation:errors", "triage2", "0"]);
    place.redis(&[
        "XREADGROUP",
        "GROUP",
        "triage2",
        "lost",
        "STREAMS",
        "automation:errors",
        ">",
    ]);
    let about = format!("{} lost 13 {version} 4 60000", now - 60_000);
    place.redis(&["HSET", registry, "triage2/lost", &about]);
    let lines = place.lines(&["ps"]);
    let sentence = lines.last().unwrap();
    let begin = "triage2 lost has given no sign of life for 1 min ";
    assert!(sentence.starts_with(begin), "{sentence}");
    assert!(
        sentence.ends_with(&format!(" old: {id}; nobody is alive to take them over")),
        "{sentence}"
    );
    assert_eq!(running.stop(), 0);
}
