//! Messages go in, and what becomes of them is seen: publish, status, watch, dead letters.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeSet;

use support::{ERROR, Place, eventually, report};

fn stream(place: &Place, name: &str) -> serde_json::Value {
    let status = place.json(&["status", "--output", "json"]);
    let streams = status["streams"].as_array().unwrap();
    streams
        .iter()
        .find(|stream| stream["stream"] == name)
        .unwrap()
        .clone()
}

#[test]
fn a_report_of_a_thousand_failures_is_published_in_one_command_and_triaged_once() {
    let place = Place::with_redis();
    place.file("tests/test_x.py", "");
    place.file("report.xml", &report(1000));
    let arguments = [
        "publish",
        "--junit",
        "report.xml",
        "--correlation-id",
        "build-7",
        "--python",
        "3.11",
        "--",
        "python",
        "-m",
        "pytest",
    ];
    let first = place.lines(&arguments);
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 1000);
    assert_eq!(
        place.lines(&arguments),
        first,
        "the same report has the same ids"
    );
    assert_eq!(stream(&place, "automation:errors")["length"], 2000);

    let triage = place.start("triage", &["worker", "triage"]);
    let ended = place.run(&[
        "watch",
        "--correlation",
        "build-7",
        "--type",
        "error.triaged",
        "--until",
        "1000",
        "--timeout",
        "60s",
        "--output",
        "json",
    ]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let results: Vec<serde_json::Value> = ended
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let tests: BTreeSet<_> = results
        .iter()
        .map(|result| result["data"]["test"]["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(tests.len(), 1000);
    assert!(tests.contains("tests/test_x.py::test_999"));
    // The second thousand has no effect: when nothing is left to do, there are no more results than the first made.
    eventually("nothing waits", || {
        let group = stream(&place, "automation:errors")["groups"][0].clone();
        (group["lag"] == 0 && group["pending"] == 0).then_some(())
    });
    assert_eq!(stream(&place, "automation:results")["length"], 1000);
    assert_eq!(triage.stop(), 0);
}

#[test]
fn what_cannot_be_handled_is_listed_shown_replayed_and_dropped() {
    let place = Place::with_redis();
    let bad = [
        "publish",
        "--no-validate",
        "--type",
        "error.reported",
        "--data",
        "{\"kind\":1}",
        "--id",
    ];
    for id in ["one", "two"] {
        assert_eq!(place.lines(&[&bad[..], &[id]].concat()), [id]);
    }
    let triage = place.start("triage", &["worker", "triage"]);
    let letters = || -> Vec<serde_json::Value> {
        let lines = place.lines(&["dead", "list", "--output", "json"]);
        lines
            .iter()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    eventually("both are dead", || (letters().len() == 2).then_some(()));
    assert_eq!(letters()[0]["reason"], "invalid");
    let table = place.lines(&[
        "dead",
        "list",
        "--stream",
        "automation:errors",
        "--reason",
        "invalid",
    ]);
    assert_eq!(table.len(), 3, "{table:?}");
    assert!(
        table[1].contains("`data` at `$.kind`: expected one of"),
        "{table:?}"
    );
    assert!(
        place
            .lines(&["dead", "list", "--reason", "expired"])
            .is_empty()
    );
    assert!(
        place
            .lines(&["dead", "show", "one"])
            .join("\n")
            .contains("deadreason      invalid")
    );
    assert_eq!(triage.stop(), 0);

    let replayed = place.lines(&["dead", "replay", "one"]);
    assert!(
        replayed[0].contains("replayed to automation:errors as "),
        "{replayed:?}"
    );
    assert_eq!(letters().len(), 1);
    assert_eq!(stream(&place, "automation:errors")["groups"][0]["lag"], 1);
    assert_eq!(
        place
            .lines(&["dead", "drop", "--all", "--stream", "automation:errors"])
            .len(),
        1
    );
    assert!(letters().is_empty());
    let gone = place.run(&["dead", "show", "two"]);
    assert_eq!(gone.code, 1);
    assert!(
        gone.err
            .starts_with("maestro: no dead letter is named by `two`; "),
        "{gone:?}"
    );
}

#[test]
fn lines_are_published_in_bulk_and_a_bad_one_is_told_by_its_number() {
    let place = Place::with_redis();
    let good =
        |id: &str| format!("{{\"type\":\"error.reported\",\"id\":\"{id}\",\"data\":{ERROR}}}\n");
    let input = format!(
        "{}\n{{\"type\":\"error.reported\"}}\nnot json\n{}",
        good("a"),
        good("b")
    );
    let said = place.feed(&["publish", "--lines"], &input);
    assert_eq!(said.out, "a\nb\n");
    assert_eq!(said.code, 65);
    let sentences: Vec<&str> = said.err.lines().collect();
    assert_eq!(
        sentences[0],
        "maestro: line 3: member `data`: expected a JSON object, but found no such member"
    );
    assert!(
        sentences[1].starts_with("maestro: line 4: expected a JSON object, but found this: "),
        "{sentences:?}"
    );
    assert_eq!(
        sentences[2],
        "maestro: 2 lines were not published; the others were"
    );
    assert_eq!(stream(&place, "automation:errors")["length"], 2);

    let printed = place.feed(&["publish", "--lines", "--output", "json"], &good("c"));
    let json: serde_json::Value = serde_json::from_str(&printed.out).unwrap();
    assert_eq!(
        (&json["id"], &json["stream"]),
        (&"c".into(), &"automation:errors".into())
    );
}

#[test]
fn two_tenants_share_a_redis_and_do_not_see_each_other() {
    let place = Place::with_redis();
    let publish = [
        "publish",
        "--type",
        "error.reported",
        "--data",
        ERROR,
        "--id",
        "x",
        "--prefix",
    ];
    place.lines(&[&publish[..], &["acme:"]].concat());
    let length = |prefix: &str| {
        let status = place.json(&["status", "--output", "json", "--prefix", prefix]);
        status["streams"][1]["length"].clone()
    };
    assert_eq!(length("acme:"), 1);
    assert_eq!(length("other:"), 0);
}

#[test]
fn a_wait_that_is_too_short_ends_with_a_no() {
    let place = Place::with_redis();
    let said = place.run(&["watch", "--until", "1", "--timeout", "200ms"]);
    assert_eq!(said.code, 1);
    assert_eq!(
        said.err,
        "maestro: 0 of 1 had ended when the time was over; `maestro status` shows what is still on its way\n"
    );
}

#[test]
fn an_oversized_message_is_refused_before_it_is_sent() {
    let place = Place::with_redis();
    let long = ERROR.replace("assert 1 == 2", &"x".repeat(2 * 1024 * 1024));
    place.file("long.json", &long);
    let said = place.run(&[
        "publish",
        "--type",
        "error.reported",
        "--data",
        "@long.json",
    ]);
    assert_eq!(said.code, 65);
    assert!(said.err.contains("at most 1048576 are allowed"), "{said:?}");
    let forced = place.run(&[
        "publish",
        "--no-validate",
        "--type",
        "error.reported",
        "--data",
        "@long.json",
    ]);
    assert_eq!(forced.code, 65, "{forced:?}");
    assert_eq!(stream(&place, "automation:errors")["length"], 0);
}

#[test]
fn an_urgent_message_that_nobody_reads_is_kept_shown_and_warned_of_once() {
    let place = Place::with_redis();
    let publish = |more: &[&str]| {
        let all = [
            &["publish", "--type", "error.reported", "--data", ERROR],
            more,
        ]
        .concat();
        let said = place.run(&all);
        assert_eq!(said.code, 0, "{said:?}");
        said
    };
    publish(&["--id", "usual"]);
    assert!(stream(&place, "automation:errors").get("urgent").is_none());
    assert!(!place.lines(&["status"]).join("\n").contains("\n  urgent"));

    let said = publish(&["--id", "first", "--urgent"]);
    assert_eq!(said.out, "first\n");
    assert_eq!(said.err.lines().count(), 1, "{said:?}");
    assert!(
        said.err
            .starts_with("no consumer group reads the urgent lane of `automation:errors`; "),
        "{said:?}"
    );
    let status = place.lines(&["status"]).join("\n");
    assert!(
        status.contains("automation:errors, urgent lane: messages wait, and no worker of the group triage is alive"),
        "{status}"
    );

    let triage = place.start("triage", &["worker", "triage"]);
    eventually("it is triaged", || {
        let lane = stream(&place, "automation:errors")["urgent"]["groups"][0].clone();
        (lane["backlog"] == 0 && lane["alive"] == 1).then_some(())
    });
    let said = publish(&["--urgent", "--not-before", "2999-01-01T00:00:00Z"]);
    assert_eq!(said.err, "");
    eventually("it waits for its time", || {
        let stream = stream(&place, "automation:errors");
        (stream["urgent"]["delayed"] == 1 && stream["delayed"] == 0).then_some(())
    });
    let status = place.lines(&["status", "--consumers"]);
    let row = status.iter().find(|line| line.starts_with("  urgent"));
    let cells: Vec<&str> = row.unwrap().split_whitespace().collect();
    assert_eq!(
        cells,
        ["urgent", "2", "triage", "0", "0", "0", "-", "1", "1", "-"]
    );
    let lanes = |lane: &str| {
        status
            .iter()
            .filter(|line| line.contains(&format!("triage  {lane} ")))
            .count()
    };
    assert_eq!((lanes("usual"), lanes("urgent")), (1, 1), "{status:#?}");
    assert_eq!(triage.stop(), 0);
    let dry = publish(&["--urgent", "--dry-run"]);
    let dry: serde_json::Value = serde_json::from_str(&dry.out).unwrap();
    assert_eq!(dry["urgent"], true);
}
