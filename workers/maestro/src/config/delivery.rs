//! How messages are delivered, for every worker of the fleet: the flags, and what is in force.

use clap::Args;
use maestro_streams::ConsumerConfig;

use super::keys::{
    BATCH, DEDUP_WINDOW, GRACE, LEASE, MAX_DELIVERIES, QUARANTINE_FROM, RETENTION, RETRY_BASE,
    RETRY_CAP, URGENT_LANE,
};
use super::layers::Layers;
use super::origin::{Setting, Shown};
use super::span::Span;
use crate::fault::Fault;

/// What is in force.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) lease: Setting<Span>,
    pub(crate) max_deliveries: Setting<u32>,
    pub(crate) quarantine_from: Setting<u32>,
    pub(crate) retry_base: Setting<Span>,
    pub(crate) retry_cap: Setting<Span>,
    pub(crate) batch: Setting<u32>,
    pub(crate) urgent_lane: Setting<bool>,
    pub(crate) grace: Setting<Span>,
    pub(crate) retention: Setting<Span>,
    pub(crate) dedup_window: Setting<Span>,
}

impl Delivery {
    pub(super) fn of(layers: &Layers) -> Self {
        let (flags, file) = (&layers.worker.delivery, &layers.file.delivery);
        macro_rules! setting {
            ($key:expr, $member:ident, $default:expr) => {
                layers.setting(
                    $key,
                    flags.$member.as_ref(),
                    file.$member.as_ref(),
                    $default,
                )
            };
        }
        Self {
            lease: setting!(LEASE, lease, Span::seconds(30)),
            max_deliveries: setting!(MAX_DELIVERIES, max_deliveries, 5),
            quarantine_from: setting!(QUARANTINE_FROM, quarantine_from, 3),
            retry_base: setting!(RETRY_BASE, retry_base, Span::seconds(1)),
            retry_cap: setting!(RETRY_CAP, retry_cap, Span::seconds(300)),
            batch: setting!(BATCH, batch, 256),
            urgent_lane: setting!(URGENT_LANE, urgent_lane, true),
            grace: setting!(GRACE, grace, Span::seconds(25)),
            retention: setting!(RETENTION, retention, Span::seconds(86_400)),
            dedup_window: setting!(DEDUP_WINDOW, dedup_window, Span::seconds(86_400)),
        }
    }

    pub(super) fn check(&self) -> Result<(), Fault> {
        let second = Span::seconds(1);
        for setting in [&self.lease, &self.dedup_window] {
            setting.must(setting.value >= second, &format!("at least `{second}`"))?;
        }
        for (setting, least, most) in [
            (&self.max_deliveries, 1, 10_000),
            (&self.quarantine_from, 2, 10_000),
            (&self.batch, 1, 1000),
        ] {
            setting.must(
                (least..=most).contains(&setting.value),
                &format!("a number from {least} to {most}"),
            )?;
        }
        let cap = &self.retry_cap;
        self.retry_base.must(
            self.retry_base.value <= cap.value,
            &format!("at most `{}` (`{}`)", cap.key.path, cap.value),
        )
    }

    pub(super) fn shown(&self) -> [Shown; 10] {
        let span = |setting| Shown::of::<Span>(setting, ToString::to_string);
        let number = |setting| Shown::of::<u32>(setting, ToString::to_string);
        [
            span(&self.lease),
            number(&self.max_deliveries),
            number(&self.quarantine_from),
            span(&self.retry_base),
            span(&self.retry_cap),
            number(&self.batch),
            Shown::of(&self.urgent_lane, ToString::to_string),
            span(&self.grace),
            span(&self.retention),
            span(&self.dedup_window),
        ]
    }

    /// A consumer of this group that delivers so.
    pub(crate) fn consumer(&self, stream: &str, group: &str) -> ConsumerConfig {
        ConsumerConfig {
            lease: self.lease.value.0,
            max_deliveries: self.max_deliveries.value,
            quarantine_from: self.quarantine_from.value,
            retry_base: self.retry_base.value.0,
            retry_cap: self.retry_cap.value.0,
            batch: usize::try_from(self.batch.value).unwrap_or(usize::MAX),
            urgent_lane: self.urgent_lane.value,
            grace: self.grace.value.0,
            retention: self.retention.value.0,
            dedup_window: self.dedup_window.value.0,
            ..ConsumerConfig::new(stream, group)
        }
    }
}

/// What the command line and the variables say of it.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Workers")]
pub(crate) struct DeliveryFlags {
    /// How long a message stays with a worker that gives no sign of life [default: 30s]
    #[arg(
        long,
        env = "MAESTRO_LEASE",
        value_name = "TIME",
        hide_env_values = true
    )]
    pub(crate) lease: Option<Span>,

    /// How often a message is delivered before it becomes a dead letter [default: 5]
    #[arg(
        long,
        env = "MAESTRO_MAX_DELIVERIES",
        value_name = "N",
        hide_env_values = true
    )]
    pub(crate) max_deliveries: Option<u32>,

    /// From which delivery on a message is handled alone, because it may have ended the workers before [default: 3]; higher keeps a lost worker's messages side by side, where a killer takes the others with it
    #[arg(
        long,
        env = "MAESTRO_QUARANTINE_FROM",
        value_name = "N",
        hide_env_values = true
    )]
    pub(crate) quarantine_from: Option<u32>,

    /// The longest wait before the first retry, doubled for each further one [default: 1s]; shorter finds out sooner and uses the deliveries up sooner
    #[arg(
        long,
        env = "MAESTRO_RETRY_BASE",
        value_name = "TIME",
        hide_env_values = true
    )]
    pub(crate) retry_base: Option<Span>,

    /// The longest wait before any retry [default: 5m]; longer outlives longer outages, and a message may be that late
    #[arg(
        long,
        env = "MAESTRO_RETRY_CAP",
        value_name = "TIME",
        hide_env_values = true
    )]
    pub(crate) retry_cap: Option<Span>,

    /// How many messages one fetch and one commit carry at most [default: 256]; more gains little and keeps Redis from others for longer
    #[arg(long, env = "MAESTRO_BATCH", value_name = "N", hide_env_values = true)]
    pub(crate) batch: Option<u32>,

    /// Whether to read the streams' urgent lanes too, and before them [default: true]; costs each worker a second reading connection
    #[arg(
        long,
        env = "MAESTRO_URGENT_LANE",
        value_name = "BOOL",
        hide_env_values = true
    )]
    pub(crate) urgent_lane: Option<bool>,

    /// How long running work may take to end after SIGTERM; the rest is handed back [default: 25s]
    #[arg(
        long,
        env = "MAESTRO_GRACE",
        value_name = "TIME",
        hide_env_values = true
    )]
    pub(crate) grace: Option<Span>,

    /// How long a stream keeps what every group has acknowledged [default: 24h]
    #[arg(
        long,
        env = "MAESTRO_RETENTION",
        value_name = "TIME",
        hide_env_values = true
    )]
    pub(crate) retention: Option<Span>,

    /// How long a message's id is remembered, so that publishing it again has no effect [default: 24h]
    #[arg(
        long,
        env = "MAESTRO_DEDUP_WINDOW",
        value_name = "TIME",
        hide_env_values = true
    )]
    pub(crate) dedup_window: Option<Span>,
}
