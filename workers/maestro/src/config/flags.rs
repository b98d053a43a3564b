//! What the command line and the `MAESTRO_*` variables say. Every value is optional: absent means "ask the file".

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Deserialize;

use super::delivery::DeliveryFlags;
use super::environments::EnvironmentFlags;
use super::metrics::MetricsFlags;
use super::rate::Rate;
use super::span::Span;
use super::traces::TraceFlags;
use super::trail::TrailFlags;
use crate::output::Colour;

/// Flags of every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct GlobalFlags {
    /// The configuration file, YAML; `maestro config` shows what it may say
    #[arg(
        long,
        global = true,
        env = "MAESTRO_CONFIG",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub(crate) config: Option<PathBuf>,

    /// Redis: redis://, rediss://, redis+unix://, redis+sentinel:// or redis+cluster://; without it, the fleet that `maestro up` runs in this directory
    #[arg(
        long,
        global = true,
        env = "MAESTRO_REDIS_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) redis_url: Option<String>,

    /// What the names of all keys begin with, so that several tenants can share one Redis
    #[arg(
        long,
        global = true,
        env = "MAESTRO_PREFIX",
        value_name = "TEXT",
        hide_env_values = true
    )]
    pub(crate) prefix: Option<String>,

    /// Where `maestro up` keeps its Redis and its work [default: .maestro]
    #[arg(
        long,
        global = true,
        env = "MAESTRO_DATA_DIR",
        value_name = "DIR",
        hide_env_values = true
    )]
    pub(crate) data_dir: Option<PathBuf>,

    /// Which log lines go to standard error: a level, or `target=level,…` [default: info for workers, warn elsewhere]
    #[arg(
        long,
        global = true,
        env = "MAESTRO_LOG",
        value_name = "FILTER",
        hide_env_values = true
    )]
    pub(crate) log: Option<String>,

    /// The form of log lines
    #[arg(
        long,
        global = true,
        env = "MAESTRO_LOG_FORMAT",
        value_enum,
        value_name = "FORM",
        hide_env_values = true
    )]
    pub(crate) log_format: Option<LogFormat>,

    /// The most log lines a second from one place in the code; the others are counted, and that is said [default: 200]; 0: all of them
    #[arg(
        long,
        global = true,
        env = "MAESTRO_LOG_RATE",
        value_name = "N",
        hide_env_values = true
    )]
    pub(crate) log_rate: Option<u32>,

    /// When to colour
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        hide_possible_values = false
    )]
    pub(crate) color: Colour,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For a person
    #[default]
    Text,
    /// For a collector: one JSON object a line
    Json,
}

/// Where tests of others run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sandbox {
    /// In a sandbox (bubblewrap), or not at all
    #[default]
    Required,
    /// As they are: whoever can publish a message can run code as this user
    Off,
}

/// Flags of the commands that run workers.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Workers")]
pub(crate) struct WorkerFlags {
    #[command(flatten)]
    pub(crate) delivery: DeliveryFlags,

    #[command(flatten)]
    pub(crate) trail: TrailFlags,

    #[command(flatten)]
    pub(crate) environments: EnvironmentFlags,

    #[command(flatten)]
    pub(crate) metrics: MetricsFlags,

    #[command(flatten)]
    pub(crate) traces: TraceFlags,

    /// A file in which this process says every second that it is alive, for `maestro health` [default: none]
    #[arg(
        long,
        env = "MAESTRO_HEARTBEAT_FILE",
        value_name = "FILE",
        hide_env_values = true
    )]
    pub(crate) heartbeat_file: Option<PathBuf>,

    /// How many messages the triage worker handles at a time [default: 32]
    #[arg(
        long,
        env = "MAESTRO_TRIAGE_CONCURRENCY",
        value_name = "N",
        hide_env_values = true
    )]
    pub(crate) triage_concurrency: Option<u32>,

    /// How fast all triage workers together may go: `10/s`, `30/m`, `100/h`, with `burst N` for how many may go at once after a pause [default: off]; costs a round trip for each fetch
    #[arg(
        long,
        env = "MAESTRO_TRIAGE_RATE_LIMIT",
        value_name = "RATE",
        hide_env_values = true
    )]
    pub(crate) triage_rate_limit: Option<Rate>,

    /// How long the same failure counts as a repeat [default: 1h]
    #[arg(
        long,
        env = "MAESTRO_TRIAGE_WINDOW",
        value_name = "TIME",
        hide_env_values = true
    )]
    pub(crate) triage_window: Option<Span>,

    /// How many tests the heal worker heals at a time [default: one for every two processors]
    #[arg(
        long,
        env = "MAESTRO_HEAL_CONCURRENCY",
        value_name = "N",
        hide_env_values = true
    )]
    pub(crate) heal_concurrency: Option<u32>,

    /// How fast all heal workers together may go: `10/s`, `30/m`, `100/h`, with `burst N` for how many may go at once after a pause [default: off]; spares a repository host or a package index, and makes a backlog wait
    #[arg(
        long,
        env = "MAESTRO_HEAL_RATE_LIMIT",
        value_name = "RATE",
        hide_env_values = true
    )]
    pub(crate) heal_rate_limit: Option<Rate>,

    /// A directory below which repositories may be read; may be given several times [default: none, `up`: this one]
    #[arg(
        long = "root",
        env = "MAESTRO_ROOTS",
        value_name = "DIR",
        value_delimiter = ':',
        hide_env_values = true
    )]
    pub(crate) roots: Option<Vec<PathBuf>>,

    /// Where copies of repositories are made [default: work below the data directory]
    #[arg(
        long,
        env = "MAESTRO_WORK_DIR",
        value_name = "DIR",
        hide_env_values = true
    )]
    pub(crate) work_dir: Option<PathBuf>,

    /// Where downloads and environments are kept for the next heal [default: cache below the data directory]
    #[arg(
        long,
        env = "MAESTRO_CACHE_DIR",
        value_name = "DIR",
        hide_env_values = true
    )]
    pub(crate) cache_dir: Option<PathBuf>,

    /// Where the tests of others run [default: required]
    #[arg(
        long,
        env = "MAESTRO_SANDBOX",
        value_enum,
        value_name = "WHERE",
        hide_env_values = true
    )]
    pub(crate) sandbox: Option<Sandbox>,

    /// The package index that may be reached while dependencies are installed [default: the installer's own]
    #[arg(
        long,
        env = "MAESTRO_INDEX",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) index: Option<String>,

    /// The longest that one heal may take [default: 5m]
    #[arg(
        long,
        env = "MAESTRO_TIME_LIMIT",
        value_name = "TIME",
        hide_env_values = true
    )]
    pub(crate) time_limit: Option<Span>,
}
