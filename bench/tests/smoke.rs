//! The benchmark program works; how fast anything is, is not a test's business.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::process::Command;

use serde_json::Value;

fn relay(arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_relay"))
        .args(arguments)
        .args(["--output", "json"])
        .output()
        .unwrap();
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
    let report = relay(&[
        "--messages",
        "3000",
        "--no-peers",
        "--latency-seconds",
        "1",
        "--rounds",
        "1",
        "--write",
        directory,
    ]);
    for ratio in ["ratio_to_bare", "ratio_to_script", "p99_to_bare"] {
        assert!(report[ratio].as_f64().unwrap() > 0.0, "{ratio}: {report}");
    }
    // That each message has one result is made sure by the program itself, which fails if it is not so.
    let rounds = report["rounds"].as_array().unwrap();
    let names = ["bare", "script", "script2", "runtime", "runtime-default"];
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
    assert_eq!(latency.len(), 4, "two contenders at two rates");
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
