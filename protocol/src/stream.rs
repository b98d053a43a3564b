//! The eight streams and the six consumer groups that read them.

use std::fmt;
use std::str::FromStr;

/// One of the eight streams of the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// `automation:jobs`: checks to run, read by `monitor`.
    Jobs,
    /// `automation:errors`: detected errors, read by `triage`.
    Errors,
    /// `automation:heal`: failing tests to heal, read by `heal`.
    Heal,
    /// `automation:validation`: patches to judge, read by `validate`.
    Validation,
    /// `automation:results`: the audit trail of the automation streams; no group of ours.
    Results,
    /// `k8s:provision`: environments to bring up, read by `provision`.
    Provision,
    /// `k8s:cleanup`: environments to take away, read by `cleanup`.
    Cleanup,
    /// `k8s:results`: the audit trail of the environments; no group of ours.
    EnvironmentResults,
}

impl Stream {
    /// Every stream, in the order of the contract's table.
    pub const ALL: [Self; 8] = [
        Self::Jobs,
        Self::Errors,
        Self::Heal,
        Self::Validation,
        Self::Results,
        Self::Provision,
        Self::Cleanup,
        Self::EnvironmentResults,
    ];

    /// The stream's key in Redis, without any tenant prefix.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jobs => "automation:jobs",
            Self::Errors => "automation:errors",
            Self::Heal => "automation:heal",
            Self::Validation => "automation:validation",
            Self::Results => "automation:results",
            Self::Provision => "k8s:provision",
            Self::Cleanup => "k8s:cleanup",
            Self::EnvironmentResults => "k8s:results",
        }
    }

    /// The consumer group of the worker that reads the stream; `None` for the two results streams.
    pub const fn group(self) -> Option<&'static str> {
        match self {
            Self::Jobs => Some("monitor"),
            Self::Errors => Some("triage"),
            Self::Heal => Some("heal"),
            Self::Validation => Some("validate"),
            Self::Provision => Some("provision"),
            Self::Cleanup => Some("cleanup"),
            Self::Results | Self::EnvironmentResults => None,
        }
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is none of the eight streams.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown stream `{0}`; the streams are automation:jobs, automation:errors, automation:heal, automation:validation, automation:results, k8s:provision, k8s:cleanup and k8s:results"
)]
pub struct UnknownStream(pub String);

impl FromStr for Stream {
    type Err = UnknownStream;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|stream| stream.name() == name)
            .ok_or_else(|| UnknownStream(name.to_owned()))
    }
}
