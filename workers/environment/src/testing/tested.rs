//! What is published of a test Job.

use std::time::Duration;

use maestro_junit::{Failure, Report, Unreadable, Unseen};
use maestro_protocol::environment::{EnvironmentTested, FailedTest, TestJob};
use maestro_protocol::error::ErrorReported;
use maestro_protocol::project::Project;

use super::capture::Captured;
use super::ending::Ending;
use super::fit::fit;
use super::plain::{beginning, plain};
use super::reason::{Facts, failing};

/// The most failing tests that [`EnvironmentTested`] names.
const MAX_NAMED: usize = 100;
/// The most failing tests of which each is reported by a message of its own.
const MAX_REPORTED: usize = 200;
/// The most bytes of what a failing test says, in [`EnvironmentTested`].
const MAX_SAID: usize = 1024;
/// The same in its own message.
const MAX_MESSAGE: usize = 8 * 1024;
/// The most bytes of a stack trace.
const MAX_STACK_TRACE: usize = 16 * 1024;
/// The last lines of the log, and the most bytes of them.
const EXCERPT: (usize, usize) = (20, 4 * 1024);

/// One run of a test Job that has ended.
#[derive(Debug, Clone)]
pub struct TestRun<'a> {
    /// The environment's id.
    pub environment: &'a str,
    /// Its Kubernetes namespace.
    pub namespace: &'a str,
    /// The code that the environment is about; without it, no failing test is reported.
    pub project: Option<&'a Project>,
    /// What was asked for.
    pub test: &'a TestJob,
    /// How the container ended.
    pub ending: Ending,
    /// How long it ran.
    pub duration: Duration,
    /// The version of the worker that says so.
    pub worker_version: Option<&'a str>,
}

/// What is published of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Tested {
    /// The one message for `k8s:results`; as JSON it has no more than three quarters of what a message may have.
    pub tested: EnvironmentTested,
    /// A message for `automation:errors` for each failing test, at most 200, if the environment is about a project.
    pub errors: Vec<ErrorReported>,
}

impl Tested {
    /// What is published of this run, whose log was captured.
    pub fn of(run: &TestRun<'_>, captured: Captured) -> Self {
        let excerpt = captured.excerpt(EXCERPT.0, EXCERPT.1);
        let Captured { log, report } = captured;
        let (report, no_report) = match (run.test.junit_path.is_some(), report) {
            (false, _) => (None, None),
            (true, Err(error)) => (None, Some(error.to_string())),
            (true, Ok(report)) => match read(&report) {
                Ok(report) => (Some(report), None),
                Err(error) => (None, Some(format!("their report cannot be read: {error}"))),
            },
        };
        let counts = report.as_ref().map(Report::counts);
        let failures = report.map_or_else(Vec::new, |report| failures(run.test, &report));
        let failures_named = counts.map(|_| failures.iter().take(MAX_NAMED).map(named).collect());
        let errors: Vec<_> = match run.project {
            Some(project) => failures
                .into_iter()
                .map(|failure| error(failure, project, run.environment))
                .collect(),
            None => Vec::new(),
        };
        let reported = errors.len() as u64;
        let unreported = match (run.project, counts) {
            (Some(_), Some(counts)) => failing(counts).saturating_sub(reported),
            _ => 0,
        };
        let facts = Facts {
            ending: &run.ending,
            test: run.test,
            counts,
            no_report,
            unreported,
        };
        let mut tested = EnvironmentTested {
            environment: run.environment.to_owned(),
            namespace: run.namespace.to_owned(),
            outcome: run.ending.meaning().outcome(),
            exit_code: run.ending.exit_code,
            reason: Some(facts.sentence()),
            tests: counts,
            reported: run
                .project
                .map(|_| u32::try_from(reported).unwrap_or(u32::MAX)),
            failures: failures_named,
            log: Some(log),
            excerpt: Some(excerpt).filter(|excerpt| !excerpt.is_empty()),
            duration_ms: u64::try_from(run.duration.as_millis()).unwrap_or(u64::MAX),
            project: run.project.cloned(),
            worker_version: run.worker_version.map(str::to_owned),
        };
        fit(&mut tested);
        Self { tested, errors }
    }
}

fn read(report: &[u8]) -> Result<Report, Unreadable> {
    let limits = maestro_junit::Limits {
        // The capture has bounded it.
        bytes: usize::MAX,
        failures: MAX_REPORTED,
        text: MAX_STACK_TRACE,
    };
    maestro_junit::read(report, &limits)
}

/// The failing tests, in text that is fit to be shown.
fn failures(test: &TestJob, report: &Report) -> Vec<Failure> {
    let framework = test.framework.or_else(|| report.framework());
    report
        .failures(framework, &Unseen)
        .map(|mut failure| {
            failure.message = beginning(&plain(&failure.message), MAX_MESSAGE);
            failure.stack_trace = failure.stack_trace.as_deref().map(plain);
            failure
        })
        .collect()
}

fn named(failure: &Failure) -> FailedTest {
    let id = match failure.id.as_str() {
        "" => "a test without a name".to_owned(),
        id => plain(id),
    };
    FailedTest {
        id: beginning(&id, MAX_SAID),
        message: beginning(&failure.message, MAX_SAID),
    }
}

fn error(mut failure: Failure, project: &Project, environment: &str) -> ErrorReported {
    // A test whose runner is not known is named by no member of the message.
    if failure.framework.is_none() && !failure.id.is_empty() {
        let id = beginning(&plain(&failure.id), MAX_SAID);
        failure.message = format!("{id}: {}", failure.message);
    }
    failure.into_error(project.clone(), None, Some(environment.to_owned()))
}

#[cfg(test)]
#[path = "tested_tests.rs"]
mod tests;
