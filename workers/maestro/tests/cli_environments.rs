//! Environments, asked for and followed through the streams. The workers' part is played by what the tests append.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use serde_json::{Value, json};

use support::{Place, Running, Said, eventually};

const SPEC: &str =
    "app:\n  image: shop:1\n  port: 8080\ndatabase: postgresql\ndatabase_version: 17\n";
const TESTED_SPEC: &str =
    "app: {image: shop:1}\ntest: {image: shop-tests:1, command: [pytest, -q], timeout_s: 60}\n";

/// A result in a worker's name, now or at a time in milliseconds.
fn say(place: &Place, at: &str, kind: &str, more: &[&str], data: &Value) {
    let (kind, data) = (format!("maestro.environment.{kind}.v1"), data.to_string());
    let mut words = vec!["XADD", "k8s:results", at, "type", &kind, "data", &data];
    words.extend(more);
    place.redis(&words);
}

/// A change of the phase.
fn phase(place: &Place, at: &str, id: &str, name: &str, more: Value) {
    let mut data = json!({"environment": id, "namespace": format!("maestro-{id}"), "phase": name});
    let Value::Object(more) = more else {
        unreachable!()
    };
    data.as_object_mut().unwrap().extend(more);
    say(place, at, "status", &[], &data);
}

fn deleted(place: &Place, at: &str, id: &str, more: &[&str]) {
    let data = json!({"environment": id, "namespace": format!("maestro-{id}"), "cause": "requested", "lived_s": 90});
    say(place, at, "deleted", more, &data);
}

fn tested(id: &str, outcome: &str) -> Value {
    json!({
        "environment": id, "namespace": format!("maestro-{id}"), "outcome": outcome, "exit_code": 1,
        "tests": {"passed": 10, "failed": 2, "errors": 0, "skipped": 1}, "reported": 2, "duration_ms": 3400,
        "failures": [
            {"id": "tests/test_x.py::test_a", "message": "assert 1 == 2\nmore"},
            {"id": "tests/test_x.py::test_b", "message": "KeyError"},
        ],
        "log": {"head": "first\n", "omitted_bytes": 4096, "tail": "last"},
    })
}

fn dead_letter(place: &Place, stream: &str, id: &str) {
    let dead = format!("{{{stream}}}:dead");
    let words = [
        "XADD",
        &dead,
        "*",
        "type",
        "maestro.environment.requested.v1",
        "id",
        id,
        "data",
        "{}",
        "deadreason",
        "refused",
        "deaddetail",
        "there is no template `kafka`",
    ];
    place.redis(&words);
}

/// The messages of a stream: their fields, `data` as JSON.
fn messages(place: &Place, stream: &str) -> Vec<Value> {
    let entries = place.redis(&["XRANGE", stream, "-", "+"]);
    let entries = entries.as_array().unwrap().iter();
    entries
        .map(|entry| {
            let fields = entry[1].as_array().unwrap();
            let mut message = json!({});
            for pair in fields.chunks(2) {
                let text = pair[1].as_str().unwrap();
                let name = pair[0].as_str().unwrap();
                message[name] = match name {
                    "data" => serde_json::from_str(text).unwrap(),
                    _ => text.into(),
                };
            }
            message
        })
        .collect()
}

/// What waits in the stream, as soon as it does.
fn asked(place: &Place, stream: &str) -> Value {
    eventually(stream, || messages(place, stream).pop())
}

fn up(place: &Place, more: &[&str]) -> Running {
    let all = [&["env", "up", "-f", "spec.yaml"], more].concat();
    place.start("up", &all)
}

fn has(said: &Said, code: i32, sentence: &str) {
    assert_eq!(said.code, code, "{said:?}");
    assert!(said.err.contains(sentence), "{said:?}");
}

/// Lines without the times that they begin with.
fn told(text: &str) -> Vec<String> {
    let lines = text.lines();
    lines
        .map(|line| line.get(14..).unwrap_or(line).trim_end().to_owned())
        .collect()
}

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_place_and_nothing_is_published() {
    let place = Place::with_redis();
    let cases = [
        (
            "app:\n  imge: x\n",
            "maestro: spec.yaml:2:3: `$.app`: unknown key `imge`; expected one of `command`, `env`, `health_path`, `image`, `port`, `replicas`, `resources`; ",
        ),
        (
            "app:\n  image: x\n  port: 70000\n",
            "maestro: spec.yaml:3:9: `$.app.port`: expected ",
        ),
        (
            "database: postgres\n",
            "maestro: spec.yaml:1:11: `$.database`: expected ",
        ),
        (
            "redis: true\ntest:\n  command: [a]\n",
            "maestro: spec.yaml:3:3: `$.test.image`: expected ",
        ),
        (
            "{\"quota\": {\"cpu\": 4}}",
            "maestro: spec.yaml:1:19: `$.quota.cpu`: expected ",
        ),
        ("app: [\n", "maestro: spec.yaml:"),
        ("- app\n", "maestro: spec.yaml:1:1: `$`: expected an object"),
        ("", "maestro: spec.yaml:"),
        ("redis: true\nredis: false\n", "maestro: spec.yaml:2:1: "),
    ];
    for (text, sentence) in cases {
        place.file("spec.yaml", text);
        let said = place.run(&["env", "up", "-f", "spec.yaml"]);
        assert_eq!(said.code, 65, "{text}: {said:?}");
        assert!(said.err.starts_with(sentence), "{text}: {said:?}");
        assert_eq!((said.err.lines().count(), said.out.as_str()), (1, ""));
    }
    let piped = place.feed(&["env", "up", "-f", "-"], "databse: mysql");
    has(&piped, 65, "maestro: standard input:1:1: `$`: unknown key");

    place.file("spec.yaml", SPEC);
    let run = |more: &[&str]| place.run(&[&["env", "up", "-f", "spec.yaml"], more].concat());
    has(
        &run(&["--wait", "tested"]),
        2,
        "expected a file with a `test`, but it has none",
    );
    has(
        &run(&["--ttl", "721h"]),
        2,
        "`--ttl`: expected whole seconds, from `1s` to `720h`, but found",
    );
    has(&run(&["--id", ""]), 2, "`--id`: expected an id");
    has(
        &place.run(&["env", "up", "-f", "gone.yaml"]),
        74,
        "maestro: `gone.yaml` cannot be read: ",
    );
    assert!(messages(&place, "k8s:provision").is_empty());
}

#[test]
fn the_file_is_the_payload_and_a_request_that_is_not_followed_prints_its_id() {
    let place = Place::with_redis();
    place.file("spec.yaml", SPEC);
    let detach = ["env", "up", "-f", "spec.yaml", "--ttl", "2h", "--detach"];
    let ids = [place.lines(&detach), place.lines(&detach)].concat();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
    let sent = messages(&place, "k8s:provision");
    assert_eq!(sent[0]["id"], ids[0].as_str());
    assert_eq!(sent[0]["type"], "maestro.environment.requested.v1");
    assert_eq!(
        sent[0]["data"],
        json!({"app": {"image": "shop:1", "port": 8080}, "database": "postgresql", "database_version": "17", "ttl_s": 7200})
    );
    let json = r#"{"redis": true}"#;
    let arguments = [
        "env", "up", "-f", "-", "--id", "x", "--detach", "-o", "json",
    ];
    let said = place.feed(&arguments, json);
    let printed: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (&printed["id"], &printed["stream"]),
        (&"x".into(), &"k8s:provision".into())
    );
    let dry = place.json(&["env", "up", "-f", "spec.yaml", "--dry-run"]);
    assert_eq!(dry["fields"]["data"]["database_version"], "17");
    assert_eq!(messages(&place, "k8s:provision").len(), 3);
}

#[test]
fn every_phase_is_a_line_until_the_environment_is_ready() {
    let place = Place::with_redis();
    place.file("spec.yaml", SPEC);
    let running = up(&place, &["--id", "shop-1"]);
    asked(&place, "k8s:provision");
    phase(&place, "*", "other", "failed", json!({"reason": "Nothing"}));
    phase(&place, "*", "shop-1", "accepted", json!({}));
    let provisioning = json!({"detail": "waiting for postgresql"});
    phase(&place, "*", "shop-1", "provisioning", provisioning.clone());
    // Another worker took over.
    phase(&place, "*", "shop-1", "provisioning", provisioning);
    let ready = json!({
        "endpoints": {"app": "http://app:8080", "database": "postgresql:5432"}, "secret": "credentials",
        "expires_at": "2000-01-01T00:00:00Z", "detail": "all is well\u{1b}[2J",
    });
    phase(&place, "*", "shop-1", "ready", ready);
    assert_eq!(running.end(), 0);
    let out = place.read("up.out");
    let (first, rest) = out.split_once('\n').unwrap();
    assert_eq!(first, "environment shop-1");
    let mut lines = told(rest);
    let until = lines.pop().unwrap();
    assert!(
        until.starts_with("until          2000-01-01T00:00:00Z ("),
        "{until}"
    );
    assert_eq!(
        lines,
        [
            "accepted       namespace maestro-shop-1",
            "provisioning   waiting for postgresql",
            "ready          all is well\\u{1b}[2J",
            "endpoint       app  http://app:8080",
            "endpoint       database  postgresql:5432",
            "secret         credentials in namespace maestro-shop-1",
        ]
    );
    assert_eq!(place.read("up.err"), "");
}

#[test]
fn tests_decide_the_exit_code_and_json_is_one_message_a_line() {
    let place = Place::with_redis();
    place.file("spec.yaml", TESTED_SPEC);
    for (id, outcome, code) in [
        ("good", "passed", 0),
        ("bad", "failed", 4),
        ("slow", "timed_out", 4),
    ] {
        let running = up(&place, &["--id", id]);
        eventually("the request", || {
            let all = messages(&place, "k8s:provision");
            all.iter().find(|sent| sent["id"] == id).cloned()
        });
        phase(&place, "*", id, "ready", json!({}));
        phase(&place, "*", id, "testing", json!({}));
        phase(&place, "*", id, "tested", json!({}));
        say(&place, "*", "tested", &[], &tested(id, outcome));
        assert_eq!(running.end(), code, "{}", place.read("up.err"));
    }
    let running = up(&place, &["--id", "json", "--output", "json"]);
    eventually("the request", || {
        (messages(&place, "k8s:provision").len() == 4).then_some(())
    });
    say(&place, "*", "tested", &[], &tested("json", "failed"));
    assert_eq!(running.end(), 4);
    let out = place.read("up.out");
    let lines: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["id"], "json");
    assert_eq!(lines[1]["type"], "maestro.environment.tested.v1");
    assert_eq!(
        place.read("up.err"),
        "maestro: the tests of `json` failed; `maestro env logs json` prints their log\n"
    );

    let running = up(&place, &["--id", "words"]);
    eventually("the request", || {
        (messages(&place, "k8s:provision").len() == 5).then_some(())
    });
    say(&place, "*", "tested", &[], &tested("words", "failed"));
    assert_eq!(running.end(), 4);
    assert_eq!(
        told(place.read("up.out").split_once('\n').unwrap().1),
        [
            "tests failed   10 passed, 2 failed, 1 skipped in 3.4 s",
            "failed         tests/test_x.py::test_a: assert 1 == 2",
            "failed         tests/test_x.py::test_b: KeyError",
        ]
    );
}

#[test]
fn an_environment_that_fails_says_which_container_and_why() {
    let place = Place::with_redis();
    place.file("spec.yaml", TESTED_SPEC);
    let running = up(&place, &["--id", "a"]);
    asked(&place, "k8s:provision");
    let failure = json!({"object": "Pod/app-1", "container": "app", "exit_code": 3, "message": "back-off", "log": "one\ntwo\n"});
    let failed = json!({"reason": "CrashLoopBackOff", "detail": "the app does not stay up", "failure": failure});
    phase(&place, "*", "a", "failed", failed);
    assert_eq!(running.end(), 3);
    assert_eq!(
        told(place.read("up.out").split_once('\n').unwrap().1),
        [
            "failed         CrashLoopBackOff: the app does not stay up",
            "object         Pod/app-1",
            "container      app",
            "exit code      3",
            "message        back-off",
            "log            one",
            "               two",
        ]
    );
    assert_eq!(
        place.read("up.err"),
        "maestro: the environment `a` failed: CrashLoopBackOff: the app does not stay up; `maestro env show a` tells everything\n"
    );
}

#[test]
fn the_end_of_an_environment_can_be_waited_for_and_an_early_one_is_a_failure() {
    let place = Place::with_redis();
    place.file("spec.yaml", TESTED_SPEC);
    for (id, wait, outcome, code) in [
        ("a", "deleted", "passed", 0),
        ("b", "deleted", "failed", 4),
        ("c", "tested", "", 3),
    ] {
        let running = up(&place, &["--id", id, "--wait", wait]);
        eventually("the request", || {
            let all = messages(&place, "k8s:provision");
            all.iter().find(|sent| sent["id"] == id).cloned()
        });
        phase(&place, "*", id, "ready", json!({}));
        if !outcome.is_empty() {
            say(&place, "*", "tested", &[], &tested(id, outcome));
        }
        deleted(&place, "*", id, &[]);
        assert_eq!(running.end(), code, "{id}: {}", place.read("up.err"));
        assert!(
            place
                .read("up.out")
                .ends_with("requested; it lived 1 min 30 s\n")
        );
    }
    let err = place.read("up.err");
    assert!(
        err.contains("taken away before it was tested (requested)"),
        "{err}"
    );
}

#[test]
fn a_request_that_is_set_aside_is_told_at_once() {
    let place = Place::with_redis();
    place.file("spec.yaml", SPEC);
    let running = up(&place, &["--id", "a"]);
    asked(&place, "k8s:provision");
    dead_letter(&place, "k8s:provision", "somebody-else");
    dead_letter(&place, "k8s:provision", "a");
    assert_eq!(running.end(), 3);
    let err = place.read("up.err");
    assert!(
        err.starts_with("maestro: the request for `a` was set aside as refused: there is no template `kafka`; `maestro dead show "),
        "{err}"
    );
    // It stays that way for the id.
    let again = place.run(&["env", "up", "-f", "spec.yaml", "--id", "a"]);
    has(&again, 3, "was set aside as refused: ");
}

#[test]
fn a_time_that_is_too_short_tells_an_answer_from_none() {
    let place = Place::with_redis();
    place.file("spec.yaml", SPEC);
    let run = |id: &str| {
        place.run(&[
            "env",
            "up",
            "-f",
            "spec.yaml",
            "--id",
            id,
            "--timeout",
            "200ms",
        ])
    };
    let silent = run("silent");
    has(
        &silent,
        6,
        "maestro: nobody answered on `k8s:provision` within 200ms: no provision worker is running; see `maestro status`; ",
    );
    phase(&place, "*", "slow", "provisioning", json!({}));
    let slow = run("slow");
    has(
        &slow,
        5,
        "maestro: `slow` was not ready within 200ms; it is provisioning; it goes on: `maestro env show slow` tells how it is, `maestro env down slow` takes it away\n",
    );
}

#[test]
fn a_signal_ends_the_wait_and_says_how_to_take_the_environment_down() {
    let place = Place::with_redis();
    place.file("spec.yaml", SPEC);
    let running = up(&place, &["--id", "a"]);
    asked(&place, "k8s:provision");
    phase(&place, "*", "a", "accepted", json!({}));
    eventually("it follows", || {
        place.read("up.out").contains("accepted").then_some(())
    });
    assert_eq!(running.stop(), 130);
    let err = place.read("up.err");
    assert!(err.contains("`maestro env down a` takes it away"), "{err}");
}

#[test]
fn an_id_that_was_used_is_followed_while_its_environment_is_there_and_refused_afterwards() {
    let place = Place::with_redis();
    place.file("spec.yaml", SPEC);
    phase(&place, "*", "a", "accepted", json!({}));
    phase(&place, "*", "a", "ready", json!({}));
    let again = place.run(&["env", "up", "-f", "spec.yaml", "--id", "a"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert_eq!(
        told(&again.out)[1..],
        ["accepted       namespace maestro-a", "ready"]
    );
    assert!(again.err.contains("`a` was asked for before"), "{again:?}");
    deleted(&place, "*", "a", &[]);
    let gone = place.run(&["env", "up", "-f", "spec.yaml", "--id", "a"]);
    has(&gone, 1, "choose another --id");
    assert_eq!(messages(&place, "k8s:provision").len(), 1);
}

/// What the streams hold in the tests that read: environments in every state.
fn populated() -> Place {
    let place = Place::with_redis();
    place.file("spec.yaml", SPEC);
    place.file("tested.yaml", TESTED_SPEC);
    let ask = |file: &str, id: &str| {
        place.lines(&["env", "up", "-f", file, "--id", id, "--detach"]);
    };
    ask("spec.yaml", "shop-ready");
    ask("tested.yaml", "shop-tested");
    ask("spec.yaml", "waits");
    ask("spec.yaml", "refused");
    dead_letter(&place, "k8s:provision", "refused");
    phase(&place, "1000-0", "gone", "ready", json!({}));
    deleted(&place, "2000-0", "gone", &[]);
    phase(
        &place,
        "3000-0",
        "shop-ready",
        "accepted",
        json!({"expires_at": "2000-01-01T00:00:00Z"}),
    );
    let ready = json!({"endpoints": {"app": "http://app:8080"}, "secret": "credentials", "expires_at": "2000-01-01T00:00:00Z"});
    phase(&place, "4500-0", "shop-ready", "ready", ready);
    let extended = json!({"environment": "shop-ready", "namespace": "maestro-shop-ready", "granted": true, "expires_at": "2999-01-01T00:00:00Z"});
    say(&place, "5000-0", "extended", &[], &extended);
    let unknown = json!({"environment": "never", "namespace": "maestro-never", "granted": false});
    say(&place, "5001-0", "extended", &[], &unknown);
    phase(&place, "6000-0", "shop-tested", "testing", json!({}));
    say(
        &place,
        "7000-0",
        "tested",
        &[],
        &tested("shop-tested", "failed"),
    );
    let failure = json!({"container": "app", "message": "no such image", "log": "pull\n"});
    let failed = json!({"reason": "ImagePullBackOff", "detail": "the image cannot be pulled", "failure": failure});
    phase(&place, "8000-0", "broken", "failed", failed);
    place
}

#[test]
fn a_list_has_the_newest_state_of_each_environment_that_is_there() {
    let place = populated();
    let rows = |more: &[&str]| -> Vec<(String, String)> {
        let all = [&["env", "list", "--output", "json"], more].concat();
        let lines = place.lines(&all);
        let rows = lines.iter().map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            (text("id"), text("phase"))
        });
        let mut rows: Vec<_> = rows.collect();
        rows.sort();
        rows
    };
    let pair = |id: &str, phase: &str| (id.to_owned(), phase.to_owned());
    let there = [
        pair("broken", "failed"),
        pair("shop-ready", "ready"),
        pair("shop-tested", "tested"),
        pair("waits", "requested"),
    ];
    assert_eq!(rows(&[]), there);
    let mut all = there.to_vec();
    all.extend([pair("gone", "deleted"), pair("refused", "dead_letter")]);
    all.sort();
    assert_eq!(rows(&["--all"]), all);

    let table = place.lines(&["env", "list"]);
    let cells = |id: &str| -> String {
        let line = table.iter().find(|line| line.starts_with(id)).unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        words.join(" ")
    };
    assert!(cells("id").starts_with("id phase age expires what reason"));
    let ready = cells("shop-ready");
    assert!(
        ready.contains(" d ") && ready.contains(" in ") && ready.ends_with("app, postgresql 17"),
        "{ready}"
    );
    assert!(
        cells("shop-tested").ends_with("app, tests tests failed"),
        "{table:?}"
    );
    assert!(
        cells("broken").ends_with(" - - ImagePullBackOff"),
        "{table:?}"
    );
    // Newest first: what waits was asked for now, the others came to be in 1970.
    assert!(table[1].starts_with("waits"), "{table:?}");

    let few = place.run(&["env", "list", "--limit", "1"]);
    assert_eq!(few.out.lines().count(), 2);
    assert_eq!(few.err, "… and 3 more; --limit shows them\n");
    let empty = Place::with_redis();
    let none = empty.run(&["env", "list"]);
    assert_eq!(
        (none.code, none.err.as_str()),
        (0, "there are no environments\n")
    );
}

#[test]
fn a_long_stream_is_read_in_pages_to_its_beginning() {
    let place = Place::with_redis();
    for n in 0..250 {
        let id = format!("e-{n}");
        phase(&place, &format!("{}-0", n + 1), &id, "ready", json!({}));
    }
    assert_eq!(place.lines(&["env", "list"]).len(), 251);
    let first = place.json(&["env", "show", "e-0", "--output", "json"]);
    assert_eq!(first["requested_at"], "1970-01-01T00:00:00.001Z");
}

#[test]
fn one_environment_is_shown_at_length_by_the_beginning_of_its_id() {
    let place = populated();
    let text = place.lines(&["env", "show", "shop-r"]);
    let fixed: Vec<_> = text
        .iter()
        .map(|line| line.split(" (in ").next().unwrap())
        .map(|line| line.split(" (2").next().unwrap())
        .collect();
    assert_eq!(
        fixed,
        [
            "ready  shop-ready",
            "",
            "About",
            "  id           shop-ready",
            "  namespace    maestro-shop-ready",
            "  what         app, postgresql 17",
            "  requested    1970-01-01T00:00:03Z",
            "  expires      2999-01-01T00:00:00Z",
            "  endpoint     app  http://app:8080",
            "  secret       credentials",
            "",
            "Phases",
            "        0 ms  accepted       namespace maestro-shop-ready",
            "       1.5 s  ready",
            "       2.0 s  extended       until 2999-01-01T00:00:00Z",
        ]
    );
    let tested = place.lines(&["env", "show", "shop-tested"]).join("\n");
    assert!(
        tested.ends_with(
            "Tests\n  outcome      failed (exit code 1)\n  counts       10 passed, 2 failed, 1 skipped\n  reported     2, to be healed\n  failed       tests/test_x.py::test_a: assert 1 == 2\n  failed       tests/test_x.py::test_b: KeyError\n  log          maestro env logs shop-tested"
        ),
        "{tested}"
    );
    let broken = place.lines(&["env", "show", "broken"]).join("\n");
    assert!(
        broken.ends_with(
            "Failure\n  container    app\n  message      no such image\n  log          pull"
        ),
        "{broken}"
    );
    let refused = place.lines(&["env", "show", "refused"]);
    assert_eq!(
        refused[..2],
        [
            "dead letter  refused",
            "refused: there is no template `kafka`"
        ]
    );
    let json = place.json(&["env", "show", "broken", "--output", "json"]);
    assert_eq!(json["failure"]["container"], "app");
    assert_eq!(json["results"].as_array().unwrap().len(), 1);

    let none = place.run(&["env", "show", "nobody"]);
    assert_eq!(
        (none.code, none.err.as_str()),
        (
            1,
            "maestro: no environment is named by `nobody`; `maestro env list --all` shows those that there are and were\n"
        )
    );
    has(
        &place.run(&["env", "show", "never"]),
        1,
        "no environment is named by `never`",
    );
    let many = place.run(&["env", "show", "shop"]);
    assert_eq!(
        (many.code, many.err.as_str()),
        (
            1,
            "maestro: `shop` stands for 2 environments; name one of them: shop-ready, shop-tested\n"
        )
    );
}

#[test]
fn a_log_is_printed_with_what_is_left_out_and_can_be_waited_for() {
    let place = populated();
    let log = place.run(&["env", "logs", "shop-tested"]);
    assert_eq!(log.out, "first\n… 4096 bytes omitted …\nlast\n");
    assert_eq!(place.run(&["env", "logs", "broken"]).out, "pull\n");
    let json = place.json(&["env", "logs", "shop-tested", "--output", "json"]);
    assert_eq!(
        (&json["tail"], &json["of"]),
        (&"last".into(), &"tests".into())
    );
    has(
        &place.run(&["env", "logs", "shop-ready"]),
        1,
        "`shop-ready` has no log yet; it is ready; --follow waits for it",
    );
    has(
        &place.run(&["env", "logs", "gone"]),
        1,
        "`gone` has no log: it is deleted",
    );
    let short = ["env", "logs", "waits", "--follow", "--timeout", "100ms"];
    has(
        &place.run(&short),
        5,
        "there was no log in time; `waits` is requested",
    );

    let running = place.start("logs", &["env", "logs", "shop-ready", "--follow"]);
    say(&place, "*", "tested", &[], &tested("shop-ready", "passed"));
    assert_eq!(running.end(), 0);
    assert!(place.read("logs.out").starts_with("first\n"));
}

#[test]
fn an_extension_waits_for_its_own_answer() {
    let place = populated();
    let extended = |id: &str, granted: bool, cause: &str| {
        let mut data = json!({"environment": id, "namespace": "n", "granted": granted, "expires_at": "2999-01-01T01:00:00Z"});
        if !granted {
            data["detail"] = "it has its longest life already".into();
        }
        say(&place, "*", "extended", &["causationid", cause], &data);
    };
    for (granted, code) in [(true, 0), (false, 1)] {
        place.redis(&["DEL", "k8s:cleanup"]);
        let running = place.start("extend", &["env", "extend", "shop-r", "30m"]);
        let sent = asked(&place, "k8s:cleanup");
        assert_eq!(sent["type"], "maestro.environment.extension.requested.v1");
        assert_eq!(
            sent["data"],
            json!({"environment": "shop-ready", "by_s": 1800})
        );
        extended("shop-ready", !granted, "somebody-elses");
        extended("shop-ready", granted, sent["id"].as_str().unwrap());
        assert_eq!(running.end(), code);
    }
    assert_eq!(
        place.read("extend.err"),
        "maestro: `shop-ready` was not extended: it has its longest life already; `maestro env show shop-ready` tells how it is\n"
    );
    has(
        &place.run(&["env", "extend", "gone", "1h"]),
        1,
        "`gone` is deleted already",
    );
    has(
        &place.run(&["env", "extend", "nobody", "1h"]),
        1,
        "no environment is named by",
    );
    has(
        &place.run(&["env", "extend", "shop-r", "0s"]),
        2,
        "`TIME`: expected whole seconds",
    );
    let exact = ["env", "extend", "trimmed", "1h", "--exact", "--no-wait"];
    assert_eq!(place.lines(&exact).len(), 1);
    let quick = ["env", "extend", "shop-r", "1h", "--timeout", "100ms"];
    has(&place.run(&quick), 6, "no cleanup worker is running");
}

#[test]
fn one_environment_goes_down_and_its_end_is_printed() {
    let place = populated();
    let running = place.start("down", &["env", "down", "shop-r"]);
    let sent = asked(&place, "k8s:cleanup");
    assert_eq!(sent["data"], json!({"environment": "shop-ready"}));
    phase(
        &place,
        "*",
        "shop-ready",
        "deleting",
        json!({"detail": "3 objects left"}),
    );
    deleted(&place, "*", "shop-ready", &[]);
    assert_eq!(running.end(), 0);
    assert_eq!(
        told(&place.read("down.out")),
        [
            "deleting       shop-ready  3 objects left",
            "deleted        shop-ready  requested; it lived 1 min 30 s",
        ]
    );
    let again = place.run(&["env", "down", "shop-ready"]);
    assert_eq!(
        (again.code, again.err.as_str()),
        (0, "`shop-ready` is deleted already\n")
    );
    assert_eq!(messages(&place, "k8s:cleanup").len(), 1);
    assert_eq!(
        place.lines(&["env", "down", "broken", "--no-wait"]).len(),
        1
    );
    let neither = place.run(&["env", "down"]);
    assert_eq!(neither.code, 2, "{neither:?}");

    let running = place.start("refused", &["env", "down", "broken"]);
    let sent = eventually("the request", || {
        messages(&place, "k8s:cleanup").into_iter().nth(2)
    });
    dead_letter(&place, "k8s:cleanup", sent["id"].as_str().unwrap());
    assert_eq!(running.end(), 1);
    assert!(
        place
            .read("refused.err")
            .contains("was set aside as refused: ")
    );
    let quick = ["env", "down", "broken", "--timeout", "100ms"];
    has(&place.run(&quick), 6, "nobody answered on `k8s:cleanup`");
}

#[test]
fn many_environments_go_down_until_the_cleanup_has_nothing_more_to_do() {
    let place = Place::with_redis();
    place.redis(&[
        "XGROUP",
        "CREATE",
        "k8s:cleanup",
        "cleanup",
        "0",
        "MKSTREAM",
    ]);
    let take = || {
        eventually("the request", || {
            let words = [
                "XREADGROUP",
                "GROUP",
                "cleanup",
                "me",
                "STREAMS",
                "k8s:cleanup",
                ">",
            ];
            let taken = place.redis(&words);
            let entry = taken[0][1][0][0].as_str()?;
            Some((entry.to_owned(), messages(&place, "k8s:cleanup").pop()?))
        })
    };
    let running = place.start("down", &["env", "down", "--selector", "team=shop"]);
    let (entry, sent) = take();
    assert_eq!(sent["data"], json!({"selector": "team=shop"}));
    let id = sent["id"].as_str().unwrap();
    let flow = ["correlationid", id];
    let deleting = json!({"environment": "a", "namespace": "n", "phase": "deleting"});
    say(&place, "*", "status", &flow, &deleting);
    deleted(&place, "*", "b", &flow);
    deleted(&place, "*", "not-ours", &[]);
    place.redis(&["XACK", "k8s:cleanup", "cleanup", &entry]);
    eventually("it has seen both", || {
        (place.read("down.out").lines().count() == 2).then_some(())
    });
    deleted(&place, "*", "a", &flow);
    assert_eq!(running.end(), 0);
    assert_eq!(place.read("down.err"), "2 environments went\n");

    let arguments = ["env", "down", "--expired", "--dry-run", "--output", "json"];
    let running = place.start("dry", &arguments);
    let (entry, sent) = take();
    assert_eq!(sent["data"], json!({"expired": true, "dry_run": true}));
    let would = json!({"environment": "c", "namespace": "n", "cause": "expired", "dry_run": true});
    let flow = ["correlationid", sent["id"].as_str().unwrap()];
    say(&place, "*", "deleted", &flow, &would);
    place.redis(&["XACK", "k8s:cleanup", "cleanup", &entry]);
    assert_eq!(running.end(), 0);
    assert_eq!(place.read("dry.err"), "1 environment would go\n");
    let line: Value = serde_json::from_str(&place.read("dry.out")).unwrap();
    assert_eq!(line["data"]["environment"], "c");
}
