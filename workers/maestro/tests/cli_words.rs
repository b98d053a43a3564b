//! What a person reads: help, sentences for bad input, exit codes, colour.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use support::{ERROR, Place};

#[test]
#[expect(clippy::too_many_lines, reason = "a table: input, exit code, sentence")]
fn bad_input_gets_one_sentence_that_names_the_field_and_what_was_expected() {
    let place = Place::bare();
    place.file(
        "fleet.yaml",
        "redis:\n  prefix: a\ndelivery:\n  leese: 3s\n",
    );
    place.file("page.xml", "<html/>");
    place.file("latin.xml", "");
    std::fs::write(place.path().join("latin.xml"), b"<testsuite name='\xe9'/>").unwrap();
    place.file(
        "unknown.xml",
        "<testsuite name='x'><testcase name='a'><failure/></testcase></testsuite>",
    );
    let cases: &[(&[&str], i32, &str)] = &[
        (
            &["status"],
            69,
            "maestro: no Redis is named, and no fleet runs in `.maestro`; start one with `maestro up`, or name a Redis with --redis-url or MAESTRO_REDIS_URL",
        ),
        (
            &["status", "--redis-url", "localhost:6379"],
            2,
            "maestro: the Redis URL has nothing as its scheme: expected redis, rediss, redis+unix, redis+sentinel, rediss+sentinel, redis+cluster or rediss+cluster, followed by :// (`redis.url`, flag --redis-url)",
        ),
        (
            &["config", "--config", "fleet.yaml"],
            2,
            "maestro: fleet.yaml:4:3: unknown key `leese`; expected one of `lease`, `max_deliveries`, `quarantine_from`, `retry_base`, `retry_cap`, `batch`, `urgent_lane`, `grace`, `retention`, `dedup_window`; `maestro config` lists every key",
        ),
        (
            &[
                "worker",
                "cleanup",
                "--redis-url",
                "redis://127.0.0.1:1",
                "--kubeconfig",
                "none",
            ],
            2,
            "maestro: the kubeconfig `none` cannot be used: ",
        ),
        (
            &["publish", "--type", "error.reported", "--data", "{}"],
            65,
            "maestro: --data: `data` at `$.project`: expected",
        ),
        (
            &["publish", "--type", "error.reported", "--data", "{"],
            65,
            "maestro: --data: field `data`: expected JSON, but found this: ",
        ),
        (
            &[
                "publish",
                "--type",
                "maestro.error.reported.v9",
                "--data",
                "{}",
            ],
            65,
            "maestro: `maestro.error.reported.v9` is no message type; ",
        ),
        (
            &[
                "publish",
                "--type",
                "error.reported",
                "--data",
                ERROR,
                "--stream",
                "automation:heal",
            ],
            65,
            "maestro: --data: field `type`: expected a message type of `automation:heal`, but found",
        ),
        (
            &[
                "publish",
                "--type",
                "error.reported",
                "--data",
                ERROR,
                "--expiry-time",
                "soon",
            ],
            65,
            "maestro: --data: field `expirytime`: expected an RFC 3339 time",
        ),
        (
            &[
                "publish",
                "--type",
                "error.reported",
                "--data",
                "@gone.json",
            ],
            74,
            "maestro: `gone.json` cannot be read: ",
        ),
        (
            &["publish", "--junit", "page.xml"],
            65,
            "maestro: `page.xml`: line 1: expected `<testsuites>` or `<testsuite>` as the root of a JUnit report, but found `<html>`",
        ),
        (
            &["publish", "--junit", "latin.xml"],
            65,
            "maestro: `latin.xml`: expected UTF-8, but found something else at byte 17",
        ),
        (
            &["publish", "--junit", "unknown.xml"],
            65,
            "maestro: `unknown.xml` does not tell which runner wrote it; say it with --framework (pytest, unittest, node-test, jest, vitest or cargo)",
        ),
        (
            &["publish", "--junit", "none/*.xml"],
            65,
            "maestro: no file matches `none/*.xml`",
        ),
        (
            &["publish", "--junit", "unknown.xml", "--framework", "nose"],
            2,
            "error: invalid value 'nose' for '--framework <RUNNER>': expected one of pytest, unittest, node-test, jest, vitest, cargo",
        ),
        (
            &["schema", "nonsense"],
            65,
            "maestro: `nonsense` is no message type; `maestro schema` lists them all",
        ),
        (
            &["watch", "--since", "yesterday"],
            2,
            "maestro: `--since`: expected an age such as `10m`",
        ),
        (
            &["up", "--lease", "1ms"],
            2,
            "maestro: `delivery.lease`: expected at least `1s`, but found `1ms` (flag --lease)",
        ),
    ];
    for (arguments, code, sentence) in cases {
        let said = place.run(arguments);
        assert!(
            said.err.starts_with(sentence),
            "{arguments:?} said {:?}",
            said.err
        );
        assert_eq!(said.code, *code, "{arguments:?}: {said:?}");
        assert_eq!(said.out, "", "{arguments:?}");
        if said.err.starts_with("maestro: ") {
            assert_eq!(said.err.lines().count(), 1, "{arguments:?}: {said:?}");
        }
    }
}

#[test]
fn a_redis_that_cannot_be_reached_is_told_with_the_next_step() {
    let place = Place::bare();
    let said = place.run(&[
        "publish",
        "--redis-url",
        "redis://:hidden@127.0.0.1:1",
        "--type",
        "error.reported",
        "--data",
        ERROR,
    ]);
    assert_eq!(said.code, 69, "{said:?}");
    assert!(said.err.contains("redis://:***@127.0.0.1:1"), "{said:?}");
    assert!(
        said.err
            .ends_with("start a fleet with `maestro up`, or name another Redis with --redis-url\n"),
        "{said:?}"
    );
    assert!(!said.err.contains("hidden"), "{said:?}");
}

#[test]
fn every_help_ends_with_the_exit_codes_and_carries_an_example() {
    let place = Place::bare();
    for command in [
        "",
        "up",
        "worker",
        "publish",
        "watch",
        "show",
        "apply",
        "status",
        "dead",
        "dead list",
        "dead show",
        "dead replay",
        "dead drop",
        "env",
        "env up",
        "env list",
        "env show",
        "env logs",
        "env extend",
        "env down",
        "schema",
        "asyncapi",
        "config",
        "completions",
    ] {
        let arguments: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let help = place.lines(&arguments).join("\n");
        assert!(help.contains("Examples:\n  "), "{command}: {help}");
        assert!(
            help.contains("  78  needs a Kubernetes cluster"),
            "{command}"
        );
        assert!(
            !help.contains('\u{1b}'),
            "{command}: colour without a terminal"
        );
    }
}

#[test]
fn what_is_in_force_is_shown_with_its_origin_and_without_secrets() {
    let place = Place::bare();
    place.file(
        "fleet.yaml",
        "redis:\n  url: redis://me:hidden@file\nheal:\n  roots: [src]\ntriage:\n  window: 2h\n",
    );
    let all = |command: &mut std::process::Command| {
        let output = command.output().unwrap();
        assert!(output.status.success());
        serde_json::from_slice::<Vec<serde_json::Value>>(&output.stdout).unwrap()
    };
    let arguments = [
        "config",
        "--output",
        "json",
        "--config",
        "fleet.yaml",
        "--lease",
        "7s",
    ];
    let settings = all(place
        .command(&arguments)
        .env("MAESTRO_GRACE", "9s")
        .env("REDIS_URL", "redis://me:hidden@variable"));
    let of = |name: &str| {
        let found = settings
            .iter()
            .find(|setting| setting["setting"] == name)
            .unwrap();
        (
            found["value"].as_str().unwrap().to_owned(),
            found["from"].as_str().unwrap().to_owned(),
        )
    };
    assert_eq!(
        of("redis.url"),
        (
            "redis://me:***@variable".into(),
            "variable REDIS_URL".into()
        )
    );
    assert_eq!(of("delivery.lease"), ("7s".into(), "flag --lease".into()));
    assert_eq!(
        of("delivery.grace"),
        ("9s".into(), "variable MAESTRO_GRACE".into())
    );
    assert_eq!(
        of("triage.window"),
        ("2h".into(), "file fleet.yaml:6:11".into())
    );
    assert_eq!(
        of("heal.roots"),
        ("src".into(), "file fleet.yaml:4:10".into())
    );
    assert_eq!(
        of("delivery.max_deliveries"),
        ("5".into(), "default".into())
    );
    let everything = place.run(&["config", "--config", "fleet.yaml"]);
    assert!(
        everything.out.contains("redis://me:***@file"),
        "{everything:?}"
    );
    assert!(!format!("{everything:?}{settings:?}").contains("hidden"));
}

#[test]
fn schemas_the_asyncapi_document_and_completions_are_printed_without_any_redis() {
    let place = Place::bare();
    let schema = place.json(&["schema", "heal.completed"]);
    assert_eq!(schema["title"], "maestro.heal.completed.v1");
    assert_eq!(place.json(&["asyncapi"])["asyncapi"], "3.0.0");
    assert!(place.lines(&["schema"]).len() > 10);
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            place
                .lines(&["completions", shell])
                .join("\n")
                .contains("maestro")
        );
    }
}

#[test]
fn colour_comes_only_when_it_is_asked_for() {
    let place = Place::bare();
    assert!(!place.run(&["config"]).out.contains('\u{1b}'));
    assert!(
        place
            .run(&["config", "--color", "always"])
            .out
            .contains('\u{1b}')
    );
    assert!(
        !place
            .run(&["config", "--color", "never"])
            .out
            .contains('\u{1b}')
    );
}
