//! `maestro.check.*`: run a project's checks, and what they found.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::constraint::{each, given, name, seconds};
use crate::message::Payload;
use crate::project::{Framework, Project, Runtime};
use crate::stream::Stream;
use crate::violation::{Violation, Within};

/// What can be checked of a project.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CheckKind {
    /// Its tests pass.
    Tests,
    /// It builds.
    Build,
    /// Its type checker is content.
    Types,
    /// Its linter is content.
    Lint,
}

/// `maestro.check.requested.v1`: run a project's checks, and publish each error found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckRequested {
    /// Where the code is.
    pub project: Project,
    /// What to check; all that the project has, without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub checks: Option<Vec<CheckKind>>,
    /// The program that runs the tests; found out from the project without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framework: Option<Framework>,
    /// How the tests are run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<Runtime>,
    /// The id of the ephemeral environment to check it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub environment: Option<String>,
    /// The most seconds that all checks together may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_592_000))]
    pub time_limit_s: Option<u32>,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// It ran and found nothing.
    Passed,
    /// It ran and found errors.
    Failed,
    /// It could not be run.
    Broken,
    /// It took longer than it may.
    TimedOut,
    /// The project has no such check.
    Skipped,
}

/// One check and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckOutcome {
    /// What was checked.
    pub check: CheckKind,
    /// How it ended.
    pub status: CheckStatus,
    /// The errors that it found, each published as `maestro.error.reported.v1`.
    pub errors: u32,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// One sentence for a person: why it ended this way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// `maestro.check.completed.v1`: what a project's checks found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckCompleted {
    /// Where the code is.
    pub project: Project,
    /// The commit that was checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub commit: Option<String>,
    /// Each check, in the order in which they ran.
    #[schemars(length(max = 1024))]
    pub checks: Vec<CheckOutcome>,
    /// The version of the worker that checked.
    #[schemars(length(min = 1, max = 4096))]
    pub worker_version: String,
}

impl Payload for CheckRequested {
    const TYPE: &'static str = "maestro.check.requested.v1";
    const STREAM: Stream = Stream::Jobs;

    fn check(&self) -> Result<(), Violation> {
        self.project.check().member("project")?;
        given(self.checks.as_deref(), |checks| {
            if checks.is_empty() {
                return Err(Violation::new("at least one check", "an empty array"));
            }
            each(checks, |_| Ok(()))
        })
        .member("checks")?;
        given(self.runtime.as_ref(), Runtime::check).member("runtime")?;
        given(self.environment.as_deref(), name).member("environment")?;
        given(self.time_limit_s.as_ref(), |&limit| seconds(limit)).member("time_limit_s")
    }
}

impl Payload for CheckCompleted {
    const TYPE: &'static str = "maestro.check.completed.v1";
    const STREAM: Stream = Stream::Results;

    fn check(&self) -> Result<(), Violation> {
        self.project.check().member("project")?;
        given(self.commit.as_deref(), name).member("commit")?;
        each(&self.checks, |_| Ok(())).member("checks")?;
        name(&self.worker_version).member("worker_version")
    }
}
