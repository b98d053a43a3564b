//! Reports of checkers go in: each format becomes messages, and what is wrong with one is said.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use serde_json::Value;
use support::Place;

const RUFF: &str = include_str!("../../findings/src/fixtures/ruff.json");
const MYPY: &str = include_str!("../../findings/src/fixtures/mypy.jsonl");

/// The messages that a report makes in a project at `/home/ci/shop`, which is where the reports were written.
fn messages(place: &Place, arguments: &[&str]) -> Vec<Value> {
    let all = [&["publish", "--dry-run", "--findings"], arguments].concat();
    place
        .lines(&all)
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn every_finding_of_a_report_is_a_message_with_an_id_of_its_own() {
    let place = Place::bare();
    place.file("reports/mypy.jsonl", MYPY);
    place.file("pkg/a.py", "");
    let said = messages(
        &place,
        &[
            "reports/*.jsonl",
            "--python",
            "3.12",
            "--",
            "python",
            "-m",
            "pytest",
        ],
    );
    assert_eq!(said.len(), 2);
    let fields = &said[0]["fields"];
    assert_eq!(said[0]["stream"], "automation:errors");
    assert_eq!(fields["type"], "maestro.error.reported.v1");
    assert_eq!(fields["subject"], "mypy import-untyped in pkg/a.py");
    let data = &fields["data"];
    assert_eq!(data["kind"], "type_error");
    assert_eq!(data["file"], "pkg/a.py");
    assert_eq!(data["line"], 3);
    assert_eq!(data["finding"]["tool"], "mypy");
    assert_eq!(data["finding"]["rule"], "import-untyped");
    assert_eq!(data["finding"]["level"], "error");
    assert_eq!(data["runtime"]["python"], "3.12");
    assert_eq!(data["runtime"]["command"][2], "pytest");
    assert_eq!(
        data["project"]["repository"],
        place.path().display().to_string()
    );
    let again = messages(&place, &["reports/*.jsonl"]);
    assert_ne!(again[0]["fields"]["id"], again[1]["fields"]["id"]);
    let first = messages(&place, &["reports/mypy.jsonl"]);
    assert_eq!(first, again, "the same report has the same ids");
    let fed = place.feed(&["publish", "--dry-run", "--findings", "-"], MYPY);
    assert_eq!(fed.out.lines().count(), 2, "{fed:?}");
}

#[test]
fn what_is_not_published_is_counted_by_its_reason() {
    let place = Place::bare();
    let result = |more: &str| {
        format!(
            "{{\"ruleId\":\"R\",\"message\":{{\"text\":\"m{}\"}}{more}}}",
            more.len()
        )
    };
    let results = [
        "",
        ",\"level\":\"note\"",
        ",\"suppressions\":[{\"kind\":\"inSource\"}]",
        ",\"baselineState\":\"unchanged\"",
        ",\"level\":\"error\"",
    ]
    .map(result)
    .join(",");
    place.file(
        "x.sarif",
        &format!("{{\"version\":\"2.1.0\",\"runs\":[{{\"tool\":{{\"driver\":{{\"name\":\"Tool\"}}}},\"results\":[{results}]}}]}}"),
    );
    let said = place.run(&["publish", "--dry-run", "--sarif", "x.sarif"]);
    assert_eq!((said.code, said.out.lines().count()), (0, 2), "{said:?}");
    assert!(
        said.err
            .contains("left out: 1 below --level, 1 suppressed, 1 of the baseline"),
        "{said:?}"
    );
    let errors = messages(&place, &["x.sarif", "--level", "error"]);
    assert_eq!(errors.len(), 1);
    assert_eq!(messages(&place, &["x.sarif", "--level", "note"]).len(), 3);
    place.file("clean.json", "[]");
    let said = place.run(&["publish", "--findings", "clean.json"]);
    assert_eq!(said.code, 0);
    assert!(said.err.contains("nothing was published"), "{said:?}");
}

#[test]
fn a_report_that_is_none_is_refused_in_one_sentence() {
    let place = Place::bare();
    for (text, sentence) in [
        (
            "pkg/a.py:1:8: F401 unused",
            "`x`: expected SARIF 2.1.0, JSON of cargo, rustc, mypy, ruff or eslint, or the lines of `tsc --pretty false`, but found a text that begins with",
        ),
        (
            "{\"version\":\"2.1.0\",\"runs\":[{\"tool\":{}}]}",
            "`x`: at `$.runs[0].tool`: expected a member `driver`, but found none",
        ),
    ] {
        place.file("x", text);
        let said = place.run(&["publish", "--findings", "x"]);
        assert_eq!(said.code, 65, "{said:?}");
        assert!(said.err.contains(sentence), "{said:?}");
        assert_eq!(said.err.trim().lines().count(), 1, "{said:?}");
    }
    place.file("ruff.json", RUFF);
    let said = place.run(&["publish", "--findings", "ruff.json", "--junit", "ruff.json"]);
    assert_eq!(said.code, 2, "{said:?}");
}
