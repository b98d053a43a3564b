//! Where what is measured goes: the flags, and what is in force.

use std::path::PathBuf;

use clap::Args;
use maestro_telemetry::Target;

use super::keys::{
    METRICS_CA, METRICS_GZIP, METRICS_INSTANCE, METRICS_INTERVAL, METRICS_JOB, METRICS_LINGER,
    METRICS_TARGET, METRICS_TIMEOUT, METRICS_TOKEN,
};
use super::layers::Layers;
use super::mask::masked;
use super::origin::{Setting, Shown};
use super::settings::optional;
use super::span::Span;
use crate::fault::Fault;

/// What is in force.
#[derive(Clone)]
pub(crate) struct Metrics {
    pub(crate) target: Setting<Option<String>>,
    pub(crate) token: Setting<Option<String>>,
    pub(crate) ca: Setting<Option<PathBuf>>,
    pub(crate) job: Setting<String>,
    pub(crate) instance: Setting<Option<String>>,
    pub(crate) interval: Setting<Span>,
    pub(crate) timeout: Setting<Span>,
    pub(crate) linger: Setting<Span>,
    pub(crate) gzip: Setting<bool>,
}

impl Metrics {
    pub(super) fn of(layers: &Layers) -> Self {
        let (flags, file) = (&layers.worker.metrics, &layers.file.metrics);
        macro_rules! setting {
            ($key:expr, $flag:ident, $member:ident, $default:expr) => {
                layers.setting($key, flags.$flag.as_ref(), file.$member.as_ref(), $default)
            };
        }
        macro_rules! may {
            ($key:expr, $flag:ident, $member:ident) => {
                optional(
                    $key,
                    layers.given($key, flags.$flag.as_ref(), file.$member.as_ref()),
                )
            };
        }
        let ca = layers.given(METRICS_CA, flags.metrics_ca.as_ref(), file.ca.as_ref());
        Self {
            target: may!(METRICS_TARGET, metrics_target, target),
            token: may!(METRICS_TOKEN, metrics_token, token),
            ca: optional(METRICS_CA, ca.map(|given| layers.resolved(given))),
            job: setting!(METRICS_JOB, metrics_job, job, "maestro".to_owned()),
            instance: may!(METRICS_INSTANCE, metrics_instance, instance),
            interval: setting!(
                METRICS_INTERVAL,
                metrics_interval,
                interval,
                Span::seconds(15)
            ),
            timeout: setting!(METRICS_TIMEOUT, metrics_timeout, timeout, Span::seconds(5)),
            linger: setting!(METRICS_LINGER, metrics_linger, linger, Span::seconds(0)),
            gzip: setting!(METRICS_GZIP, metrics_gzip, gzip, false),
        }
    }

    /// The target, with its credentials; `None` if nothing is to be measured.
    pub(crate) fn target(&self) -> Result<Option<Target>, Fault> {
        let Some(url) = &self.target.value else {
            return Ok(None);
        };
        let target: Target = url.parse().map_err(|error| {
            let (key, origin) = (self.target.key.path, &self.target.origin);
            // Not even a URL that is none is printed: it may have a password in it.
            Fault::usage(format!("`{key}`: {error} ({origin})"))
        })?;
        let Some(token) = &self.token.value else {
            return Ok(Some(target));
        };
        if target.has_user() {
            let (key, origin) = (self.token.key.path, &self.token.origin);
            return Err(Fault::usage(format!(
                "`{key}`: expected none beside the user in `{}` ({origin})",
                self.target.key.path
            )));
        }
        Ok(Some(target.with_token(token.clone())))
    }

    pub(super) fn check(&self) -> Result<(), Fault> {
        self.target()?;
        let (least, hour) = (
            Span(std::time::Duration::from_millis(100)),
            Span::seconds(3600),
        );
        for setting in [&self.interval, &self.timeout] {
            let fits = (least..=hour).contains(&setting.value);
            setting.must(fits, &format!("between `{least}` and `{hour}`"))?;
        }
        self.linger
            .must(self.linger.value <= hour, &format!("at most `{hour}`"))?;
        let is_name =
            |name: &str| (1..=256).contains(&name.len()) && !name.contains(char::is_control);
        let expected = "1 to 256 bytes without control characters";
        self.job.must(is_name(&self.job.value), expected)?;
        let instance = self.instance.clone();
        let fits = instance.value.as_deref().is_none_or(is_name);
        instance.map(Option::unwrap_or_default).must(fits, expected)
    }

    pub(super) fn shown(&self) -> [Shown; 9] {
        let span = |setting| Shown::of::<Span>(setting, ToString::to_string);
        let may = |text: &Option<String>| text.clone().unwrap_or_default();
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
            Shown::of(&self.job, Clone::clone),
            Shown::of(&self.instance, may),
            span(&self.interval),
            span(&self.timeout),
            span(&self.linger),
            Shown::of(&self.gzip, ToString::to_string),
        ]
    }
}

/// Without what is secret.
impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.shown()).finish()
    }
}

/// What the command line and the variables say of it.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Metrics")]
#[expect(
    clippy::struct_field_names,
    reason = "clap makes the flags' names of them, and layers find them by those"
)]
pub(crate) struct MetricsFlags {
    /// Where metrics are pushed: a Pushgateway (http://, https://), an endpoint that takes the text format (import+http://, import+https://) or a directory for `node_exporter` (file:///); a user and a password may stand before the host [default: nothing is measured]
    #[arg(
        long,
        env = "MAESTRO_METRICS_TARGET",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) metrics_target: Option<String>,

    /// A bearer token for it; better in the variable or the file, since other users see the flags of a process
    #[arg(
        long,
        env = "MAESTRO_METRICS_TOKEN",
        value_name = "TEXT",
        hide_env_values = true
    )]
    pub(crate) metrics_token: Option<String>,

    /// Further authorities to trust when pushing over https, PEM [default: the system's alone]
    #[arg(
        long,
        env = "MAESTRO_METRICS_CA",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub(crate) metrics_ca: Option<PathBuf>,

    /// The label `job` of all metrics [default: maestro]
    #[arg(
        long,
        env = "MAESTRO_METRICS_JOB",
        value_name = "NAME",
        hide_env_values = true
    )]
    pub(crate) metrics_job: Option<String>,

    /// The label `instance`, another one for each replica [default: the host's name and the process id]
    #[arg(
        long,
        env = "MAESTRO_METRICS_INSTANCE",
        value_name = "NAME",
        hide_env_values = true
    )]
    pub(crate) metrics_instance: Option<String>,

    /// How often metrics are pushed, and the queues read, give or take a quarter [default: 15s]; no shorter than Prometheus scrapes
    #[arg(
        long,
        env = "MAESTRO_METRICS_INTERVAL",
        value_name = "TIME",
        hide_env_values = true
    )]
    pub(crate) metrics_interval: Option<Span>,

    /// How long one push may take [default: 5s]
    #[arg(
        long,
        env = "MAESTRO_METRICS_TIMEOUT",
        value_name = "TIME",
        hide_env_values = true
    )]
    pub(crate) metrics_timeout: Option<Span>,

    /// How long the last push of a replica that ends stays to be read before it is taken back [default: 0s]; longer than Prometheus' scrape interval loses no last figure, and ends so much later
    #[arg(
        long,
        env = "MAESTRO_METRICS_LINGER",
        value_name = "TIME",
        hide_env_values = true
    )]
    pub(crate) metrics_linger: Option<Span>,

    /// Whether metrics are compressed on their way [default: false]; a Pushgateway takes that from 1.5 on
    #[arg(
        long,
        env = "MAESTRO_METRICS_GZIP",
        value_name = "BOOL",
        hide_env_values = true
    )]
    pub(crate) metrics_gzip: Option<bool>,
}
