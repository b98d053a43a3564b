use maestro_entry::block::NotSent;
use maestro_protocol::environment::{Log, TestOutcome};
use maestro_protocol::heal::Counts;
use maestro_protocol::project::Framework;
use maestro_protocol::{Envelope, Message, encode};
use proptest::prelude::*;

use super::*;
use crate::testing::unpack::ReportError;

const PYTEST: &str = r#"<testsuites name="pytest tests"><testsuite name="pytest">
<testcase classname="tests.test_cart.TestCart" name="test_total" time="0.25"><failure message="assert 3 == 4">tests/test_cart.py:6: AssertionError</failure></testcase>
<testcase classname="tests.test_cart" name="test_db" time="0.1"><error message="failed on setup with &quot;RuntimeError: no database&quot;">tests/conftest.py:9: RuntimeError</error></testcase>
<testcase classname="tests.test_cart" name="test_ok"/><testcase classname="tests.test_cart" name="test_later"><skipped/></testcase>
</testsuite></testsuites>"#;

fn project() -> Project {
    Project {
        repository: "https://example.org/shop.git".into(),
        revision: Some("abc123".into()),
        directory: None,
    }
}

fn job(framework: Option<Framework>) -> TestJob {
    TestJob {
        image: "shop-tests:1".into(),
        command: vec!["pytest".into(), "-q".into()],
        env: None,
        timeout_s: Some(30),
        framework,
        junit_path: Some("/results/junit.xml".into()),
    }
}

fn captured(report: Result<&str, ReportError>) -> Captured {
    Captured {
        log: Log {
            head: "first\nlast\n".into(),
            omitted_bytes: None,
            tail: None,
        },
        report: report.map(|text| text.as_bytes().to_vec()),
    }
}

fn exited(code: i32) -> Ending {
    Ending {
        exit_code: Some(code),
        reason: Some(if code == 0 { "Completed" } else { "Error" }.into()),
        message: None,
    }
}

fn tested(ending: Ending, project: Option<&Project>, test: &TestJob, captured: Captured) -> Tested {
    let run = TestRun {
        environment: "01J",
        namespace: "maestro-01j",
        project,
        test,
        ending,
        duration: Duration::from_millis(1234),
        worker_version: Some("1.0.0"),
    };
    Tested::of(&run, captured)
}

fn reason(ending: Ending, captured: Captured) -> String {
    tested(ending, Some(&project()), &job(None), captured)
        .tested
        .reason
        .unwrap()
}

#[test]
fn a_run_with_failing_tests_becomes_one_result_and_an_error_for_each() {
    let Tested { tested, errors } = tested(
        exited(1),
        Some(&project()),
        &job(None),
        captured(Ok(PYTEST)),
    );
    assert_eq!(tested.outcome, TestOutcome::Failed);
    assert_eq!(tested.exit_code, Some(1));
    assert_eq!(tested.reason.as_deref(), Some("2 of 4 tests failed"));
    assert_eq!(
        tested.tests,
        Some(Counts {
            passed: 1,
            failed: 1,
            errors: 1,
            skipped: 1
        })
    );
    assert_eq!(tested.reported, Some(2));
    assert_eq!(tested.duration_ms, 1234);
    assert_eq!(tested.excerpt.as_deref(), Some("first\nlast"));
    assert_eq!(tested.project, Some(project()));
    let named: Vec<_> = tested
        .failures
        .unwrap()
        .into_iter()
        .map(|test| (test.id, test.message))
        .collect();
    assert_eq!(
        named,
        [
            (
                "tests/test_cart.py::TestCart::test_total".to_owned(),
                "assert 3 == 4".to_owned()
            ),
            (
                "tests/test_cart.py::test_db".to_owned(),
                "failed on setup with \"RuntimeError: no database\"".to_owned()
            ),
        ]
    );

    assert_eq!(errors.len(), 2);
    let first = &errors[0];
    assert_eq!(first.project.revision.as_deref(), Some("abc123"));
    assert_eq!(first.environment.as_deref(), Some("01J"));
    let test = first.test.as_ref().unwrap();
    assert_eq!(test.id, "tests/test_cart.py::TestCart::test_total");
    assert_eq!(test.framework, Framework::Pytest);
    assert_eq!(test.duration_ms, Some(250.0));
    assert_eq!(
        (first.file.as_deref(), first.line),
        (Some("tests/test_cart.py"), Some(6))
    );
    assert_eq!(
        first.stack_trace.as_deref(),
        Some("tests/test_cart.py:6: AssertionError")
    );
}

#[test]
fn without_a_project_nothing_is_reported_and_the_result_names_the_tests_all_the_same() {
    let Tested { tested, errors } = tested(exited(1), None, &job(None), captured(Ok(PYTEST)));
    assert!(errors.is_empty());
    assert_eq!(tested.reported, None);
    assert_eq!(tested.failures.map(|all| all.len()), Some(2));
    assert_eq!(tested.reason.as_deref(), Some("2 of 4 tests failed"));
}

#[test]
fn a_test_of_an_unknown_runner_is_reported_without_a_test_and_by_its_name() {
    let report = "<testsuite><testcase classname='shop.Cart' name='total'><failure message='no'/></testcase></testsuite>";
    let unknown = tested(
        exited(1),
        Some(&project()),
        &job(None),
        captured(Ok(report)),
    );
    assert_eq!(unknown.errors[0].test, None);
    assert_eq!(unknown.errors[0].message, "shop.Cart total: no");
    let known = tested(
        exited(1),
        Some(&project()),
        &job(Some(Framework::Jest)),
        captured(Ok(report)),
    );
    assert_eq!(known.errors[0].test.as_ref().unwrap().id, "shop.Cart total");
    assert_eq!(known.errors[0].message, "no");
}

#[test]
fn the_reason_is_one_sentence_whatever_happened() {
    let all = "<testsuite><testcase name='a'/><testcase name='b'/></testsuite>";
    let skipped =
        "<testsuite><testcase name='a'/><testcase name='b'><skipped/></testcase></testsuite>";
    let none = |error: ReportError| captured(Err(error));
    let ended = |exit_code, reason: &str, message: &str| Ending {
        exit_code,
        reason: Some(reason.into()),
        message: Some(message.into()),
    };
    for (ending, captured, expected) in [
        (exited(0), captured(Ok(all)), "2 tests passed"),
        (exited(0), captured(Ok(skipped)), "1 test passed, 1 skipped"),
        (
            exited(0),
            captured(Ok(PYTEST)),
            "the tests exited with 0, though 2 of 4 tests failed",
        ),
        (
            exited(2),
            captured(Ok(all)),
            "the tests exited with 2, though none of 2 tests failed",
        ),
        (
            exited(3),
            none(NotSent::Missing.into()),
            "the tests exited with 3; the tests wrote no report",
        ),
        (
            exited(1),
            captured(Ok("<html/>")),
            "the tests exited with 1; their report cannot be read: line 1: expected `<testsuites>` or `<testsuite>` as the root of a JUnit report, but found `<html>`",
        ),
        (
            exited(127),
            none(NotSent::Missing.into()),
            "`pytest`, or what it runs, was not found in the image `shop-tests:1` (exit code 127); the tests wrote no report",
        ),
        (
            exited(139),
            none(ReportError::Absent),
            "the tests were ended by signal 11 (SIGSEGV); the tests were ended before their report was sent",
        ),
        (
            ended(
                Some(143),
                "DeadlineExceeded",
                "Job was active longer than specified deadline",
            ),
            none(ReportError::Absent),
            "the tests ran longer than the 30 s that they may; the tests were ended before their report was sent",
        ),
        (
            ended(Some(137), "OOMKilled", ""),
            none(ReportError::Incomplete),
            "the tests were killed because they used more memory than they may; the report in the log is not complete",
        ),
        (
            ended(
                None,
                "Evicted",
                "The node was low\non resource: \u{1b}[1mmemory.\n",
            ),
            none(ReportError::Absent),
            "the tests could not be run to their end: Evicted: The node was low on resource: memory.; the tests were ended before their report was sent",
        ),
    ] {
        assert_eq!(reason(ending, captured), expected);
    }
}

#[test]
fn a_report_that_nobody_asked_for_is_no_matter() {
    let mut test = job(None);
    test.junit_path = None;
    let Tested { tested, errors } = tested(
        exited(0),
        Some(&project()),
        &test,
        captured(Err(ReportError::Absent)),
    );
    assert_eq!(tested.reason.as_deref(), Some("the tests exited with 0"));
    assert_eq!((tested.tests, tested.failures), (None, None));
    assert!(errors.is_empty());
}

#[test]
fn of_very_many_failures_the_first_are_named_and_reported_and_the_rest_are_counted() {
    let case = "<testcase classname='a.test_x' name='t'><failure message='no'/></testcase>";
    let report = format!("<testsuite name='pytest'>{}</testsuite>", case.repeat(1000));
    let Tested { tested, errors } = tested(
        exited(1),
        Some(&project()),
        &job(None),
        captured(Ok(&report)),
    );
    assert_eq!(errors.len(), 200);
    assert_eq!(tested.reported, Some(200));
    assert_eq!(tested.failures.map(|all| all.len()), Some(100));
    assert_eq!(
        tested.reason.as_deref(),
        Some("1000 of 1000 tests failed; 800 more failing tests are not reported")
    );
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,60}",
        any::<String>(),
        ("[\"\\\\\u{1}\u{fffd}a\n]", 0..3_000_usize).prop_map(|(piece, times)| piece.repeat(times)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever a container says, what is published of it is taken by every reader.
    #[test]
    fn every_message_is_one_that_the_protocol_takes(
        cases in prop::collection::vec((text(), text(), text(), text()), 0..60),
        log in (text(), text()),
        exit_code in any::<Option<i32>>(),
        why in (prop::option::of(text()), prop::option::of(text())),
        framework in prop::option::of(prop_oneof![
            Just(Framework::Pytest), Just(Framework::Unittest), Just(Framework::NodeTest),
            Just(Framework::Jest), Just(Framework::Vitest), Just(Framework::Cargo),
        ]),
        repeat in 1..200_usize,
    ) {
        let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
        let cases_as_xml: Vec<String> = cases.iter().map(|(classname, name, message, body)| format!(
            "<testcase classname=\"{}\" name=\"{}\"><failure message=\"{}\">{}</failure></testcase>",
            escaped(classname), escaped(name), escaped(message), escaped(body),
        )).collect();
        let report = cases_as_xml.concat();
        let captured = Captured {
            log: Log { head: log.0.repeat(repeat), omitted_bytes: Some(1), tail: Some(log.1.repeat(repeat)) },
            report: Ok(format!("<testsuite>{report}</testsuite>").into_bytes()),
        };
        let ending = Ending { exit_code, reason: why.0, message: why.1 };
        let Tested { tested, errors } = tested(ending, Some(&project()), &job(framework), captured);
        let counts = tested.tests.expect("the report is read");
        prop_assert_eq!(counts.failed as usize, cases.len());
        prop_assert_eq!(errors.len(), cases.len());
        let mut all: Vec<Message> = errors.into_iter().map(Message::from).collect();
        all.push(tested.into());
        for message in all {
            let size = serde_json::to_vec(&message).unwrap().len();
            prop_assert!(size <= maestro_protocol::MAX_MESSAGE_BYTES / 4 * 3, "{size}");
            if let Err(refusal) = encode(&Envelope::default(), &message) {
                prop_assert!(false, "{refusal:?}");
            }
        }
    }
}
