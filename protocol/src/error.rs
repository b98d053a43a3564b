//! `maestro.error.*`: a detected error, and what triage made of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::constraint::{fingerprint, given, name, positive};
use crate::finding::Finding;
use crate::message::Payload;
use crate::project::{Project, Runtime, Test};
use crate::stream::Stream;
use crate::violation::{Violation, Within};

/// The seven kinds of error that a producer may report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// A test ran and failed.
    TestFailure,
    /// The build failed.
    BuildError,
    /// A type checker complained.
    TypeError,
    /// A linter complained.
    LintError,
    /// A program failed while it ran.
    RuntimeError,
    /// A module or a name of it could not be imported.
    ImportError,
    /// A dependency is missing or does not fit.
    DependencyError,
}

/// How bad it is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Cosmetic.
    Low,
    /// One test or one file.
    Medium,
    /// A whole module cannot be tested.
    High,
    /// Nothing can be tested, built or imported.
    Critical,
}

/// `maestro.error.reported.v1`: one detected error, from any producer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorReported {
    /// Where the code is.
    pub project: Project,
    /// What kind of error it is.
    pub kind: ErrorKind,
    /// The error's own text.
    pub message: String,
    /// How bad it is; triage infers it when it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The traceback or compiler output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack_trace: Option<String>,
    /// The file the error points at, relative to the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub file: Option<String>,
    /// The line in `file`, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub line: Option<u32>,
    /// What a checker found, where the error is a linter's, a type checker's or a compiler's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<Finding>,
    /// The failing test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Test>,
    /// How the tests are run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Runtime>,
    /// The id of the ephemeral environment it happened in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub environment: Option<String>,
}

/// `maestro.error.triaged.v1`: what triage decided about one reported error, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorTriaged {
    /// Where the code is.
    pub project: Project,
    /// The failing test, if one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Test>,
    /// What a checker found, if that is what was reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<Finding>,
    /// The file that it stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub file: Option<String>,
    /// The kind, given or corrected from the message and the stack trace.
    pub kind: ErrorKind,
    /// The severity, given or inferred.
    pub severity: Severity,
    /// The same failure has the same fingerprint, whatever its line numbers and addresses: 32 hex digits.
    #[schemars(regex(pattern = r"^[0-9a-f]{32}$"))]
    pub fingerprint: String,
    /// What was decided.
    pub decision: Decision,
    /// One sentence for a person: why.
    pub reason: String,
    /// How often this fingerprint was seen within the window, this one included.
    #[schemars(range(min = 1))]
    pub occurrences: u64,
    /// The id of the message that was the first with this fingerprint within the window.
    #[schemars(length(min = 1, max = 4096))]
    pub first: String,
    /// The version of the worker that decided.
    #[schemars(length(min = 1, max = 4096))]
    pub worker_version: String,
}

/// What triage decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// A heal was requested.
    Heal,
    /// The same failure was seen within the window; its heal is under way or done.
    Repeat,
    /// Nothing of ours heals this.
    NotHealable,
}

impl Payload for ErrorReported {
    const TYPE: &'static str = "maestro.error.reported.v1";
    const STREAM: Stream = Stream::Errors;

    fn check(&self) -> Result<(), Violation> {
        self.project.check().member("project")?;
        given(self.file.as_deref(), name).member("file")?;
        given(self.line.as_ref(), |&line| positive(line)).member("line")?;
        given(self.finding.as_ref(), Finding::check).member("finding")?;
        given(self.test.as_ref(), Test::check).member("test")?;
        given(self.runtime.as_ref(), Runtime::check).member("runtime")?;
        given(self.environment.as_deref(), name).member("environment")
    }
}

impl Payload for ErrorTriaged {
    const TYPE: &'static str = "maestro.error.triaged.v1";
    const STREAM: Stream = Stream::Results;

    fn check(&self) -> Result<(), Violation> {
        self.project.check().member("project")?;
        given(self.test.as_ref(), Test::check).member("test")?;
        given(self.finding.as_ref(), Finding::check).member("finding")?;
        given(self.file.as_deref(), name).member("file")?;
        fingerprint(&self.fingerprint).member("fingerprint")?;
        if self.occurrences == 0 {
            return Err(Violation::new("an integer of at least 1", 0)).member("occurrences");
        }
        name(&self.first).member("first")?;
        name(&self.worker_version).member("worker_version")
    }
}
