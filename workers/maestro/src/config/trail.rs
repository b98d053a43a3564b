//! How long results are kept, and where else they go: the flags, and what is in force.

use std::time::Duration;

use clap::Args;
use maestro_audit::Postgres;

use super::keys::{POSTGRES_URL, RESULTS_RETENTION};
use super::layers::Layers;
use super::mask::masked;
use super::origin::{Setting, Shown};
use super::settings::optional;
use super::span::Span;
use crate::fault::Fault;

/// What is in force.
#[derive(Debug, Clone)]
pub(crate) struct AuditTrail {
    retention: Setting<Span>,
    postgres_url: Setting<Option<String>>,
}

impl AuditTrail {
    pub(super) fn of(layers: &Layers) -> Self {
        let flags = &layers.worker.trail;
        Self {
            retention: layers.setting(
                RESULTS_RETENTION,
                flags.results_retention.as_ref(),
                layers.file.results.retention.as_ref(),
                Span::seconds(30 * 86_400),
            ),
            postgres_url: optional(
                POSTGRES_URL,
                layers.given(
                    POSTGRES_URL,
                    flags.postgres_url.as_ref(),
                    layers.file.audit.postgres_url.as_ref(),
                ),
            ),
        }
    }

    pub(super) fn check(&self) -> Result<(), Fault> {
        let retention = self.retention.value;
        let least = Span::seconds(1);
        let fits = retention.0.is_zero() || retention >= least;
        self.retention
            .must(fits, &format!("`0s` or at least `{least}`"))?;
        self.postgres().map(drop)
    }

    pub(super) fn shown(&self) -> [Shown; 2] {
        [
            Shown::of(&self.retention, ToString::to_string),
            Shown::of(&self.postgres_url, |url| {
                url.as_deref().map(masked).unwrap_or_default()
            }),
        ]
    }

    /// For how long the results streams keep what came; `None` for ever.
    pub(crate) fn retention(&self) -> Option<Duration> {
        Some(self.retention.value.0).filter(|time| !time.is_zero())
    }

    /// The database of the sink, if one is named.
    pub(crate) fn postgres(&self) -> Result<Option<Postgres>, Fault> {
        let Some(url) = &self.postgres_url.value else {
            return Ok(None);
        };
        url.parse().map(Some).map_err(|error| {
            let (key, origin) = (self.postgres_url.key.path, &self.postgres_url.origin);
            Fault::usage(format!("`{key}`: {error} ({origin})"))
        })
    }
}

/// What the command line and the variables say of it.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Workers")]
pub(crate) struct TrailFlags {
    /// How long the results streams keep what came [default: 720h, thirty days]; `0s`: for ever; what `maestro audit sink` has not read yet stays in any case
    #[arg(
        long,
        env = "MAESTRO_RESULTS_RETENTION",
        value_name = "TIME",
        hide_env_values = true
    )]
    pub(crate) results_retention: Option<Span>,

    /// PostgreSQL, for `maestro audit sink`: `postgresql://user:password@host/name`, or `postgresql:///name?host=/run/postgresql` for a socket; without TLS
    #[arg(
        long,
        env = "MAESTRO_AUDIT_POSTGRES_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) postgres_url: Option<String>,
}
