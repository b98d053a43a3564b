//! Every format, as the tools themselves write it, and what is wrong with one that is not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use maestro_findings::{Format, LeftOut, Limits, Place, Report, Unreadable, read};
use maestro_protocol::error::ErrorKind;
use maestro_protocol::finding::Level;
use maestro_protocol::project::Project;
use maestro_protocol::{Message, Payload};

fn shop() -> Place {
    Place::new("/home/ci/shop", "/home/ci/shop")
}

fn told(text: &str) -> Result<Report, Unreadable> {
    read(text.as_bytes(), &Limits::default(), &shop())
}

/// Tool, rule, kind, level, file, line, column and message of each finding, with bars between.
fn lines(report: &Report) -> Vec<String> {
    report
        .findings
        .iter()
        .map(|finding| {
            let number = |number: Option<u32>| number.map_or("-".to_owned(), |n| n.to_string());
            format!(
                "{} {} {:?} {:?} {}:{}:{} {}",
                finding.tool,
                finding.rule.as_deref().unwrap_or("-"),
                finding.kind(),
                finding.level.unwrap(),
                finding.file.as_deref().unwrap_or("-"),
                number(finding.line),
                number(finding.column),
                finding.message.lines().next().unwrap()
            )
        })
        .collect()
}

const RUFF: [&str; 8] = [
    "ruff E401 LintError Error pkg/a.py:1:1 Multiple imports on one line",
    "ruff F401 LintError Error pkg/a.py:1:8 `os` imported but unused",
    "ruff F401 LintError Error pkg/a.py:1:12 `sys` imported but unused",
    "ruff UP035 LintError Error pkg/a.py:2:1 `typing.List` is deprecated, use `list` instead",
    "ruff UP006 LintError Error pkg/a.py:6:10 Use `list` instead of `List` for type annotation",
    "ruff B006 LintError Error pkg/a.py:6:22 Do not use mutable data structures for argument defaults",
    "ruff F841 LintError Error pkg/a.py:7:5 Local variable `y` is assigned to but never used",
    "ruff F541 LintError Error pkg/a.py:8:11 f-string without any placeholders",
];

#[test]
fn ruff_says_the_same_in_its_json_its_json_lines_and_sarif() {
    for (text, format) in [
        (include_str!("../src/fixtures/ruff.json"), Format::Ruff),
        (include_str!("../src/fixtures/ruff.jsonl"), Format::Ruff),
        (include_str!("../src/fixtures/ruff.sarif"), Format::Sarif),
    ] {
        let report = told(text).unwrap();
        assert_eq!(report.format, Some(format));
        assert_eq!(lines(&report), RUFF, "{format:?}");
        assert_eq!(report.findings[1].symbol.as_deref(), Some("os"));
    }
}

#[test]
fn eslint_is_understood_and_warnings_are_told_from_errors() {
    let report = told(include_str!("../src/fixtures/eslint.json")).unwrap();
    assert_eq!(report.format, Some(Format::Eslint));
    let lines = lines(&report);
    assert_eq!(
        lines[0],
        "eslint no-var LintError Error a.js:1:1 Unexpected var, use let or const instead."
    );
    assert_eq!(lines.len(), 6);
    let warned = r#"[{"filePath":"/home/ci/shop/b.js","messages":[{"ruleId":null,"fatal":true,"severity":2,"message":"Parsing error: x","line":1,"column":2},{"ruleId":"no-var","severity":1,"message":"m"}],"suppressedMessages":[{"ruleId":"semi"}]}]"#;
    let report = told(warned).unwrap();
    assert_eq!(report.findings[0].rule, None);
    assert_eq!(report.findings[1].level, Some(Level::Warning));
    assert_eq!(report.left_out.suppressed, 1);
}

#[test]
fn mypy_is_understood_with_its_hints_and_columns_from_one() {
    let report = told(include_str!("../src/fixtures/mypy.jsonl")).unwrap();
    assert_eq!(report.format, Some(Format::Mypy));
    assert_eq!(
        lines(&report),
        [
            "mypy import-untyped TypeError Error pkg/a.py:3:1 Library stubs not installed for \"requests\"",
            "mypy no-any-return TypeError Error pkg/a.py:11:5 Returning Any from function declared to return \"int\"",
        ]
    );
    let hint = report.findings[0].hint.as_deref().unwrap();
    assert!(hint.contains("types-requests"), "{hint}");
}

#[test]
fn the_lines_of_tsc_are_understood_with_what_belongs_to_them() {
    let report = told(include_str!("../src/fixtures/tsc.txt")).unwrap();
    assert_eq!(report.format, Some(Format::Tsc));
    assert_eq!(
        lines(&report)[2],
        "tsc TS2322 TypeError Error t.ts:3:7 Type 'string' is not assignable to type 'number'."
    );
    let report = told(
        "\n> shop@1.0.0 build\n> tsc --pretty false\n\nsrc/a.ts(1,1): error TS2345: Argument of type 'A' is not assignable.\n  Types of property 'x' are incompatible.\n    Type 'string' is not assignable to type 'number'.\nerror TS18003: No inputs were found.\n",
    )
    .unwrap();
    assert_eq!(report.findings.len(), 2);
    assert_eq!(report.findings[0].message.lines().count(), 3);
    assert_eq!(report.findings[1].file, None);
}

#[test]
fn cargo_and_rustc_are_understood_each_thing_once_and_lints_are_told_from_what_does_not_compile() {
    let report = told(include_str!("../src/fixtures/cargo.jsonl")).unwrap();
    assert_eq!(report.format, Some(Format::Cargo));
    assert_eq!(
        lines(&report),
        [
            "rustc E0308 BuildError Error src/lib.rs:2:44 mismatched types: expected `i32`, found `&str`"
        ]
    );
    assert!(report.findings[0].text.as_deref().unwrap().contains("-->"));
    let report = told(include_str!("../src/fixtures/clippy.jsonl")).unwrap();
    let kinds: Vec<_> = report
        .findings
        .iter()
        .map(|finding| (finding.tool.as_str(), finding.kind()))
        .collect();
    assert!(
        kinds.contains(&("clippy", ErrorKind::LintError)),
        "{kinds:?}"
    );
    assert!(
        kinds.contains(&("rustc", ErrorKind::LintError)),
        "{kinds:?}"
    );
    let report = told(include_str!("../src/fixtures/rustc.jsonl")).unwrap();
    assert_eq!(report.format, Some(Format::Rustc));
    assert_eq!(
        lines(&report),
        ["rustc unused_variables LintError Warning src/lib.rs:1:35 unused variable: `unused`"]
    );
    let twice = include_str!("../src/fixtures/cargo.jsonl").repeat(2);
    let among = format!("running 1 test\n{twice}");
    let report = told(&among).unwrap();
    assert_eq!((report.findings.len(), report.left_out.repeated), (1, 1));
}

/// A SARIF log of one run with these results.
fn sarif(results: &str) -> String {
    format!(
        r#"{{"version":"2.1.0","runs":[{{
            "tool":{{"driver":{{"name":"CodeCheck","semanticVersion":"3.1.4","rules":[
                {{"id":"R1","defaultConfiguration":{{"level":"error"}},"messageStrings":{{"default":{{"text":"`{{0}}` is wrong"}}}}}},
                {{"id":"R2","defaultConfiguration":{{"level":"none"}}}}]}}}},
            "originalUriBaseIds":{{"ROOT":{{"uri":"file:///build/agent/7/"}},"SRC":{{"uri":"src/","uriBaseId":"ROOT"}}}},
            "artifacts":[{{"location":{{"uri":"lib/b%20c.py"}}}}],
            "results":[{results}]}}]}}"#
    )
}

#[test]
fn sarif_is_read_by_its_own_rules_for_levels_messages_and_files() {
    let report = told(&sarif(
        r#"{"ruleIndex":0,"message":{"id":"default","arguments":["os"]},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"a.py","uriBaseId":"SRC"},"region":{"startLine":3,"startColumn":2}},"logicalLocations":[{"fullyQualifiedName":"shop.cart.total"}]}]},
           {"ruleId":"R1/1","level":"note","message":{"text":"m"},"locations":[{"physicalLocation":{"artifactLocation":{"index":0}}}]},
           {"ruleId":"unknown","message":{"text":"m"}},
           {"ruleId":"R2","message":{"text":"switched off"}},
           {"ruleId":"R1","kind":"pass","message":{"text":"as it should be"}},
           {"ruleId":"R1","message":{"text":"elsewhere"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"https://example.org/x.py"}}}]}"#,
    ))
    .unwrap();
    assert_eq!(
        lines(&report),
        [
            "codecheck R1 LintError Error a.py:3:2 `os` is wrong",
            "codecheck R1/1 LintError Note lib/b c.py:-:- m",
            "codecheck unknown LintError Warning -:-:- m",
            "codecheck R1 LintError Error -:-:- elsewhere",
        ]
    );
    assert_eq!(report.left_out.no_failure, 2);
    let first = &report.findings[0];
    assert_eq!(first.symbol.as_deref(), Some("shop.cart.total"));
    assert_eq!(first.tool_version.as_deref(), Some("3.1.4"));
}

#[test]
fn what_is_suppressed_or_in_the_baseline_is_counted_and_not_found() {
    let result = |more: &str| {
        format!(r#"{{"ruleId":"R1","message":{{"text":"{more}"}},{more}}}"#).replace(
            &format!("\"text\":\"{more}\""),
            &format!("\"text\":\"m{}\"", more.len()),
        )
    };
    let all = [
        r#""suppressions":[{"kind":"inSource"}]"#,
        r#""suppressions":[{"kind":"external","status":"accepted"}]"#,
        r#""suppressions":[{"kind":"external","status":"underReview"}]"#,
        r#""suppressions":[{"kind":"inSource"},{"kind":"external","status":"rejected"}]"#,
        r#""suppressions":[]"#,
        r#""baselineState":"unchanged""#,
        r#""baselineState":"absent""#,
        r#""baselineState":"updated""#,
        r#""baselineState":"new""#,
    ]
    .map(result)
    .join(",");
    let report = told(&sarif(&all)).unwrap();
    assert_eq!(
        report.left_out,
        LeftOut {
            suppressed: 2,
            in_baseline: 2,
            ..LeftOut::default()
        }
    );
    assert_eq!(report.findings.len(), 5, "{:#?}", report.findings);
}

#[test]
fn a_report_without_findings_is_one_of_any_format() {
    for text in [
        "",
        "\n",
        "[]",
        r#"{"version":"2.1.0","runs":[]}"#,
        "\u{feff}",
    ] {
        assert!(told(text).unwrap().findings.is_empty(), "{text}");
    }
}

#[test]
fn what_is_wrong_is_said_in_one_sentence_with_the_member_and_what_was_expected() {
    let sarif = |run: &str| format!(r#"{{"version":"2.1.0","runs":[{run}]}}"#);
    for (text, sentence) in [
        (
            r#"{"version":"2.0.0","runs":[]}"#.to_owned(),
            "at `$.version`: expected \"2.1.0\", but found \"2.0.0\"",
        ),
        (
            sarif("{}"),
            "at `$.runs[0]`: expected a member `tool`, but found none",
        ),
        (
            sarif(r#"{"tool":{"driver":{"name":1}}}"#),
            "at `$.runs[0].tool.driver.name`: expected a string, but found integer `1`",
        ),
        (
            sarif(r#"{"tool":{"driver":{"name":"x"}},"results":[{"message":"m"}]}"#),
            "at `$.runs[0].results[0].message`: expected an object, but found string \"m\"",
        ),
        (
            "{\"file\":\"a\",\"message\":\"m\",\"severity\":\"error\"}\n{\"file\":\"a\",\"message\":\"m\"}".to_owned(),
            "at line 2, `$`: expected a member `severity`, but found none",
        ),
        (
            r#"[{"x":1}]"#.to_owned(),
            "at `$[0]`: expected an object of ruff (with `code` and `location`) or of eslint (with `filePath` and `messages`), but found an object with `x`",
        ),
        (
            r#"[{"code":"F401","location":{},"filename":"a"}]"#.to_owned(),
            "at `$[0]`: expected a member `message`, but found none",
        ),
        (
            "src/a.ts:3:7 - error TS2322: m".to_owned(),
            "expected SARIF 2.1.0, JSON of cargo, rustc, mypy, ruff or eslint, or the lines of `tsc --pretty false`, but found what `tsc` prints for a terminal, so run it with `--pretty false`",
        ),
        (
            "pkg/a.py:1:1: F401 unused".to_owned(),
            "expected SARIF 2.1.0, JSON of cargo, rustc, mypy, ruff or eslint, or the lines of `tsc --pretty false`, but found a text that begins with `pkg/a.py:1:1: F401 unused`",
        ),
    ] {
        assert_eq!(told(&text).unwrap_err().to_string(), sentence);
    }
    for text in ["{\"runs\":[", "[{\"code\":", "{\"reason\":\n"] {
        let sentence = told(text).unwrap_err().to_string();
        assert!(sentence.contains("expected"), "{sentence}");
    }
}

#[test]
fn sizes_are_bounded() {
    let limits = Limits {
        bytes: 100,
        findings: 2,
        ..Limits::default()
    };
    let many = "a.ts(1,1): error TS1: a\nb.ts(1,1): error TS1: b\n";
    assert_eq!(
        read(many.as_bytes(), &limits, &shop())
            .unwrap()
            .findings
            .len(),
        2
    );
    let more = format!("{many}c.ts(1,1): error TS1: c\n");
    assert_eq!(
        read(more.as_bytes(), &limits, &shop()),
        Err(Unreadable::TooMany(2))
    );
    assert_eq!(
        read(&[b'x'; 101], &limits, &shop()),
        Err(Unreadable::TooLarge {
            bytes: 101,
            most: 100
        })
    );
    assert_eq!(
        read(b"[\xff]", &limits, &shop()),
        Err(Unreadable::Encoding(1))
    );
}

#[test]
fn every_finding_makes_a_message_that_the_fleet_takes() {
    for text in [
        include_str!("../src/fixtures/ruff.sarif"),
        include_str!("../src/fixtures/eslint.json"),
        include_str!("../src/fixtures/mypy.jsonl"),
        include_str!("../src/fixtures/tsc.txt"),
        include_str!("../src/fixtures/clippy.jsonl"),
    ] {
        for finding in told(text).unwrap().findings {
            let project = Project {
                repository: "/home/ci/shop".into(),
                revision: None,
                directory: None,
            };
            let error = finding.into_error(project, None);
            assert_eq!(error.check(), Ok(()));
            assert_eq!(
                Message::from(error).stream().to_string(),
                "automation:errors"
            );
        }
    }
}
