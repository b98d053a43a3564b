//! A few cases of the corpus on every run of the tests: one of each strategy that has a small package, and planted
//! bugs that must be refused. `make corpus` runs all of them.

use std::process::Command;

use serde_json::Value;

/// Runs cases, with the failing test named or not; gives back the rows.
fn rows(cases: &str, unnamed: bool) -> Vec<Value> {
    let work = tempfile::tempdir().expect("a directory");
    let json = work.path().join("rows.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_maestro-corpus"));
    command
        .arg("--work")
        .arg(work.path())
        .arg("--json")
        .arg(&json)
        .args(["--only", cases]);
    if unnamed {
        command.arg("--unnamed");
    }
    let output = command.output().expect("the runner starts");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{printed}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = std::fs::read_to_string(json).expect("the rows");
    let rows: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    for row in &rows {
        assert_eq!(row["right"], true, "{row:#}");
    }
    rows
}

#[test]
fn a_package_that_fails_for_its_age_is_ported_and_turns_green_on_a_clean_copy() {
    let rows = rows(
        "cachetools-collections,tinydb-cov-addopts,seedheal-colon",
        false,
    );
    let answers: Vec<&Value> = rows.iter().map(|row| &row["answer"]).collect();
    assert_eq!(
        answers[0]["verdict"], "proposed",
        "product code is a person's to change"
    );
    assert_eq!(answers[0]["touches"], serde_json::json!(["product"]));
    assert_eq!(answers[1]["verdict"], "healed");
    assert_eq!(
        answers[1]["runtime_changes"]["install"],
        serde_json::json!(["pytest-cov"])
    );
    assert!(answers[1].get("patch").is_none());
    assert_eq!(answers[2]["strategy"], "syntax_repair");
}

#[test]
fn a_planted_bug_is_refused_whether_the_test_is_named_or_not() {
    for unnamed in [false, true] {
        for row in rows("seed-addict-update,seed-prettytable-sort", unnamed) {
            assert_eq!(row["answer"]["verdict"], "refused");
            assert!(row["answer"].get("patch").is_none());
        }
    }
}

#[test]
fn a_flaky_test_is_made_independent_of_what_it_depended_on_and_proven_by_shuffled_runs() {
    let rows = rows("flaky-setting-unittest,flaky-hash,flaky-garbage", false);
    for row in rows {
        let answer = &row["answer"];
        assert_eq!(answer["verdict"], "healed", "{row:#}");
        assert_eq!(answer["strategy"], "flaky_test_stabilization");
        assert_eq!(answer["touches"], serde_json::json!(["test"]));
        assert_eq!(answer["evidence"]["after"], "21/21");
        let teeth = &answer["evidence"]["teeth"];
        assert_eq!(teeth["caught_before"], teeth["caught_after"], "{row:#}");
        let patch = answer["patch"].as_str().expect("a patch");
        for word in ["skip", "xfail", "flaky", "rerun", "retry"] {
            assert!(!patch.contains(word), "{patch}");
        }
    }
}

#[test]
fn behind_a_port_a_test_may_be_flaky_and_a_neighbour_come_to_its_own_skip() {
    let rows = rows(
        "flaky-behind-a-port,api-fixture-that-skips,api-fixture-that-skips-it",
        false,
    );
    let [flaky, beside, skipped] = rows.as_slice() else {
        panic!("{rows:#?}");
    };
    assert_eq!(flaky["answer"]["steps"].as_array().map(Vec::len), Some(2));
    assert_eq!(beside["answer"]["verdict"], "healed", "{beside:#}");
    let caveats = beside["answer"]["evidence"]["caveats"].to_string();
    assert!(
        caveats.contains("come to a skip of the project's own"),
        "{caveats}"
    );
    assert!(skipped["answer"].get("patch").is_none(), "{skipped:#}");
}

#[test]
fn a_product_that_looks_like_a_flaky_test_is_refused() {
    for row in rows(
        "flaky-trap-default,flaky-trap-random,flaky-setting-bug-4",
        false,
    ) {
        assert_eq!(row["answer"]["verdict"], "refused", "{row:#}");
        assert!(row["answer"].get("patch").is_none());
    }
}

#[test]
fn what_the_environment_lacks_is_set_or_made_and_what_takes_a_person_is_proposed() {
    let rows = rows(
        "environment-home,environment-directory,timing-sleep,assertion-argparse",
        false,
    );
    let answered = |field: &str| -> Vec<&str> {
        rows.iter()
            .map(|row| row["answer"][field].as_str().expect("a word"))
            .collect()
    };
    assert_eq!(
        answered("strategy"),
        [
            "environment_healing",
            "environment_healing",
            "timing_adjustment",
            "assertion_update"
        ]
    );
    assert_eq!(
        answered("verdict"),
        ["healed", "healed", "proposed", "proposed"]
    );
}

#[test]
fn a_product_that_looks_like_a_lack_of_the_environment_or_a_matter_of_time_is_refused() {
    for row in rows(
        "environment-directory-of-the-product,environment-default-lost,timing-late,timing-too-often,assertion-typo,assertion-figure",
        false,
    ) {
        assert_eq!(row["answer"]["verdict"], "refused", "{row:#}");
        assert!(row["answer"].get("patch").is_none());
    }
}

#[test]
fn tests_of_node_are_healed_whatever_runs_them_and_a_green_package_is_left_alone() {
    let rows = rows(
        "node-dependency-asked,node-dependency-runner,node-api-matchers,node-api-globals,npm-process-warning-green",
        false,
    );
    let verdicts: Vec<&str> = rows
        .iter()
        .map(|row| row["answer"]["verdict"].as_str().expect("a word"))
        .collect();
    // In the order of the files: packages first, then projects of our own.
    assert_eq!(
        verdicts,
        ["not_reproduced", "healed", "healed", "healed", "healed"]
    );
    let asked = &rows[1]["answer"]["runtime_changes"]["install"];
    assert_eq!(
        *asked,
        serde_json::json!(["escape-html@^1.0.0", "ms@^2.1.0"])
    );
    let patch = rows[3]["answer"]["patch"].as_str().expect("a patch");
    assert!(patch.contains("toHaveBeenCalledTimes(2)"), "{patch}");
}

#[test]
fn a_bug_of_a_package_of_node_is_refused_behind_a_repair_and_without_one() {
    for row in rows(
        "npm-process-warning-seed-1,node-dependency-runner-bug-1,node-syntax-manifest-bug-2,node-environment-variable-bug-1",
        false,
    ) {
        assert_eq!(row["answer"]["verdict"], "refused", "{row:#}");
        assert!(
            row["answer"].get("patch").is_none()
                || row["answer"]["confidence"].as_f64() < Some(0.8)
        );
    }
}

#[test]
fn tests_of_rust_are_healed_and_a_bug_behind_the_repair_is_refused() {
    let rows = rows(
        "rust-syntax-unit,rust-dependency-workspace,rust-environment-directory,rust-syntax-unit-bug-1,rust-dependency-workspace-bug-2,rust-environment-default-lost",
        false,
    );
    let verdicts: Vec<(&str, &str)> = rows
        .iter()
        .map(|row| {
            let word = |of: &'static str| row.pointer(of).and_then(Value::as_str);
            (
                word("/id").expect("an id"),
                word("/answer/verdict").expect("a word"),
            )
        })
        .collect();
    for (id, verdict) in verdicts {
        let refused = id.contains("-bug-") || id.ends_with("-lost");
        assert_eq!(verdict, if refused { "refused" } else { "healed" }, "{id}");
    }
}

#[test]
fn history_says_since_when_and_whether_a_text_was_changed_on_purpose() {
    let rows = rows(
        "history-reworded,history-reworded-bug-1,history-by-the-way,history-since",
        false,
    );
    let answer = |id: &str| {
        let row = rows.iter().find(|row| row["id"] == id).expect("a row");
        &row["answer"]
    };
    let reason = |id: &str| answer(id)["reason"].as_str().expect("a reason");
    let reworded = answer("history-reworded");
    assert_eq!(reworded["verdict"], "proposed", "{reworded:#}");
    assert!(
        reason("history-reworded").contains("Say that an amount must be positive"),
        "{}",
        reason("history-reworded")
    );
    let by_the_way = &answer("history-by-the-way")["evidence"]["since"];
    assert_eq!(by_the_way["subject"], "Amounts have a limit");
    let since = &answer("history-since")["evidence"]["since"];
    assert_eq!(since["subject"], "Simplify the total", "{since:#}");
    assert_eq!(since["path"], "shop.py");
    assert_eq!(since["line"], 5);
    let was = since["was"].as_str().expect("a line");
    assert_eq!(was.trim(), "return round(price * pieces * (1 + TAX), 2)");
    assert!(reason("history-since").contains("(Simplify the total)"));
}

#[test]
fn a_checkers_own_fix_is_taken_where_nothing_speaks_against_it_and_a_type_error_is_refused() {
    let rows = rows(
        "lint-ruff-unused-import,lint-ruff-import-is-used,lint-ruff-unsafe-breaks,lint-ruff-unfixable,type-mypy-argument",
        false,
    );
    let verdicts: Vec<&Value> = rows.iter().map(|row| &row["answer"]["verdict"]).collect();
    assert_eq!(
        verdicts,
        ["healed", "no_fix", "no_fix", "no_fix", "refused"]
    );
    for row in &rows[1..] {
        assert!(row["answer"].get("patch").is_none(), "{row:#}");
    }
}
