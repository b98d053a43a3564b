//! What ends an environment, or lets it live longer: what the stream `k8s:cleanup` carries.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::DeletionCause;
use crate::constraint::{given, name, seconds};
use crate::message::{Inbound, Message, Payload};
use crate::stream::Stream;
use crate::violation::{Violation, Within};

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
    /// Why `environment` is to go; `requested` without it. With `expired`, it stays if its time was extended meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<DeletionCause>,
    /// The `uid` of the Kubernetes namespace that is meant, so that a later environment of the same id is spared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub namespace_uid: Option<String>,
}

/// `maestro.environment.extension.requested.v1`: let an environment live longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExtensionRequested {
    /// The environment's id.
    #[schemars(length(min = 1, max = 4096))]
    pub environment: String,
    /// By how many seconds its end moves.
    #[schemars(range(min = 1, max = 2_592_000))]
    pub by_s: u32,
}

/// What the cleanup worker takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CleanupInbound {
    /// Take environments away.
    Cleanup(CleanupRequested),
    /// Let one live longer.
    Extension(ExtensionRequested),
}

impl Inbound for CleanupInbound {
    const STREAM: Stream = Stream::Cleanup;

    fn from_message(message: Message) -> Result<Self, Message> {
        match message {
            Message::CleanupRequested(payload) => Ok(Self::Cleanup(payload)),
            Message::ExtensionRequested(payload) => Ok(Self::Extension(payload)),
            other => Err(other),
        }
    }
}

impl Payload for CleanupRequested {
    const TYPE: &'static str = "maestro.environment.cleanup.requested.v1";
    const STREAM: Stream = Stream::Cleanup;

    fn check(&self) -> Result<(), Violation> {
        given(self.environment.as_deref(), name).member("environment")?;
        given(self.selector.as_deref(), name).member("selector")?;
        given(self.namespace_uid.as_deref(), name).member("namespace_uid")?;
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

impl Payload for ExtensionRequested {
    const TYPE: &'static str = "maestro.environment.extension.requested.v1";
    const STREAM: Stream = Stream::Cleanup;

    fn check(&self) -> Result<(), Violation> {
        name(&self.environment).member("environment")?;
        seconds(self.by_s).member("by_s")
    }
}
