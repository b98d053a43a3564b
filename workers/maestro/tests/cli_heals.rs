//! A verdict is shown, and its patch goes into a working copy: entirely, or not at all.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use serde_json::{Value, json};
use support::{Place, exists};

const PATCH: &str = "--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n--- /dev/null\n+++ b/new/b.py\n@@ -0,0 +1 @@\n+b\n";

fn heal(verdict: &str, patch: Option<&str>) -> Value {
    let mut heal = json!({
        "project": { "repository": "/nowhere" },
        "test": { "id": "tests/test_x.py::test_y", "framework": "pytest" },
        "verdict": verdict,
        "strategy": "syntax_repair",
        "steps": [{ "strategy": "syntax_repair", "description": "adds the missing colon" }],
        "touches": ["test"],
        "runtime_changes": { "install": ["six>=1.16"] },
        "confidence": 0.97,
        "reason": "the file parses again\u{1b}[31m",
        "evidence": {
            "reproduced": "3/3", "after": "3/3",
            "neighbours": {
                "before": { "passed": 1, "failed": 1, "errors": 0, "skipped": 0 },
                "after": { "passed": 2, "failed": 0, "errors": 0, "skipped": 0 }
            },
            "collected": { "before": 2, "after": 2 }, "assertions": { "before": 4, "after": 4 },
            "error_class": "syntax_error", "excerpt": "SyntaxError: expected ':'"
        },
        "timing_ms": { "checkout": 1, "install": 2, "reproduce": 3, "generate": 4, "validate": 5 },
        "worker_version": "0.1.0"
    });
    if let Some(patch) = patch {
        heal["patch"] = patch.into();
    }
    if matches!(verdict, "refused" | "no_fix" | "not_reproduced") {
        heal["steps"] = json!([]);
        heal["touches"] = json!([]);
        heal["confidence"] = json!(0.9);
        if let Some(members) = heal.as_object_mut() {
            members.remove("strategy");
            members.remove("runtime_changes");
        }
    }
    heal
}

fn publish(place: &Place, id: &str, heal: &Value) {
    let data = heal.to_string();
    place.lines(&[
        "publish",
        "--type",
        "heal.completed",
        "--id",
        id,
        "--correlation-id",
        "build-7",
        "--data",
        &data,
    ]);
}

fn working_copy(place: &Place) -> String {
    place.file("copy/a.py", "one\ntwo\n");
    place.path().join("copy").display().to_string()
}

#[test]
fn a_heal_is_shown_by_the_beginning_of_its_id_and_applied_once() {
    let place = Place::with_redis();
    let copy = working_copy(&place);
    publish(&place, "abcdef/1/0", &heal("healed", Some(PATCH)));
    let shown = place.lines(&["show", "abcd"]).join("\n");
    for part in [
        "healed  tests/test_x.py::test_y",
        "1. syntax_repair: adds the missing colon",
        "install six>=1.16",
        "+2",
        "3/3",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(
        !shown.contains('\u{1b}'),
        "an escape sequence of a message reached the terminal"
    );
    assert!(
        place
            .run(&["show", "abcd", "--color", "always"])
            .out
            .contains("\u{1b}[32m+2")
    );
    assert_eq!(
        place.json(&["show", "abcdef", "--output", "json"])["data"]["verdict"],
        "healed"
    );

    let checked = place.lines(&["apply", "abcdef", "--into", &copy, "--check"]);
    assert_eq!(checked[0], "would be changed  a.py");
    assert_eq!(place.read("copy/a.py"), "one\ntwo\n");
    let applied = place.lines(&["apply", "abcdef", "--into", &copy]);
    assert_eq!(applied[..2], ["changed  a.py", "created  new/b.py"]);
    assert!(
        applied.contains(&"  install six>=1.16".to_owned()),
        "{applied:?}"
    );
    assert_eq!(place.read("copy/a.py"), "one\n2\n");
    assert_eq!(place.read("copy/new/b.py"), "b\n");
    let again = place.lines(&["apply", "abcdef", "--into", &copy]);
    assert_eq!(again[0], "the patch is already in the working copy");
}

#[test]
fn a_patch_that_no_longer_fits_changes_nothing() {
    let place = Place::with_redis();
    let copy = working_copy(&place);
    place.file("copy/a.py", "one\nzwei\n");
    publish(&place, "x/1/0", &heal("healed", Some(PATCH)));
    let said = place.run(&["apply", "x", "--into", &copy]);
    assert_eq!(said.code, 1);
    assert!(
        said.err.starts_with(
            "maestro: the patch changes `a.py`, but hunk 1 of 1 does not fit the file as it is; "
        ),
        "{said:?}"
    );
    assert!(!exists(place.path().join("copy/new")));
}

#[test]
fn a_proposed_heal_needs_a_persons_word_and_a_refused_one_is_never_applied() {
    let place = Place::with_redis();
    let copy = working_copy(&place);
    publish(&place, "p/1/0", &heal("proposed", Some(PATCH)));
    publish(&place, "r/1/0", &heal("refused", None));
    let said = place.run(&["apply", "p", "--into", &copy]);
    assert_eq!(said.code, 1);
    assert!(
        said.err.contains("needs a person's approval")
            && said.err.contains("say --proposed to approve"),
        "{said:?}"
    );
    assert_eq!(place.read("copy/a.py"), "one\ntwo\n");
    let refused = place.run(&["apply", "r", "--into", &copy, "--proposed"]);
    assert_eq!(refused.code, 1);
    assert!(
        refused.err.starts_with("maestro: this heal was refused: "),
        "{refused:?}"
    );
    assert_eq!(
        place
            .run(&["apply", "p", "--into", &copy, "--proposed"])
            .code,
        0
    );
    let several = place.run(&["show", "build-7"]);
    assert_eq!(several.code, 1);
    assert!(
        several
            .err
            .contains("`build-7` stands for 2 heals; name one of them: p/1/0, r/1/0"),
        "{several:?}"
    );
    assert!(
        place
            .run(&["show", "nothing"])
            .err
            .starts_with("maestro: no heal is named by `nothing`; ")
    );
}

#[test]
fn a_patch_cannot_leave_the_working_copy() {
    let place = Place::with_redis();
    let copy = working_copy(&place);
    place.file("outside.py", "one\ntwo\n");
    place.file("copy/.git/config", "one\ntwo\n");
    std::os::unix::fs::symlink(place.path(), place.path().join("copy/link")).unwrap();
    for (number, path) in [
        "../outside.py",
        "/etc/hosts",
        ".git/config",
        "link/outside.py",
    ]
    .into_iter()
    .enumerate()
    {
        let patch = format!("--- a/{path}\n+++ b/{path}\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n");
        let id = format!("bad{number}/1/0");
        let data = heal("healed", Some(&patch)).to_string();
        // A worker of ours would not say it, and the publisher would refuse it; a stranger with access to Redis could.
        place.lines(&[
            "publish",
            "--no-validate",
            "--type",
            "heal.completed",
            "--id",
            &id,
            "--data",
            &data,
        ]);
        let said = place.run(&["apply", &id, "--into", &copy]);
        assert_ne!(said.code, 0, "{path}: {said:?}");
    }
    assert_eq!(place.read("outside.py"), "one\ntwo\n");
    assert_eq!(place.read("copy/.git/config"), "one\ntwo\n");
}

fn remembered(verdict: &str) -> Value {
    let mut heal = heal(verdict, Some(PATCH));
    heal["fingerprint"] = "0123456789abcdef0123456789abcdef".into();
    heal
}

#[test]
fn what_a_person_decides_stands_in_the_trail_and_in_the_report() {
    let place = Place::with_redis();
    let copy = working_copy(&place);
    publish(&place, "a/1/0", &remembered("healed"));
    publish(&place, "b/1/0", &remembered("proposed"));
    publish(&place, "r/1/0", &heal("refused", None));
    place.lines(&["apply", "a", "--into", &copy, "--check"]);
    assert_eq!(place.redis(&["XLEN", "automation:results"]), 3);
    let applied = place.json(&["apply", "a", "--into", &copy, "--output", "json"]);
    assert_eq!(applied["recorded"], true);
    // It is in the working copy already: nobody decided anything.
    place.lines(&["apply", "a", "--into", &copy]);
    let rejected = place.json(&[
        "verdict", "b/1/0", "reject", "--reason", "no", "--by", "ada", "--output", "json",
    ]);
    assert_eq!(rejected["decision"], "rejected");
    assert_eq!(rejected["remembered"], true);
    assert_eq!(place.redis(&["XLEN", "automation:results"]), 5);
    let nothing = place.run(&["verdict", "r/1/0", "accept"]);
    assert_eq!(nothing.code, 1);
    assert!(
        nothing
            .err
            .starts_with("maestro: this heal offers nothing that could be accepted"),
        "{nothing:?}"
    );

    let watched = place.lines(&["watch"]).join("\n");
    assert!(
        watched.contains("rejected") && watched.contains("b/1/0 by ada: no"),
        "{watched}"
    );
    let report = place.json(&["report", "--since", "1h", "--output", "json"]);
    assert_eq!(report["results"], 5);
    assert_eq!(report["calibration"]["decisions"], 2);
    // 0.97 was said of both; one was right.
    let brier = report["calibration"]["brier"].as_f64().unwrap();
    let expected = f64::midpoint(0.03_f64.powi(2), 0.97_f64.powi(2));
    assert!((brier - expected).abs() < 1e-6, "{report:#}");
    assert_eq!(report["strategies"][0]["strategy"], "syntax_repair");
    assert_eq!(report["strategies"][0]["accepted"], 1);
    assert_eq!(report["strategies"][0]["rejected"], 1);
    assert_eq!(report["days"][0]["refused"], 1);
    assert_eq!(report["time_to_patch"]["patches"], 2);
    assert_eq!(report["time_to_patch"]["phases"][1]["median_ms"], 2);
    let text = place.lines(&["report"]).join("\n");
    for part in [
        "By day",
        "Flakiest tests",
        "syntax_repair",
        "Brier score",
        "checkout",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn the_report_lists_tests_that_pass_and_fail_by_turns() {
    let place = Place::with_redis();
    let triaged = json!({
        "project": { "repository": "/nowhere" },
        "test": { "id": "tests/test_x.py::test_y", "framework": "pytest" },
        "kind": "test_failure", "severity": "high", "fingerprint": "0123456789abcdef0123456789abcdef",
        "decision": "heal", "reason": "r", "occurrences": 1, "first": "a", "worker_version": "0"
    })
    .to_string();
    for n in 0..3 {
        let id = format!("t{n}/0");
        place.lines(&[
            "publish",
            "--type",
            "error.triaged",
            "--id",
            &id,
            "--data",
            &triaged,
        ]);
        publish(&place, &format!("t{n}/1/0"), &heal("not_reproduced", None));
    }
    let report = place.json(&["report", "--output", "json"]);
    let flaky = &report["flaky_tests"][0];
    assert_eq!(flaky["test"], "/nowhere tests/test_x.py::test_y");
    assert_eq!(flaky["flips"], 5, "{report:#}");
    assert_eq!((&flaky["failed"], &flaky["passed"]), (&json!(3), &json!(3)));
    assert_eq!(report["days"][0]["errors"], 3);
    let none = place.json(&["report", "--since", "1ms", "--output", "json"]);
    assert_eq!(none["results"], 0);
    assert_eq!(place.run(&["report", "--since", "yesterday"]).code, 2);
}
