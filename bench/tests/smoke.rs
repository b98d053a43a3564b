//! The benchmark program works; how fast anything is, is not a test's business.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::process::Command;

use serde_json::Value;

fn json(program: &str, arguments: &[&str]) -> Value {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_contender_relays_all_its_messages_and_the_results_have_their_members() {
    let written = tempfile::tempdir().unwrap();
    let directory = written.path().to_str().unwrap();
    let report = json(
        env!("CARGO_BIN_EXE_relay"),
        &[
            "--messages=3000",
            "--rounds=1",
            "--no-peers",
            "--latency-seconds=1",
            "--latency-rates=1000",
            "--output=json",
            "--write",
            directory,
        ],
    );
    for ratio in [
        "ratio_to_bare",
        "ratio_to_script",
        "observed_to_runtime",
        "p99_to_bare",
    ] {
        assert!(report[ratio].as_f64().unwrap() > 0.0, "{ratio}: {report}");
    }
    // That each message has one result is made sure by the program itself, which fails if it is not so.
    let rounds = report["rounds"].as_array().unwrap();
    let names = [
        "bare",
        "script",
        "script2",
        "runtime",
        "runtime-default",
        "observed",
    ];
    for name in names {
        let own = rounds.iter().find(|round| round["contender"] == name);
        assert_eq!(own.unwrap()["messages"], 3000, "{name}");
        for figure in [
            "messages_per_second",
            "worker_cpu_us",
            "redis_cpu_us",
            "worker_max_rss_mb",
        ] {
            let median = report["medians"][name][figure].as_f64();
            assert!(median.unwrap() > 0.0, "{figure} of {name}: {report}");
        }
    }
    assert_eq!(rounds.len(), names.len());
    assert!(report["ratio_to_fastest_peer"].is_null());
    let latency = report["latency"].as_array().unwrap();
    assert_eq!(latency.len(), 2, "two contenders at one rate");
    for at in latency {
        let p50 = |to: &str| at[to]["p50_us"].as_f64().unwrap();
        assert!(
            0.0 < p50("to_handler") && p50("to_handler") <= p50("to_result"),
            "{at}"
        );
    }
    for member in ["cpu", "cores", "kernel", "redis", "rustc"] {
        assert!(!report["machine"][member].is_null(), "{member}");
    }
    let kept = std::fs::read(written.path().join("relay.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&kept).unwrap(), report);
    let table = std::fs::read_to_string(written.path().join("relay.md")).unwrap();
    assert!(
        names
            .iter()
            .all(|name| table.contains(&format!("| {name} "))),
        "{table}"
    );
}

#[test]
fn every_way_to_commit_leaves_each_message_with_one_result() {
    let costs = json(
        env!("CARGO_BIN_EXE_commit"),
        &["--messages=600", "--rounds=1", "--json"],
    );
    let costs = costs.as_array().unwrap();
    assert_eq!(costs.len(), 22, "eleven ways, without and with a file");
    for cost in costs {
        assert!(cost["redis_cpu_us"].as_f64().unwrap() > 0.0, "{cost}");
    }
}

#[test]
fn the_cost_of_a_message_is_shown_for_each_length_of_the_stream() {
    let steps = json(
        env!("CARGO_BIN_EXE_relay"),
        &["--linear", "--messages=2000", "--output=json"],
    );
    let lengths: Vec<_> = steps
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["messages"].as_u64())
        .collect();
    assert_eq!(lengths, [Some(20), Some(200), Some(2000)]);
}
