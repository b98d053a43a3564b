//! The message that a failing case becomes.

use std::collections::HashMap;
use std::path::Path;

use maestro_protocol::error::{ErrorKind, ErrorReported};
use maestro_protocol::project::{Framework, Project, Runtime, Test};
use sha2::{Digest, Sha256};

use super::report::{Case, Report};
use crate::hex::hex;

use super::{identity, pytest, unittest};

/// The most bytes of an error's own text; its whole text is in the stack trace.
const MAX_MESSAGE: usize = 8 * 1024;

/// What all failures of one report have in common.
#[derive(Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) project: &'a Project,
    pub(crate) runtime: Option<&'a Runtime>,
    pub(crate) framework: Framework,
    /// Where the tests were run, to look up files.
    pub(crate) directory: &'a Path,
}

/// One message, and the id under which it is published.
#[derive(Debug)]
pub(crate) struct Reported {
    pub(crate) id: String,
    pub(crate) error: ErrorReported,
}

/// The messages of a report.
///
/// A message's id is a hash of the report's bytes, the run that the producer names, the message, and how
/// often this same message stood before it in the report: publishing a report again says the same again, and the fleet
/// does not handle it twice.
pub(crate) fn messages(
    report: &Report,
    bytes: &[u8],
    run: Option<&str>,
    setting: &Setting<'_>,
) -> Vec<Reported> {
    let report_hash = Sha256::digest(bytes);
    let mut seen: HashMap<Vec<u8>, u32> = HashMap::new();
    report
        .failing
        .iter()
        .map(|case| {
            let error = message(case, setting);
            let mut hash = Sha256::new();
            hash.update(report_hash);
            hash.update([u8::from(run.is_some())]);
            hash.update(run.unwrap_or_default());
            hash.update([0]);
            hash.update(serde_json::to_vec(&error).unwrap_or_default());
            let repeat = seen.entry(hash.clone().finalize().to_vec()).or_default();
            hash.update(repeat.to_be_bytes());
            *repeat += 1;
            Reported {
                id: hex(&hash.finalize()[..16]),
                error,
            }
        })
        .collect()
}

fn message(case: &Case, setting: &Setting<'_>) -> ErrorReported {
    let problem = &case.problem;
    let text = says_why(case, setting.framework);
    let place = match setting.framework {
        Framework::Pytest => pytest::place_in(&problem.text),
        _ => None,
    };
    ErrorReported {
        project: setting.project.clone(),
        kind: kind(case, &text),
        message: cut(&text, MAX_MESSAGE).to_owned(),
        severity: None,
        stack_trace: Some(problem.text.clone()).filter(|text| !text.trim().is_empty()),
        line: place.as_ref().map(|(_, line)| *line),
        file: place.map(|(file, _)| file),
        test: Some(Test {
            id: identity::id(case, setting.framework, setting.directory),
            framework: setting.framework,
            duration_ms: case.seconds.map(|seconds| (seconds * 1e6).round() / 1e3),
        }),
        runtime: setting.runtime.cloned(),
        environment: None,
    }
}

/// The error's own text: the message, unless that only says in which phase it was.
fn says_why(case: &Case, framework: Framework) -> String {
    let problem = &case.problem;
    let message = problem.message.trim();
    let vague = message.is_empty() || message == "collection failure";
    let from_text = || match framework {
        Framework::Pytest => pytest::exception_of(&problem.text),
        Framework::Unittest => unittest::exception_of(&problem.text),
        _ => None,
    };
    if !vague {
        // unittest-xml-reporting keeps the exception's class apart from its message.
        let class_apart = framework == Framework::Unittest
            && !problem.class.is_empty()
            && !message.starts_with(problem.class.as_str());
        return if class_apart {
            format!("{}: {message}", problem.class)
        } else {
            message.to_owned()
        };
    }
    from_text()
        .or_else(|| first_line(&problem.text))
        .or_else(|| Some(problem.class.clone()).filter(|class| !class.is_empty()))
        .unwrap_or_else(|| "the test failed without a message".to_owned())
}

fn first_line(text: &str) -> Option<String> {
    text.lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .map(str::to_owned)
}

/// A test that ran and failed is a test failure whatever it raised; what kept it from running has its own kind.
fn kind(case: &Case, message: &str) -> ErrorKind {
    let kept_from_running =
        case.classname.is_empty() || case.classname == "unittest.loader._FailedTest";
    let import = message.contains("ModuleNotFoundError") || message.contains("ImportError");
    if kept_from_running && import {
        ErrorKind::ImportError
    } else {
        ErrorKind::TestFailure
    }
}

fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use super::super::{report, runner};
    use super::*;

    fn project() -> Project {
        Project {
            repository: "https://example.org/x.git".into(),
            revision: None,
            directory: None,
        }
    }

    fn read(xml: &str, run: Option<&str>) -> Vec<Reported> {
        let report = report::read(xml).unwrap();
        let framework = runner::of(&report).expect("the runner shows");
        let project = project();
        let setting = Setting {
            project: &project,
            runtime: None,
            framework,
            directory: Path::new("/nonexistent"),
        };
        messages(&report, xml.as_bytes(), run, &setting)
    }

    /// Framework, test id, kind and message of every failure.
    fn told(xml: &str) -> Vec<(Framework, String, ErrorKind, String)> {
        read(xml, None)
            .into_iter()
            .map(|reported| {
                let test = reported.error.test.expect("a test");
                (
                    test.framework,
                    test.id,
                    reported.error.kind,
                    reported.error.message,
                )
            })
            .collect()
    }

    #[test]
    fn a_report_of_pytest_is_understood() {
        use ErrorKind::{ImportError, TestFailure};
        let told = told(include_str!("fixtures/pytest.xml"));
        let expected = [
            (
                "tests/test_gone.py",
                ImportError,
                "ModuleNotFoundError: No module named 'gone'",
            ),
            (
                "tests/test_math.py::TestAdd::test_two[1-2]",
                TestFailure,
                "assert 3 == 4\n +  where 3 = add(1, 2)",
            ),
            (
                "tests/test_math.py::test_setup",
                TestFailure,
                "failed on setup with \"RuntimeError: no database\"",
            ),
            ("tests/test_math.py::test_late", TestFailure, "assert 0"),
            (
                "tests/test_math.py::test_late",
                TestFailure,
                "failed on teardown with \"RuntimeError: tear-down failed\"",
            ),
        ];
        for ((framework, id, kind, message), expected) in told.iter().zip(expected) {
            assert_eq!(*framework, Framework::Pytest);
            assert_eq!((id.as_str(), *kind, message.as_str()), expected);
        }
        assert_eq!(told.len(), expected.len());
    }

    #[test]
    fn a_report_of_unittest_is_understood() {
        let told = told(include_str!("fixtures/unittest.xml"));
        let ids: Vec<_> = told
            .iter()
            .map(|(_, id, kind, message)| {
                (
                    id.as_str(),
                    *kind,
                    message.lines().next().unwrap_or_default(),
                )
            })
            .collect();
        assert_eq!(
            ids,
            [
                (
                    "tests.test_x.TestX.test_equal",
                    ErrorKind::TestFailure,
                    "AssertionError: 1 != 2"
                ),
                (
                    "tests.test_x.TestX.test_sub",
                    ErrorKind::TestFailure,
                    "AssertionError: 1 != 0"
                ),
                (
                    "tests.test_x.TestClass",
                    ErrorKind::TestFailure,
                    "ValueError: no class"
                ),
                (
                    "test_gone",
                    ErrorKind::ImportError,
                    "ImportError: Failed to import test module: test_gone"
                ),
            ]
        );
        assert_eq!(told[0].0, Framework::Unittest);
    }

    #[test]
    fn reports_of_jest_vitest_node_and_nextest_are_understood() {
        let first = |xml: &str| {
            let (framework, id, _, message) = told(xml).remove(0);
            (
                framework,
                id,
                message.lines().next().unwrap_or_default().to_owned(),
            )
        };
        assert_eq!(
            first(include_str!("fixtures/jest.xml")),
            (
                Framework::Jest,
                "src/sum.test.js::sum adds numbers".into(),
                "Error: expect(received).toBe(expected) // Object.is equality".into()
            )
        );
        assert_eq!(
            first(include_str!("fixtures/vitest.xml")),
            (
                Framework::Vitest,
                "src/sum.test.ts::sum > adds numbers".into(),
                "expected 3 to be 4 // Object.is equality".into()
            )
        );
        assert_eq!(
            first(include_str!("fixtures/node-test.xml")),
            (
                Framework::NodeTest,
                "adds numbers".into(),
                "Expected values to be strictly equal:3 !== 4".into()
            )
        );
        assert_eq!(
            first(include_str!("fixtures/nextest.xml")),
            (
                Framework::Cargo,
                "maths::sums add::two".into(),
                "thread 'add::two' (32134) panicked at tests/sums.rs:4:9".into()
            )
        );
    }

    #[test]
    fn the_same_report_gives_the_same_ids_and_another_run_gives_others() {
        let ids = |xml: &str, run| read(xml, run).into_iter().map(|r| r.id).collect::<Vec<_>>();
        let xml = include_str!("fixtures/pytest.xml");
        assert_eq!(ids(xml, None), ids(xml, None));
        assert_ne!(ids(xml, None), ids(xml, Some("7")));
        assert_ne!(ids(xml, Some("")), ids(xml, None));
        let later = xml.replace("2026-07-01", "2026-07-02");
        assert_ne!(ids(xml, None), ids(&later, None));
        let twice = xml.replace("</testsuite>", "<testcase name='a' classname='b'><failure/></testcase><testcase name='a' classname='b'><failure/></testcase></testsuite>");
        let mut all = ids(&twice, None);
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
