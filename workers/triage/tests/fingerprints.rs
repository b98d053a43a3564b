//! The same failure has the same fingerprint, and another has another.

use std::fmt::Write as _;

use maestro_protocol::error::{ErrorKind, ErrorReported};
use maestro_protocol::project::{Framework, Project, Test};
use maestro_triage::Failure;
use maestro_triage::fingerprint::fingerprint;
use proptest::prelude::*;

/// One failure, without what changes from run to run.
#[derive(Debug, Clone, PartialEq)]
struct Cause {
    repository: String,
    test: String,
    exception: &'static str,
    says: String,
    frames: Vec<(String, String)>,
}

/// What changes from run to run.
#[derive(Debug, Clone)]
struct Run {
    address: u64,
    lines: Vec<u32>,
    root: String,
    temporary: String,
    port: u16,
    pid: u32,
    seconds: f32,
    uuid: u128,
    stamp: i64,
    python: u8,
    duration: f64,
}

fn causes() -> impl Strategy<Value = Cause> {
    (
        "https://example\\.org/[a-z]{3,8}\\.git",
        "tests/test_[a-z]{3,8}\\.py::test_[a-z]{3,8}",
        prop::sample::select(vec![
            "ValueError",
            "KeyError",
            "ImportError",
            "AssertionError",
            "TimeoutError",
        ]),
        "[a-z]{3,8} [a-z]{3,8} [0-9]{1,3}",
        prop::collection::vec(("[a-z]{3,8}\\.py", "[a-z_]{3,8}"), 1..4),
    )
        .prop_map(|(repository, test, exception, says, frames)| Cause {
            repository,
            test,
            exception,
            says,
            frames,
        })
}

fn runs() -> impl Strategy<Value = Run> {
    (
        (
            any::<u64>(),
            prop::collection::vec(1_u32..5000, 4),
            "(/[a-z0-9_.-]{1,10}){1,4}",
            "[a-z0-9_]{4,12}",
        ),
        (1_u16.., any::<u32>(), 0.001_f32..100.0, any::<u128>()),
        (0_i64..4_000_000_000, 6_u8..15, 0.0..1e5),
    )
        .prop_map(
            |(
                (address, lines, root, temporary),
                (port, pid, seconds, uuid),
                (stamp, python, duration),
            )| Run {
                address,
                lines,
                root,
                temporary,
                port,
                pid,
                seconds,
                uuid,
                stamp,
                python,
                duration,
            },
        )
}

fn printed(cause: &Cause, run: &Run) -> ErrorReported {
    let uuid = format!("{:032x}", run.uuid);
    let uuid = format!(
        "{}-{}-{}-{}-{}",
        &uuid[..8],
        &uuid[8..12],
        &uuid[12..16],
        &uuid[16..20],
        &uuid[20..]
    );
    let says = format!(
        "{} in <Cart object at 0x{:x}> of {} at {} (127.0.0.1:{}, pid {}), see /tmp/run-{}/out.log, after {:.3} s",
        cause.says,
        run.address,
        uuid,
        jiff::Timestamp::constant(run.stamp, 0),
        run.port,
        run.pid,
        run.temporary,
        run.seconds,
    );
    let mut trace = "Traceback (most recent call last):\n".to_owned();
    for ((file, function), line) in cause.frames.iter().zip(&run.lines) {
        let _ = write!(
            trace,
            "  File \"{}/shop/{file}\", line {line}, in {function}\n    code()\n",
            run.root
        );
    }
    let _ = write!(
        trace,
        "  File \"{}/lib/python3.{}/site-packages/lib-{}/x.py\", line 3, in inner\n    raise\n{}: {says}\n",
        run.root, run.python, run.temporary, cause.exception,
    );
    ErrorReported {
        project: Project {
            repository: cause.repository.clone(),
            revision: Some(uuid),
            directory: None,
        },
        kind: ErrorKind::TestFailure,
        message: format!("{}: {says}", cause.exception),
        severity: None,
        stack_trace: Some(trace),
        file: Some(format!("{}/shop/{}", run.root, cause.frames[0].0)),
        line: run.lines.first().copied(),
        finding: None,
        test: Some(Test {
            id: cause.test.clone(),
            framework: Framework::Pytest,
            duration_ms: Some(run.duration),
        }),
        runtime: None,
        environment: None,
    }
}

fn of(report: &ErrorReported) -> String {
    fingerprint(
        report,
        &Failure::read(&report.message, report.stack_trace.as_deref()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_same_failure_in_two_runs_has_one_fingerprint(cause in causes(), one in runs(), other in runs()) {
        let (one, other) = (printed(&cause, &one), printed(&cause, &other));
        prop_assert_eq!(of(&one), of(&other), "{:#?}\n{:#?}", one, other);
    }

    #[test]
    fn two_failures_in_one_run_have_two_fingerprints(one in causes(), other in causes(), run in runs()) {
        prop_assume!(one != other);
        prop_assert_ne!(of(&printed(&one, &run)), of(&printed(&other, &run)));
    }

    #[test]
    fn a_change_of_any_one_part_changes_the_fingerprint(cause in causes(), other in causes(), part in 0..5, run in runs()) {
        let mut changed = cause.clone();
        match part {
            0 => changed.repository = other.repository,
            1 => changed.test = other.test,
            2 => changed.exception = other.exception,
            3 => changed.says = other.says,
            _ => changed.frames = other.frames,
        }
        prop_assume!(changed != cause);
        prop_assert_ne!(of(&printed(&cause, &run)), of(&printed(&changed, &run)));
    }

    #[test]
    fn no_text_is_too_odd_to_be_read(message in "\\PC{0,60}|[\\n\\x1b\\[:E >./a-zA-Z0-9]{0,80}", trace in "[\\n\\x1b:E >./()a-zA-Z0-9é]{0,200}") {
        let mut report = printed(&Cause {
            repository: "r".into(), test: "t".into(), exception: "E", says: String::new(), frames: vec![("a".into(), "b".into())],
        }, &Run {
            address: 0, lines: vec![1], root: String::new(), temporary: String::new(), port: 1, pid: 1, seconds: 1.0, uuid: 1, stamp: 1, python: 9, duration: 1.0,
        });
        report.message = message;
        report.stack_trace = Some(trace);
        prop_assert_eq!(of(&report).len(), 32);
    }
}

#[test]
fn how_the_repository_is_written_makes_no_difference_where_git_sees_none() {
    let of_repository = |repository: &str| {
        of(&ErrorReported {
            project: Project {
                repository: repository.into(),
                revision: None,
                directory: None,
            },
            kind: ErrorKind::LintError,
            message: "E501".into(),
            severity: None,
            stack_trace: None,
            file: None,
            line: None,
            finding: None,
            test: None,
            runtime: None,
            environment: None,
        })
    };
    assert_eq!(
        of_repository("https://example.org/shop.git"),
        of_repository("https://example.org/shop/")
    );
    assert_ne!(
        of_repository("https://example.org/shop"),
        of_repository("https://example.org/cart")
    );
}
