//! What is told of an environment: what the stream `k8s:results` carries.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::constraint::{each, given, name, time};
use crate::heal::Counts;
use crate::message::Payload;
use crate::project::Project;
use crate::stream::Stream;
use crate::violation::{Violation, Within};

/// Where an environment is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The request was taken.
    Accepted,
    /// Its parts are being made, and come up.
    Provisioning,
    /// All its parts are ready.
    Ready,
    /// Its tests run.
    Testing,
    /// Its tests have ended.
    Tested,
    /// It cannot be brought up.
    Failed,
    /// It is being taken away.
    Deleting,
    /// Nothing is left of it.
    Deleted,
}

/// The part of an environment that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// The Kubernetes object, for example `Pod/app-5d9c7b9f4-x2x7p`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub object: Option<String>,
    /// The container in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub container: Option<String>,
    /// The container's exit code, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// What Kubernetes says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The last lines of the container's log, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

/// `maestro.environment.status.v1`: an environment changed its phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnvironmentStatus {
    /// The environment's id.
    #[schemars(length(min = 1, max = 4096))]
    pub environment: String,
    /// Its Kubernetes namespace.
    #[schemars(length(min = 1, max = 4096))]
    pub namespace: String,
    /// Where it is in its life now.
    pub phase: Phase,
    /// Why, in one word for a program, for example `ImagePullBackOff`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub reason: Option<String>,
    /// Why, in one sentence for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What failed, in the phase `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Where its services are reached inside the cluster, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<BTreeMap<String, String>>,
    /// The name of the Kubernetes secret with its credentials; never the credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub secret: Option<String>,
    /// When its time is over, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: Option<String>,
    /// The version of the worker that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub worker_version: Option<String>,
}

/// How a test Job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TestOutcome {
    /// It exited with 0.
    Passed,
    /// It exited with anything else.
    Failed,
    /// It ran longer than it may.
    TimedOut,
    /// It could not be run, or was killed.
    Broken,
}

/// A log of which the beginning and the end are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Log {
    /// How it begins; all of it where nothing is left out.
    pub head: String,
    /// How many bytes are left out between the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub omitted_bytes: Option<u64>,
    /// How it ends, where something is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<String>,
}

/// A test that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailedTest {
    /// The runner's own name of it.
    #[schemars(length(min = 1, max = 4096))]
    pub id: String,
    /// What it says.
    pub message: String,
}

/// `maestro.environment.tested.v1`: the tests of an environment ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnvironmentTested {
    /// The environment's id.
    #[schemars(length(min = 1, max = 4096))]
    pub environment: String,
    /// Its Kubernetes namespace.
    #[schemars(length(min = 1, max = 4096))]
    pub namespace: String,
    /// How the Job ended.
    pub outcome: TestOutcome,
    /// The exit code of its container, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// One sentence for a person: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The tests of the JUnit report, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<Counts>,
    /// The failures that were published as `maestro.error.reported.v1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported: Option<u32>,
    /// The tests that failed; only the first ones where there are many, see `tests`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub failures: Option<Vec<FailedTest>>,
    /// Its log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<Log>,
    /// The last lines of its log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
    /// How long it ran, in milliseconds.
    pub duration_ms: u64,
    /// The code that the environment is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Project>,
    /// The version of the worker that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub worker_version: Option<String>,
}

/// `maestro.environment.extended.v1`: an environment lives longer, or cannot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnvironmentExtended {
    /// The environment's id.
    #[schemars(length(min = 1, max = 4096))]
    pub environment: String,
    /// Its Kubernetes namespace.
    #[schemars(length(min = 1, max = 4096))]
    pub namespace: String,
    /// Whether its end was moved.
    pub granted: bool,
    /// When its time is over now, RFC 3339; absent where there is no such environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub expires_at: Option<String>,
    /// One sentence for a person: why not, or why by less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The version of the worker that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub worker_version: Option<String>,
}

/// Why an environment was taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeletionCause {
    /// A message asked for it, by id or by selector.
    Requested,
    /// Its time was over.
    Expired,
    /// Its tests had ended.
    Finished,
    /// It could not be brought up.
    Failed,
    /// Nobody knew it any more.
    Orphaned,
}

/// `maestro.environment.deleted.v1`: nothing is left of an environment, or, in a dry run, nothing would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnvironmentDeleted {
    /// The environment's id.
    #[schemars(length(min = 1, max = 4096))]
    pub environment: String,
    /// Its Kubernetes namespace.
    #[schemars(length(min = 1, max = 4096))]
    pub namespace: String,
    /// Why.
    pub cause: DeletionCause,
    /// One sentence for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How many seconds it lived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lived_s: Option<u64>,
    /// Whether this only says what would be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
    /// The version of the worker that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub worker_version: Option<String>,
}

impl Payload for EnvironmentStatus {
    const TYPE: &'static str = "maestro.environment.status.v1";
    const STREAM: Stream = Stream::EnvironmentResults;

    fn check(&self) -> Result<(), Violation> {
        name(&self.environment).member("environment")?;
        name(&self.namespace).member("namespace")?;
        given(self.reason.as_deref(), name).member("reason")?;
        given(self.failure.as_ref(), |failure| {
            given(failure.object.as_deref(), name).member("object")?;
            given(failure.container.as_deref(), name).member("container")
        })
        .member("failure")?;
        given(self.secret.as_deref(), name).member("secret")?;
        given(self.expires_at.as_deref(), time).member("expires_at")?;
        given(self.worker_version.as_deref(), name).member("worker_version")
    }
}

impl Payload for EnvironmentTested {
    const TYPE: &'static str = "maestro.environment.tested.v1";
    const STREAM: Stream = Stream::EnvironmentResults;

    fn check(&self) -> Result<(), Violation> {
        name(&self.environment).member("environment")?;
        name(&self.namespace).member("namespace")?;
        given(self.failures.as_deref(), |all| {
            each(all, |test| name(&test.id).member("id"))
        })
        .member("failures")?;
        given(self.project.as_ref(), Project::check).member("project")?;
        given(self.worker_version.as_deref(), name).member("worker_version")
    }
}

impl Payload for EnvironmentExtended {
    const TYPE: &'static str = "maestro.environment.extended.v1";
    const STREAM: Stream = Stream::EnvironmentResults;

    fn check(&self) -> Result<(), Violation> {
        name(&self.environment).member("environment")?;
        name(&self.namespace).member("namespace")?;
        given(self.expires_at.as_deref(), time).member("expires_at")?;
        given(self.worker_version.as_deref(), name).member("worker_version")
    }
}

impl Payload for EnvironmentDeleted {
    const TYPE: &'static str = "maestro.environment.deleted.v1";
    const STREAM: Stream = Stream::EnvironmentResults;

    fn check(&self) -> Result<(), Violation> {
        name(&self.environment).member("environment")?;
        name(&self.namespace).member("namespace")?;
        given(self.worker_version.as_deref(), name).member("worker_version")
    }
}
