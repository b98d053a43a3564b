//! What an environment is to hold: `maestro.environment.requested.v1`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::constraint::{command, each, given, name, seconds, variables, within};
use crate::message::Payload;
use crate::project::{Framework, Project};
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
    /// The runner that writes the report, which says how tests are named; told from the report itself without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framework: Option<Framework>,
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
    /// Whether it stays, until its time is over, when it cannot be brought up or its tests fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_on_failure: Option<bool>,
    /// The code that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<Project>,
    /// Labels of everything in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<BTreeMap<String, String>>,
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
