//! A test that failed, in the words of its runner.

use maestro_protocol::error::{ErrorKind, ErrorReported};
use maestro_protocol::project::{Framework, Project, Runtime, Test};

use crate::case::Case;
use crate::files::Files;
use crate::limits::cut;
use crate::{identity, pytest, unittest};

/// The most bytes of an error's own text; its whole text is in the stack trace.
const MAX_MESSAGE: usize = 8 * 1024;
/// The most characters of an id, which is the most that a message may have; a longer one is cut, and its runner does not
/// find it again.
const MAX_ID: usize = 4096;

/// One failing test.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The runner's own id of it, as it takes it on its command line; empty where the report names nothing.
    pub id: String,
    /// The runner; without it, the id is only for people.
    pub framework: Option<Framework>,
    /// `import_error` where a module could not be imported to look for tests, else `test_failure`.
    pub kind: ErrorKind,
    /// The error's own text, at most 8 KiB.
    pub message: String,
    /// The traceback, at most [`crate::Limits::text`] and a few bytes.
    pub stack_trace: Option<String>,
    /// The file of the project that the error points at, where the traceback says so (pytest).
    pub file: Option<String>,
    /// The line in `file`, counted from 1.
    pub line: Option<u32>,
    /// How long the test ran, in milliseconds.
    pub duration_ms: Option<f64>,
}

impl Failure {
    pub(crate) fn of(case: &Case, framework: Option<Framework>, files: &dyn Files) -> Self {
        let problem = &case.problem;
        let text = says_why(case, framework);
        let place = match framework {
            Some(Framework::Pytest) => pytest::place_in(&problem.text),
            _ => None,
        };
        Self {
            id: identity::id(case, framework, files)
                // The one character that no name of the protocol may have.
                .replace('\0', "\u{fffd}")
                .chars()
                .take(MAX_ID)
                .collect(),
            framework,
            kind: kind(case, &text),
            message: cut(&text, MAX_MESSAGE).to_owned(),
            stack_trace: Some(problem.text.clone()).filter(|text| !text.trim().is_empty()),
            line: place.as_ref().map(|(_, line)| *line),
            file: place.map(|(file, _)| file),
            duration_ms: case.seconds.map(|seconds| (seconds * 1e6).round() / 1e3),
        }
    }

    /// The message that reports it; without a test where the report does not name it or its runner is not known.
    pub fn into_error(
        self,
        project: Project,
        runtime: Option<Runtime>,
        environment: Option<String>,
    ) -> ErrorReported {
        let test = self
            .framework
            .filter(|_| !self.id.is_empty())
            .map(|framework| Test {
                id: self.id,
                framework,
                duration_ms: self.duration_ms,
            });
        ErrorReported {
            project,
            kind: self.kind,
            message: self.message,
            severity: None,
            stack_trace: self.stack_trace,
            file: self.file,
            line: self.line,
            finding: None,
            test,
            runtime,
            environment,
        }
    }
}

/// The error's own text: the message, unless that only says in which phase it was.
fn says_why(case: &Case, framework: Option<Framework>) -> String {
    let problem = &case.problem;
    let message = problem.message.trim();
    let vague = message.is_empty() || message == "collection failure";
    let from_text = || match framework {
        Some(Framework::Pytest) => pytest::exception_of(&problem.text),
        Some(Framework::Unittest) => unittest::exception_of(&problem.text),
        _ => None,
    };
    if !vague {
        // unittest-xml-reporting keeps the exception's class apart from its message.
        let class_apart = framework == Some(Framework::Unittest)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Unseen;

    fn read(xml: &str) -> Vec<Failure> {
        let report = crate::read(xml.as_bytes(), &crate::Limits::default()).unwrap();
        let framework = report.framework().expect("the runner shows");
        report.failures(Some(framework), &Unseen).collect()
    }

    /// Framework, test id, kind and message of every failure.
    fn told(xml: &str) -> Vec<(Framework, String, ErrorKind, String)> {
        read(xml)
            .into_iter()
            .map(|failure| {
                let framework = failure.framework.expect("a runner");
                (framework, failure.id, failure.kind, failure.message)
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
    fn a_test_without_a_name_or_of_an_unknown_runner_is_reported_as_no_test() {
        let project = Project {
            repository: "https://example.org/x.git".into(),
            revision: None,
            directory: None,
        };
        let errors = |xml: &str, framework| -> Vec<_> {
            crate::read(xml.as_bytes(), &crate::Limits::default())
                .unwrap()
                .failures(framework, &Unseen)
                .map(|failure| {
                    let id = failure.id.clone();
                    let error = failure.into_error(project.clone(), None, Some("e1".into()));
                    (id, error.test.is_some(), error.environment)
                })
                .collect()
        };
        let xml = "<testsuite><testcase><failure/></testcase><testcase classname='c' name='a\u{0}b'><failure/></testcase></testsuite>";
        let env = Some("e1".to_owned());
        assert_eq!(
            errors(xml, None),
            [
                (String::new(), false, env.clone()),
                ("c a\u{fffd}b".to_owned(), false, env.clone())
            ]
        );
        assert_eq!(
            errors(xml, Some(Framework::Cargo)),
            [
                (String::new(), false, env.clone()),
                ("c a\u{fffd}b".to_owned(), true, env)
            ]
        );
    }
}
