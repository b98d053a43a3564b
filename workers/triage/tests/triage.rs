//! What becomes of reported errors, without a server.

use std::time::Duration;

use jiff::Timestamp;
use maestro_protocol::error::{Decision, ErrorKind, ErrorReported, ErrorTriaged, Severity};
use maestro_protocol::heal::HealRequested;
use maestro_protocol::project::{Framework, Project, Runtime, Test};
use maestro_protocol::{Decoded, Envelope, Message, decode_on};
use maestro_triage::recurrence::Unavailable;
use maestro_triage::{InMemory, Recurrence, Seen, Triage};
use maestro_worker::{Context, Outcome, Reply, Worker};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::constant(1_782_907_200, 0);

fn report(kind: ErrorKind, message: &str) -> ErrorReported {
    ErrorReported {
        project: Project {
            repository: "https://example.org/shop.git".into(),
            revision: None,
            directory: None,
        },
        kind,
        message: message.into(),
        severity: None,
        stack_trace: None,
        file: None,
        line: None,
        finding: None,
        test: None,
        runtime: None,
        environment: None,
    }
}

fn of_test(mut report: ErrorReported, framework: Framework, id: &str) -> ErrorReported {
    report.test = Some(Test {
        id: id.into(),
        framework,
        duration_ms: None,
    });
    report
}

fn pytest(kind: ErrorKind, message: &str) -> ErrorReported {
    of_test(
        report(kind, message),
        Framework::Pytest,
        "tests/test_cart.py::test_total",
    )
}

fn with_command(mut report: ErrorReported, command: &[&str]) -> ErrorReported {
    report.runtime = Some(Runtime {
        command: Some(command.iter().map(|&word| word.to_owned()).collect()),
        ..Runtime::default()
    });
    report
}

fn message(id: &str, report: ErrorReported) -> Decoded<ErrorReported> {
    let Ok(Value::Object(members)) = serde_json::to_value(&report) else {
        panic!("a report is an object")
    };
    Decoded {
        envelope: Envelope {
            id: Some(id.into()),
            ..Envelope::default()
        },
        payload: report,
        members,
    }
}

async fn replies<R: Recurrence>(worker: &Triage<R>, message: Decoded<ErrorReported>) -> Vec<Reply> {
    match worker.handle(message, Context::at(NOW)).await {
        Outcome::Done(replies) => replies,
        other => panic!("{other:?}"),
    }
}

fn triaged(replies: &[Reply]) -> ErrorTriaged {
    match replies[0].message() {
        Message::ErrorTriaged(triaged) => triaged.clone(),
        other => panic!("{other:?}"),
    }
}

fn requested(replies: &[Reply]) -> Option<HealRequested> {
    replies.get(1).map(|reply| match reply.message() {
        Message::HealRequested(request) => request.clone(),
        other => panic!("{other:?}"),
    })
}

/// The decision about a report that nothing like was seen before.
async fn triage(report: ErrorReported) -> (ErrorTriaged, Option<HealRequested>) {
    let replies = replies(&Triage::new(InMemory::default()), message("m1", report)).await;
    (triaged(&replies), requested(&replies))
}

#[tokio::test]
async fn all_seven_kinds_are_taken_and_four_of_them_are_healed() {
    for (kind, decision, severity) in [
        (ErrorKind::TestFailure, Decision::Heal, Severity::Medium),
        (ErrorKind::RuntimeError, Decision::Heal, Severity::High),
        (ErrorKind::ImportError, Decision::Heal, Severity::High),
        (ErrorKind::DependencyError, Decision::Heal, Severity::High),
        (
            ErrorKind::BuildError,
            Decision::NotHealable,
            Severity::Critical,
        ),
        (
            ErrorKind::TypeError,
            Decision::NotHealable,
            Severity::Medium,
        ),
        (ErrorKind::LintError, Decision::NotHealable, Severity::Low),
    ] {
        let (triaged, request) = triage(pytest(kind, "it broke")).await;
        assert_eq!(triaged.kind, kind);
        assert_eq!(triaged.decision, decision, "{kind:?}");
        assert_eq!(triaged.severity, severity, "{kind:?}");
        assert_eq!(request.is_some(), decision == Decision::Heal, "{kind:?}");
        assert_eq!((triaged.occurrences, triaged.first.as_str()), (1, "m1"));
    }
}

#[tokio::test]
async fn a_kind_that_the_exception_contradicts_is_corrected_and_the_reason_says_so() {
    let (triaged, request) = triage(pytest(
        ErrorKind::TestFailure,
        "ModuleNotFoundError: No module named 'nose'",
    ))
    .await;
    assert_eq!(triaged.kind, ErrorKind::ImportError);
    assert_eq!(
        triaged.reason,
        "its test can be run again, and there are strategies for it; reported as test_failure, but \
         `ModuleNotFoundError` says that something could not be imported"
    );
    assert_eq!(
        request.map(|request| request.kind),
        Some(ErrorKind::ImportError)
    );

    let conflict =
        "pkg_resources.VersionConflict: (six 1.10 (site-packages), Requirement.parse('six>=1.16'))";
    assert_eq!(
        triage(pytest(ErrorKind::ImportError, conflict))
            .await
            .0
            .kind,
        ErrorKind::DependencyError
    );

    let mut compiled = of_test(
        report(ErrorKind::TestFailure, "cargo test failed"),
        Framework::Cargo,
        "total",
    );
    compiled.stack_trace = Some(include_str!("texts/cargo-compile.txt").into());
    let (compiled, _) = triage(compiled).await;
    assert_eq!(
        (compiled.kind, compiled.severity),
        (ErrorKind::BuildError, Severity::Critical)
    );

    let mut raised = pytest(
        ErrorKind::TypeError,
        "TypeError: total() takes 0 positional arguments",
    );
    raised.stack_trace = Some("tests/test_cart.py:5: in test_total\n    total(1)\nE   TypeError: total() takes 0 positional arguments\n".into());
    assert_eq!(triage(raised).await.0.kind, ErrorKind::TestFailure);
}

#[tokio::test]
async fn a_kind_that_fits_stays() {
    let (assertion, _) = triage(pytest(
        ErrorKind::TestFailure,
        "AssertionError: assert 3 == 4",
    ))
    .await;
    assert_eq!(assertion.kind, ErrorKind::TestFailure);
    assert!(!assertion.reason.contains("reported as"));
    // A type checker's complaint about an import is a complaint about types.
    let checker = "error: Cannot find implementation or library stub for module named \"nose\"  [import-not-found]";
    assert_eq!(
        triage(report(ErrorKind::TypeError, checker)).await.0.kind,
        ErrorKind::TypeError
    );
    let missing = pytest(
        ErrorKind::DependencyError,
        "ModuleNotFoundError: No module named 'nose'",
    );
    assert_eq!(triage(missing).await.0.kind, ErrorKind::DependencyError);
}

#[tokio::test]
async fn a_severity_that_was_given_stays_and_a_runner_that_cannot_start_is_critical() {
    let mut given = pytest(ErrorKind::ImportError, "m");
    given.severity = Some(Severity::Low);
    let (triaged, request) = triage(given).await;
    assert_eq!(triaged.severity, Severity::Low);
    assert_eq!(
        request.and_then(|request| request.severity),
        Some(Severity::Low)
    );
    let conftest = pytest(
        ErrorKind::TestFailure,
        "ImportError while loading conftest '/srv/shop/conftest.py'.\nE   ImportError: cannot import name 'x' from 'y'",
    );
    let (triaged, _) = triage(conftest).await;
    assert_eq!(
        (triaged.severity, triaged.kind),
        (Severity::Critical, ErrorKind::ImportError)
    );
}

#[tokio::test]
async fn tests_of_node_are_healed_whether_they_are_named_or_their_command_is() {
    let failure = || report(ErrorKind::TestFailure, "Error: Cannot find module 'ms'");
    for report in [
        of_test(failure(), Framework::NodeTest, "test/span.test.js"),
        of_test(failure(), Framework::Jest, "cart total"),
        with_command(failure(), &["node", "--test"]),
        with_command(failure(), &["npm", "test"]),
        with_command(failure(), &["npx", "--yes", "vitest", "run"]),
    ] {
        let (triaged, request) = triage(report).await;
        assert!(request.is_some(), "{triaged:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_healed_has_an_honest_reason() {
    for (report, reason) in [
        (
            pytest(ErrorKind::TypeError, "m"),
            "no strategy heals a type_error yet",
        ),
        (
            of_test(
                report(ErrorKind::TestFailure, "m"),
                Framework::Cargo,
                "cart::total",
            ),
            "only tests of Python and Node can be healed yet, and this is one of cargo",
        ),
        (
            with_command(
                report(ErrorKind::TestFailure, "m"),
                &["npm", "install", "pytest"],
            ),
            "only commands that run tests of Python or Node can be healed yet, and this one runs `npm`",
        ),
        (
            report(ErrorKind::TestFailure, "AssertionError"),
            "neither a test nor a command is named, so it cannot be shown to fail and then to pass",
        ),
        (
            report(
                ErrorKind::ImportError,
                "Error: Cannot find module 'left-pad'",
            ),
            "neither a test nor a command is named, so it cannot be shown to fail and then to pass",
        ),
    ] {
        let (triaged, request) = triage(report).await;
        assert_eq!(
            (triaged.decision, triaged.reason.as_str()),
            (Decision::NotHealable, reason)
        );
        assert_eq!(request, None);
    }
}

#[tokio::test]
async fn a_command_that_runs_python_tests_will_do_without_a_test() {
    for command in [
        &["pytest", "-x"][..],
        &["/srv/venv/bin/python3.11", "-m", "pytest"],
        &["python", "-m", "unittest", "discover"],
        &["uv", "run", "--with", "six", "pytest"],
    ] {
        let report = with_command(report(ErrorKind::TestFailure, "m"), command);
        assert_eq!(
            triage(report).await.0.decision,
            Decision::Heal,
            "{command:?}"
        );
    }
    let import = report(
        ErrorKind::ImportError,
        "ModuleNotFoundError: No module named 'nose'",
    );
    assert_eq!(triage(import).await.0.decision, Decision::Heal);
}

#[tokio::test]
async fn repeats_are_counted_and_request_no_second_heal() {
    let worker = Triage::new(InMemory::default());
    for (id, position) in [("a", 1), ("b", 2), ("c", 3)] {
        let mut report = pytest(
            ErrorKind::TestFailure,
            "ValueError: no items in <Cart object at 0x7fd5>",
        );
        report.line = Some(position);
        let replies = replies(&worker, message(id, report)).await;
        let triaged = triaged(&replies);
        assert_eq!(triaged.occurrences, u64::from(position));
        assert_eq!(triaged.first, "a");
        let expected = if position == 1 {
            Decision::Heal
        } else {
            Decision::Repeat
        };
        assert_eq!(triaged.decision, expected);
        assert_eq!(replies.len(), if position == 1 { 2 } else { 1 });
    }
    let other = of_test(
        report(ErrorKind::TestFailure, "ValueError: no items"),
        Framework::Pytest,
        "tests/test_cart.py::test_other",
    );
    assert_eq!(
        triaged(&replies(&worker, message("d", other)).await).decision,
        Decision::Heal
    );
}

#[tokio::test]
async fn a_message_that_is_delivered_again_does_not_suppress_its_own_heal() {
    let worker = Triage::new(InMemory::default());
    let report = pytest(ErrorKind::TestFailure, "AssertionError");
    let first = replies(&worker, message("a", report.clone())).await;
    let _ = replies(&worker, message("b", report.clone())).await;
    assert_eq!(replies(&worker, message("a", report)).await, first);
}

#[tokio::test]
async fn the_same_id_from_two_sources_is_two_messages() {
    let worker = Triage::new(InMemory::default());
    let mut decisions = Vec::new();
    for source in ["ci/1", "ci/2"] {
        let mut message = message("1", pytest(ErrorKind::TestFailure, "AssertionError"));
        message.envelope.source = Some(source.into());
        let triaged = triaged(&replies(&worker, message).await);
        assert_eq!(triaged.first, "1");
        decisions.push(triaged.decision);
    }
    assert_eq!(decisions, [Decision::Heal, Decision::Repeat]);
}

#[tokio::test]
async fn the_heal_request_carries_the_report_on_with_what_nobody_here_knows() {
    let mut message = message("a", pytest(ErrorKind::TestFailure, "ImportError: no"));
    message
        .members
        .insert("policy".into(), json!({ "max_runs": 5 }));
    message.members.insert("owner".into(), json!("ada"));
    message.members["project"]["mirror"] = json!("x");
    message.envelope.expirytime = Some(NOW);
    let cause = message.envelope.clone();
    let replies = replies(&Triage::new(InMemory::default()), message).await;
    let (stream, fields) = replies[1]
        .encode(&cause, 1, "triage", NOW)
        .expect("a request");
    let fields = fields
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let request = decode_on(stream, fields).expect("a request that the heal worker reads");
    assert_eq!(request.envelope.id.as_deref(), Some("a/1"));
    assert_eq!(request.envelope.expirytime, Some(NOW));
    assert_eq!(request.members["owner"], "ada");
    assert_eq!(request.members["project"]["mirror"], "x");
    assert_eq!(request.members["kind"], "import_error");
    let Message::HealRequested(request) = request.payload else {
        panic!("{request:?}")
    };
    assert_eq!(request.policy.and_then(|policy| policy.max_runs), Some(5));
}

/// A memory that cannot be asked.
struct Down;

impl Recurrence for Down {
    async fn record(&self, _: &str, _: &str, _: Duration) -> Result<Seen, Unavailable> {
        Err(Unavailable("connection refused".into()))
    }
}

#[tokio::test]
async fn a_memory_that_cannot_be_asked_is_no_fault_of_the_message() {
    let message = message("a", pytest(ErrorKind::TestFailure, "m"));
    assert_eq!(
        Triage::new(Down).handle(message, Context::at(NOW)).await,
        Outcome::Unavailable {
            dependency: "redis".into(),
            detail: "connection refused".into()
        }
    );
}
