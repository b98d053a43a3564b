//! `maestro.environment.*`: ephemeral environments on Kubernetes, from the request to the last trace of them.
//!
//! An environment's id is the `id` of the message that requested it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::constraint::{command, each, given, name, seconds, time, variables, within};
use crate::heal::Counts;
use crate::message::Payload;
use crate::project::Project;
use crate::stream::Stream;
use crate::violation::{Violation, Within};

/// The most replicas of an app.
const REPLICAS: u32 = 100;
/// The most pods of a quota.
const PODS: u32 = 1000;

/// Amounts of processor and memory, in Kubernetes's notation of
/// [quantities](https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resources {
    /// Processors, for example `500m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(
        pattern = r"^[0-9]{1,15}(\.[0-9]{1,9})?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
    ))]
    pub cpu: Option<String>,
    /// Memory, for example `512Mi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(
        pattern = r"^[0-9]{1,15}(\.[0-9]{1,9})?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
    ))]
    pub memory: Option<String>,
}

/// The program under test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct App {
    /// The container image.
    #[schemars(length(min = 1, max = 4096))]
    pub image: String,
    /// The port that it listens on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// How many of it run; one without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub replicas: Option<u32>,
    /// Its environment variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<BTreeMap<String, String>>,
    /// What it runs in place of the image's own command, one element an argument.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub command: Option<Vec<String>>,
    /// The path whose answer tells that it is ready, for example `/health`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096), regex(pattern = r"^/"))]
    pub health_path: Option<String>,
    /// What it may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

/// A database beside the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Database {
    /// `PostgreSQL`.
    Postgresql,
    /// `MySQL`.
    Mysql,
    /// `MongoDB`.
    Mongodb,
}

/// The tests to run once the environment is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestJob {
    /// The container image.
    #[schemars(length(min = 1, max = 4096))]
    pub image: String,
    /// What it runs, one element an argument.
    #[schemars(length(min = 1, max = 1024))]
    pub command: Vec<String>,
    /// Its environment variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<BTreeMap<String, String>>,
    /// The most seconds that it may run; 600 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_592_000))]
    pub timeout_s: Option<u32>,
    /// Where in the container it writes a JUnit report, for example `/results/junit.xml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096), regex(pattern = r"^/"))]
    pub junit_path: Option<String>,
}

/// What all of an environment together may use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Quota {
    /// Processors, for example `4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(
        pattern = r"^[0-9]{1,15}(\.[0-9]{1,9})?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
    ))]
    pub cpu: Option<String>,
    /// Memory, for example `4Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(
        pattern = r"^[0-9]{1,15}(\.[0-9]{1,9})?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
    ))]
    pub memory: Option<String>,
    /// Pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub pods: Option<u32>,
}

/// How far the environment's pods may reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Egress {
    /// Only one another.
    #[default]
    None,
    /// One another, and the cluster's DNS.
    Dns,
    /// Anything but the cluster's own networks.
    Internet,
}

/// The environment's network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Network {
    /// How far its pods may reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress: Option<Egress>,
}

/// `maestro.environment.requested.v1`: bring an environment up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnvironmentRequested {
    /// The program under test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<App>,
    /// A database beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Database>,
    /// The database's version, for example `17`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9A-Za-z][0-9A-Za-z._-]{0,127}$"))]
    pub database_version: Option<String>,
    /// Whether there is a Redis beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redis: Option<bool>,
    /// Names of further templates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024), inner(length(min = 1, max = 4096)))]
    pub templates: Option<Vec<String>>,
    /// The tests to run once it is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<TestJob>,
    /// How many seconds it lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_592_000))]
    pub ttl_s: Option<u32>,
    /// What all of it together may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
    /// Its network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Whether it stays, until its time is over, when its tests fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_on_failure: Option<bool>,
    /// The code that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Project>,
    /// Labels of everything in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
}

/// `maestro.environment.cleanup.requested.v1`: take environments away. Exactly one of `environment`,
/// `selector` and `expired` says which.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("oneOf" = [
    {"required": ["environment"], "properties": {"environment": {"type": "string"}}},
    {"required": ["selector"], "properties": {"selector": {"type": "string"}}},
    {"required": ["expired"], "properties": {"expired": {"const": true}}},
]))]
pub struct CleanupRequested {
    /// The id of one environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub environment: Option<String>,
    /// A Kubernetes label selector over environments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub selector: Option<String>,
    /// Every environment whose time is over; `false` is as good as absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expired: Option<bool>,
    /// Whether to say only what would be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<bool>,
}

/// Where an environment is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The request was taken.
    Accepted,
    /// Its parts are being made.
    Creating,
    /// All its parts are ready.
    Ready,
    /// Its tests run.
    Testing,
    /// Its tests have ended.
    Tested,
    /// It cannot be brought up.
    Failed,
    /// Its time is over.
    Expired,
    /// It is being taken away.
    Deleting,
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

/// A Kubernetes quantity without sign and exponent.
fn quantity(text: &str) -> Result<(), Violation> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &text[number.len()..];
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |part: &str, most| {
        (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let known = matches!(
        unit,
        "" | "n"
            | "u"
            | "m"
            | "k"
            | "M"
            | "G"
            | "T"
            | "P"
            | "E"
            | "Ki"
            | "Mi"
            | "Gi"
            | "Ti"
            | "Pi"
            | "Ei"
    );
    if digits(whole, 15) && digits(fraction, 9) && known {
        return Ok(());
    }
    Err(Violation::of_text(
        "a Kubernetes quantity such as `500m` or `512Mi`",
        text,
    ))
}

fn absolute(path: &str) -> Result<(), Violation> {
    name(path)?;
    if path.starts_with('/') {
        return Ok(());
    }
    Err(Violation::of_text("a path that starts with `/`", path))
}

fn database_version(text: &str) -> Result<(), Violation> {
    let tag = text.len() <= 128
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if tag {
        return Ok(());
    }
    Err(Violation::of_text("a version such as `17`", text))
}

impl App {
    fn check(&self) -> Result<(), Violation> {
        name(&self.image).member("image")?;
        given(self.port.as_ref(), |&port| within(port.into(), 1, 65_535)).member("port")?;
        given(self.replicas.as_ref(), |&replicas| {
            within(replicas, 1, REPLICAS)
        })
        .member("replicas")?;
        given(self.env.as_ref(), variables).member("env")?;
        given(self.command.as_deref(), command).member("command")?;
        given(self.health_path.as_deref(), absolute).member("health_path")?;
        given(self.resources.as_ref(), |resources| {
            given(resources.cpu.as_deref(), quantity).member("cpu")?;
            given(resources.memory.as_deref(), quantity).member("memory")
        })
        .member("resources")
    }
}

impl TestJob {
    fn check(&self) -> Result<(), Violation> {
        name(&self.image).member("image")?;
        command(&self.command).member("command")?;
        given(self.env.as_ref(), variables).member("env")?;
        given(self.timeout_s.as_ref(), |&timeout| seconds(timeout)).member("timeout_s")?;
        given(self.junit_path.as_deref(), absolute).member("junit_path")
    }
}

impl Quota {
    fn check(&self) -> Result<(), Violation> {
        given(self.cpu.as_deref(), quantity).member("cpu")?;
        given(self.memory.as_deref(), quantity).member("memory")?;
        given(self.pods.as_ref(), |&pods| within(pods, 1, PODS)).member("pods")
    }
}

impl Payload for EnvironmentRequested {
    const TYPE: &'static str = "maestro.environment.requested.v1";
    const STREAM: Stream = Stream::Provision;

    fn check(&self) -> Result<(), Violation> {
        given(self.app.as_ref(), App::check).member("app")?;
        given(self.database_version.as_deref(), database_version).member("database_version")?;
        given(self.templates.as_deref(), |all| {
            each(all, |each| name(each))
        })
        .member("templates")?;
        given(self.test.as_ref(), TestJob::check).member("test")?;
        given(self.ttl_s.as_ref(), |&ttl| seconds(ttl)).member("ttl_s")?;
        given(self.quota.as_ref(), Quota::check).member("quota")?;
        given(self.project.as_ref(), Project::check).member("project")
    }
}

impl Payload for CleanupRequested {
    const TYPE: &'static str = "maestro.environment.cleanup.requested.v1";
    const STREAM: Stream = Stream::Cleanup;

    fn check(&self) -> Result<(), Violation> {
        given(self.environment.as_deref(), name).member("environment")?;
        given(self.selector.as_deref(), name).member("selector")?;
        let given = [
            self.environment.is_some().then_some("`environment`"),
            self.selector.is_some().then_some("`selector`"),
            (self.expired == Some(true)).then_some("`expired`"),
        ];
        let given: Vec<&str> = given.into_iter().flatten().collect();
        if given.len() == 1 {
            return Ok(());
        }
        let found = if given.is_empty() {
            "none of them".to_owned()
        } else {
            given.join(" and ")
        };
        Err(Violation::new(
            "exactly one of `environment`, `selector` and `expired`: true",
            found,
        ))
    }
}

impl Payload for EnvironmentStatus {
    const TYPE: &'static str = "maestro.environment.status.v1";
    const STREAM: Stream = Stream::EnvironmentResults;

    fn check(&self) -> Result<(), Violation> {
        name(&self.environment).member("environment")?;
        name(&self.namespace).member("namespace")?;
        given(self.reason.as_deref(), name).member("reason")?;
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
        given(self.project.as_ref(), Project::check).member("project")?;
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
