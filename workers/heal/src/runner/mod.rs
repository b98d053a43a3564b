//! Runs a project's tests as the project runs them, with a probe that reports outcomes and exceptions as data.
//!
//! [`Plan`] is what to run; [`Plan::read`] turns what came out into a [`Report`](crate::failure::Report).
//! Where the runner fails before it loads the probe (its own options, a plugin, a `conftest.py`), there is no
//! format to read, and [`console`] reads what it printed.

pub mod console;
mod probe;

pub(crate) use probe::{read as read_records, relative_path};

use std::collections::BTreeMap;
use std::path::Path;

use maestro_protocol::project::Framework;

use crate::adapter;
use crate::case::Tree;
use crate::failure::{Failure, Report, TestOutcome};

/// The file names of the probes below the directory that is put on the run's `PYTHONPATH`.
pub const PROBES: [(&str, &str); 5] = [
    ("maestro_fork_server.py", include_str!("fork_server.py")),
    ("maestro_plan.py", include_str!("plan.py")),
    ("maestro_pytest_probe.py", include_str!("pytest_probe.py")),
    ("maestro_state.py", include_str!("state.py")),
    (
        "maestro_unittest_probe.py",
        include_str!("unittest_probe.py"),
    ),
];

/// Why a request's tests cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// There is neither a command nor a test.
    #[error("there is nothing to run: give `test.id` or `runtime.command`")]
    Nothing,
    /// The framework is none that this worker heals.
    #[error("`test.framework` {0} is not healed by this version; pytest and unittest are")]
    Framework(String),
    /// The command is none that runs Python's tests.
    #[error(
        "`runtime.command` starts with `{0}`; expected `python -m pytest …`, `pytest …` or `python -m unittest …`"
    )]
    Command(String),
}

/// What to run, without the interpreter in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Pytest or unittest.
    pub framework: Framework,
    /// The arguments behind the interpreter: `-m pytest -q tests`.
    pub arguments: Vec<String>,
    /// Environment variables that the project asks for.
    pub variables: BTreeMap<String, String>,
}

impl Plan {
    /// Makes the plan from what the message says. Without a command, the whole file of the test is run, so that
    /// the test has neighbours.
    pub fn new(
        command: Option<&[String]>,
        test: Option<(&str, Framework)>,
        variables: BTreeMap<String, String>,
    ) -> Result<Self, PlanError> {
        let (framework, arguments) = match (command, test) {
            (Some(command), _) if !command.is_empty() => from_command(command)?,
            (_, Some((id, Framework::Pytest))) => {
                let file = id.split("::").next().unwrap_or(id);
                (
                    Framework::Pytest,
                    strings(&["-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider", file]),
                )
            }
            (_, Some((id, Framework::Unittest))) => (
                Framework::Unittest,
                strings(&["-m", "unittest", module_of(id)]),
            ),
            (_, Some((_, other))) => {
                return Err(PlanError::Framework(format!("{other:?}").to_lowercase()));
            }
            (_, None) => return Err(PlanError::Nothing),
        };
        Ok(Self {
            framework,
            arguments,
            variables,
        })
    }

    /// The arguments with the probe in them.
    pub fn arguments(&self) -> Vec<String> {
        match self.framework {
            Framework::Unittest => self
                .arguments
                .iter()
                .map(|argument| {
                    if argument == "unittest" {
                        "maestro_unittest_probe"
                    } else {
                        argument
                    }
                    .to_owned()
                })
                .collect(),
            _ => self.arguments.clone(),
        }
    }

    /// The arguments of a process that makes runs of the plan by forking itself; `None` where the command does not start
    /// the runner as a module.
    pub fn fork_server_arguments(&self, socket: &str) -> Option<Vec<String>> {
        let at = self.arguments.iter().position(|word| word == "-m")?;
        let runner = match self.framework {
            Framework::Unittest => "unittest",
            _ => "pytest",
        };
        let mut arguments = self.arguments[..=at].to_vec();
        arguments.extend(strings(&["maestro_fork_server", socket, runner]));
        arguments.extend_from_slice(self.arguments.get(at + 2..)?);
        Some(arguments)
    }

    /// The variables, those of `changes` over the plan's own, with the probe in them: its directory comes first on the path, its
    /// report goes to `file`.
    pub fn variables(
        &self,
        changes: &BTreeMap<String, String>,
        probes: &Path,
        file: &Path,
    ) -> BTreeMap<String, String> {
        let mut variables = self.variables.clone();
        variables.extend(changes.clone());
        let path = variables
            .get("PYTHONPATH")
            .filter(|path| !path.is_empty())
            .map_or_else(
                || probes.display().to_string(),
                |path| format!("{}:{path}", probes.display()),
            );
        variables.insert("PYTHONPATH".to_owned(), path);
        variables.insert("MAESTRO_PROBE_FILE".to_owned(), file.display().to_string());
        if self.framework == Framework::Pytest {
            let options = variables
                .get("PYTEST_ADDOPTS")
                .map_or_else(String::new, |options| format!("{options} "));
            variables.insert(
                "PYTEST_ADDOPTS".to_owned(),
                format!("{options}-p maestro_pytest_probe"),
            );
        }
        variables
    }

    /// The files and directories that the command names as tests.
    pub fn operands(&self) -> Vec<&str> {
        self.arguments
            .iter()
            .skip(2)
            .map(|argument| argument.split("::").next().unwrap_or(argument))
            .filter(|argument| {
                !argument.starts_with('-') && (argument.contains('/') || is_python(argument))
            })
            .collect()
    }

    /// Reads what a run left behind: the probe's file, and what was printed. `root` is the project's directory
    /// as the run saw it. `status` is the runner's exit status, `None` where it did not exit by itself.
    pub fn read(
        &self,
        root: &Path,
        records: &[u8],
        stdout: &[u8],
        stderr: &[u8],
        status: Option<i32>,
    ) -> Report {
        let mut report = probe::read(records, root);
        let succeeded = status == Some(0);
        // pytest's 5: no test was collected, or all were deselected.
        let empty = status == Some(5) && self.framework == Framework::Pytest;
        if report.failures.is_empty() && !succeeded && !empty {
            let printed = format!(
                "{}\n{}",
                String::from_utf8_lossy(stdout),
                String::from_utf8_lossy(stderr)
            );
            report.failures.push(console::read(&printed, root));
        }
        // Every run has a directory of its own; its name says nothing, and would make each failure a new one.
        let place = format!("{}/", root.display());
        for failure in &mut report.failures {
            failure.message = failure.message.replace(&place, "");
            failure.text = failure.text.replace(&place, "");
        }
        report
    }
}

impl Report {
    /// Whether a test, or a file of tests, has passed: it is there, and nothing of it failed.
    pub fn passed(&self, id: &str) -> bool {
        let mut of_it = self
            .outcomes
            .iter()
            .filter(|(test, _)| belongs(test, id))
            .peekable();
        of_it.peek().is_some()
            && of_it
                .clone()
                .any(|(_, outcome)| *outcome == TestOutcome::Passed)
            && of_it
                .all(|(_, outcome)| matches!(outcome, TestOutcome::Passed | TestOutcome::Skipped))
    }

    /// Whether anything was reported of a test, or of a file of tests.
    pub fn knows(&self, id: &str) -> bool {
        self.outcomes.keys().any(|test| belongs(test, id))
    }

    /// The failures of a test first, the others behind.
    pub fn failures_of(&self, id: Option<&str>) -> Vec<Failure> {
        let is_target = |failure: &Failure| match (id, failure.test.as_deref()) {
            (Some(id), Some(test)) => belongs(test, id) || belongs(id, test),
            _ => true,
        };
        let (mut targets, others): (Vec<_>, Vec<_>) =
            self.failures.iter().cloned().partition(is_target);
        targets.extend(others);
        targets
    }
}

/// Whether `test` is `id` or lies in it: `a.py::T::t` lies in `a.py` and in `a.py::T`, `a.py::t[1]` in `a.py::t`,
/// `m.T.t` in `m`, `a.js::suite > t` in `a.js::suite`.
pub fn belongs(test: &str, id: &str) -> bool {
    test.strip_prefix(id).is_some_and(|rest| {
        rest.is_empty()
            || rest.starts_with("::")
            || rest.starts_with('[')
            || rest.starts_with('.')
            || rest.starts_with(" > ")
    })
}

/// The file that a test stands in: what comes before `::`, or the module that a dotted name begins with.
pub(crate) fn file_of(tree: &dyn Tree, test: &str) -> Option<String> {
    let path = test.split("::").next().unwrap_or(test);
    if adapter::of_file(path).is_some() {
        return Some(path.to_owned());
    }
    let parts: Vec<&str> = path.split('.').collect();
    (1..=parts.len())
        .rev()
        .map(|length| format!("{}.py", parts[..length].join("/")))
        .find(|path| tree.paths().binary_search(path).is_ok())
}

fn from_command(command: &[String]) -> Result<(Framework, Vec<String>), PlanError> {
    let program = Path::new(&command[0]).file_name().map_or_else(
        || command[0].clone(),
        |name| name.to_string_lossy().into_owned(),
    );
    let rest = &command[1..];
    if matches!(program.as_str(), "pytest" | "py.test") {
        let mut arguments = strings(&["-m", "pytest"]);
        arguments.extend_from_slice(rest);
        return Ok((Framework::Pytest, arguments));
    }
    if program == "python" || program.starts_with("python2") || program.starts_with("python3") {
        let module = rest
            .iter()
            .position(|argument| argument == "-m")
            .and_then(|at| rest.get(at + 1));
        match module.map(String::as_str) {
            Some("pytest" | "py.test") => return Ok((Framework::Pytest, rest.to_vec())),
            Some("unittest") => return Ok((Framework::Unittest, rest.to_vec())),
            _ => {}
        }
    }
    Err(PlanError::Command(command.join(" ")))
}

/// Whether a path is that of a Python file.
pub(crate) fn is_python(path: &str) -> bool {
    Path::new(path)
        .extension()
        .is_some_and(|extension| extension == "py")
}

fn module_of(id: &str) -> &str {
    // `package.module.Class.method`: the class is the first part that starts with a capital letter.
    let mut end = 0;
    for part in id.split('.') {
        if end > 0 && part.starts_with(|c: char| c.is_ascii_uppercase()) {
            break;
        }
        end += part.len() + usize::from(end > 0);
    }
    &id[..end]
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_run_by_the_environments_own_interpreter() {
        let command = strings(&["/usr/bin/pytest", "-q", "tests"]);
        let plan = Plan::new(Some(&command), None, BTreeMap::new()).unwrap();
        assert_eq!(plan.arguments(), strings(&["-m", "pytest", "-q", "tests"]));
    }

    #[test]
    fn without_a_command_the_whole_file_of_the_test_is_run() {
        let plan = Plan::new(
            None,
            Some(("tests/test_a.py::T::test_b", Framework::Pytest)),
            BTreeMap::new(),
        )
        .unwrap();
        assert_eq!(plan.operands(), ["tests/test_a.py"]);
        let plan = Plan::new(
            None,
            Some(("pkg.test_a.T.test_b", Framework::Unittest)),
            BTreeMap::new(),
        )
        .unwrap();
        assert_eq!(
            plan.arguments(),
            strings(&["-m", "maestro_unittest_probe", "pkg.test_a"])
        );
    }

    #[test]
    fn a_shell_command_is_refused_by_name() {
        let error =
            Plan::new(Some(&strings(&["make", "test"])), None, BTreeMap::new()).unwrap_err();
        assert!(error.to_string().contains("`make test`"), "{error}");
    }

    #[test]
    fn the_projects_own_variables_are_kept_behind_the_probes() {
        let given = BTreeMap::from([
            ("PYTHONPATH".to_owned(), "src".to_owned()),
            ("PYTEST_ADDOPTS".to_owned(), "-x".to_owned()),
        ]);
        let plan = Plan::new(Some(&strings(&["pytest"])), None, given).unwrap();
        let variables = plan.variables(&BTreeMap::new(), Path::new("/probes"), Path::new("/out"));
        assert_eq!(variables["PYTHONPATH"], "/probes:src");
        assert_eq!(variables["PYTEST_ADDOPTS"], "-x -p maestro_pytest_probe");
    }

    #[test]
    fn an_id_holds_what_lies_in_it_and_nothing_that_merely_starts_alike() {
        assert!(belongs("a.py::t[1]", "a.py::t"));
        assert!(belongs("a.py::T::t", "a.py"));
        assert!(!belongs("a.py::test_two", "a.py::test"));
    }
}
