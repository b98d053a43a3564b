//! What checkers find: what it is, when it is the same, and whether anything can be done about it.

use maestro_protocol::error::{Decision, ErrorReported, ErrorTriaged, Severity};
use maestro_protocol::{Decoded, Envelope, Message};
use maestro_triage::{Failure, InMemory, Triage, fingerprint};
use maestro_worker::{Context, Outcome, Worker};
use serde_json::{Value, json};

fn report(more: &Value) -> ErrorReported {
    let mut report = json!({
        "project": { "repository": "https://example.org/shop.git" },
        "kind": "lint_error",
        "message": "`os` imported but unused",
        "file": "shop/cart.py",
        "line": 1,
        "finding": { "tool": "ruff", "rule": "F401", "level": "error", "symbol": "os" }
    });
    for (name, value) in more.as_object().expect("members") {
        report[name] = value.clone();
    }
    serde_json::from_value(report).expect("a report")
}

async fn triaged(more: Value) -> ErrorTriaged {
    let message = Decoded {
        envelope: Envelope {
            id: Some("a".into()),
            ..Envelope::default()
        },
        members: serde_json::Map::new(),
        payload: report(&more),
    };
    let now = jiff::Timestamp::constant(1_782_907_200, 0);
    let outcome = Triage::new(InMemory::default())
        .handle(message, Context::at(now))
        .await;
    let Outcome::Done(replies) = outcome else {
        panic!("{outcome:?}");
    };
    let Message::ErrorTriaged(triaged) = replies[0].message() else {
        panic!("{replies:?}");
    };
    assert_eq!(replies.len() == 2, triaged.decision == Decision::Heal);
    triaged.clone()
}

#[tokio::test]
async fn what_has_a_repair_is_healed_and_the_rest_is_told_why_not() {
    let of = |tool: &str, rule: &str| json!({ "tool": tool, "rule": rule, "level": "error" });
    for (more, decision, severity, says) in [
        (
            json!({}),
            Decision::Heal,
            Severity::Low,
            "ruff can be run again",
        ),
        (
            json!({ "kind": "type_error", "finding": of("mypy", "arg-type") }),
            Decision::Heal,
            Severity::Medium,
            "mypy can be run again",
        ),
        (
            json!({ "kind": "type_error", "finding": of("pyright", "x") }),
            Decision::NotHealable,
            Severity::Medium,
            "of type errors only those of mypy and tsc can be healed yet, and this one is of pyright",
        ),
        (
            json!({ "finding": of("flake8", "E501") }),
            Decision::NotHealable,
            Severity::Low,
            "of lint errors only those of ruff and eslint can be healed yet, and this one is of flake8",
        ),
        (
            json!({ "kind": "build_error", "finding": of("rustc", "E0308") }),
            Decision::NotHealable,
            Severity::Critical,
            "no strategy heals a build_error yet",
        ),
        (
            json!({ "finding": { "tool": "eslint" } }),
            Decision::NotHealable,
            Severity::Low,
            "eslint names no rule that it breaks",
        ),
        (
            json!({ "file": null }),
            Decision::NotHealable,
            Severity::Low,
            "ruff names no file",
        ),
        (
            json!({ "file": "/usr/lib/python3/x.py" }),
            Decision::NotHealable,
            Severity::Low,
            "its file lies outside of the project",
        ),
    ] {
        let triaged = triaged(more.clone()).await;
        assert_eq!(
            (triaged.decision, triaged.severity),
            (decision, severity),
            "{more}: {}",
            triaged.reason
        );
        assert!(triaged.reason.contains(says), "{more}: {}", triaged.reason);
        assert_eq!(triaged.finding, report(&more).finding);
    }
}

fn print(more: &Value) -> String {
    let report = report(more);
    let failure = Failure::read(&report.message, None);
    fingerprint::fingerprint(&report, &failure)
}

#[test]
fn a_finding_is_the_same_wherever_its_line_is_and_another_where_rule_file_or_symbol_is() {
    let same = print(&json!({}));
    for more in [
        json!({ "line": 40 }),
        json!({ "line": null }),
        json!({ "severity": "high" }),
        json!({ "finding": { "tool": "ruff", "rule": "F401", "symbol": "os", "column": 9, "tool_version": "0.1" } }),
    ] {
        assert_eq!(print(&more), same, "{more}");
    }
    for more in [
        json!({ "file": "shop/order.py" }),
        json!({ "file": "admin/cart.py" }),
        json!({ "message": "`sys` imported but unused" }),
        json!({ "finding": { "tool": "ruff", "rule": "F811", "symbol": "os" } }),
        json!({ "finding": { "tool": "flake8", "rule": "F401", "symbol": "os" } }),
        json!({ "finding": { "tool": "ruff", "rule": "F401", "symbol": "shop.cart.total" } }),
    ] {
        assert_ne!(print(&more), same, "{more}");
    }
}
