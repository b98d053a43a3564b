//! Where spans go: the flags, and what is in force.

use std::path::PathBuf;

use clap::Args;
use maestro_telemetry::Address;

use super::keys::{TRACES_CA, TRACES_RATIO, TRACES_TARGET, TRACES_TOKEN};
use super::layers::Layers;
use super::mask::masked;
use super::origin::{Setting, Shown};
use super::settings::optional;
use crate::fault::Fault;

/// What is in force.
#[derive(Clone)]
pub(crate) struct Traces {
    pub(crate) target: Setting<Option<String>>,
    pub(crate) token: Setting<Option<String>>,
    pub(crate) ca: Setting<Option<PathBuf>>,
    pub(crate) ratio: Setting<f64>,
}

impl Traces {
    pub(super) fn of(layers: &Layers) -> Self {
        let (flags, file) = (&layers.worker.traces, &layers.file.traces);
        let target = layers.given(
            TRACES_TARGET,
            flags.traces_target.as_ref(),
            file.target.as_ref(),
        );
        let token = layers.given(
            TRACES_TOKEN,
            flags.traces_token.as_ref(),
            file.token.as_ref(),
        );
        let ca = layers.given(TRACES_CA, flags.traces_ca.as_ref(), file.ca.as_ref());
        Self {
            target: optional(TRACES_TARGET, target),
            token: optional(TRACES_TOKEN, token),
            ca: optional(TRACES_CA, ca.map(|given| layers.resolved(given))),
            ratio: layers.setting(
                TRACES_RATIO,
                flags.traces_ratio.as_ref(),
                file.ratio.as_ref(),
                1.0,
            ),
        }
    }

    /// The target, with its credentials; `None` if nothing is to be traced.
    pub(crate) fn target(&self) -> Result<Option<Address>, Fault> {
        let Some(url) = &self.target.value else {
            return Ok(None);
        };
        let address: Address = url.parse().map_err(|error| {
            let (key, origin) = (self.target.key.path, &self.target.origin);
            // Not even a URL that is none is printed: it may have a password in it.
            Fault::usage(format!("`{key}`: {error} ({origin})"))
        })?;
        Ok(Some(match &self.token.value {
            Some(token) => address.with_token(token.clone()),
            None => address,
        }))
    }

    pub(super) fn check(&self) -> Result<(), Fault> {
        self.target()?;
        let fits = (0.0..=1.0).contains(&self.ratio.value);
        self.ratio.must(fits, "between 0 and 1")
    }

    pub(super) fn shown(&self) -> [Shown; 4] {
        [
            Shown::of(&self.target, |url| {
                url.as_deref().map(masked).unwrap_or_default()
            }),
            Shown::of(&self.token, |token| {
                token.as_ref().map(|_| "***".to_owned()).unwrap_or_default()
            }),
            Shown::of(&self.ca, |path| {
                path.as_ref()
                    .map(|path| path.display().to_string())
                    .unwrap_or_default()
            }),
            Shown::of(&self.ratio, ToString::to_string),
        ]
    }
}

/// Without what is secret.
impl std::fmt::Debug for Traces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.shown()).finish()
    }
}

/// What the command line and the variables say of it.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Traces")]
#[expect(
    clippy::struct_field_names,
    reason = "clap makes the flags' names of them, and layers find them by those"
)]
pub(crate) struct TraceFlags {
    /// Where spans are pushed: an endpoint of OTLP over HTTP, `http://collector:4318` for example; a user and a password may stand before the host [default: nothing is traced]
    #[arg(
        long,
        env = "MAESTRO_TRACES_TARGET",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) traces_target: Option<String>,

    /// A bearer token for it; better in the variable or the file, since other users see the flags of a process
    #[arg(
        long,
        env = "MAESTRO_TRACES_TOKEN",
        value_name = "TEXT",
        hide_env_values = true
    )]
    pub(crate) traces_token: Option<String>,

    /// Further authorities to trust when pushing spans over https, PEM [default: the system's alone]
    #[arg(
        long,
        env = "MAESTRO_TRACES_CA",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub(crate) traces_ca: Option<PathBuf>,

    /// How much of the traces that begin in this fleet is kept, from 0 to 1 [default: 1]; what a producer has begun it has decided on
    #[arg(
        long,
        env = "MAESTRO_TRACES_RATIO",
        value_name = "NUMBER",
        hide_env_values = true
    )]
    pub(crate) traces_ratio: Option<f64>,
}
