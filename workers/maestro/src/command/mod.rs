//! The commands, one file each.

mod apply;
mod asyncapi;
mod audit;
mod completions;
mod config;
mod dead;
pub(crate) mod env;
mod health;
mod ps;
mod publish;
mod report;
mod schema;
mod show;
mod status;
mod top;
mod up;
mod verdict;
mod watch;
mod worker;

use clap::{Args, Subcommand};

use crate::config::flags::WorkerFlags;
use crate::fault::Outcome;
use crate::fleet::runtime;
use crate::output::Format;
use crate::session::Session;

/// What can be asked of `maestro`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Up(Box<up::Up>),
    Worker(Box<worker::Worker>),
    Publish(Box<publish::Publish>),
    Watch(watch::Watch),
    Show(show::Show),
    Apply(apply::Apply),
    Verdict(verdict::VerdictCommand),
    Report(report::Report),
    Status(status::Status),
    Ps(ps::Ps),
    Top(top::Top),
    Health(health::Health),
    Dead(dead::Dead),
    Env(Box<env::Env>),
    Audit(Box<audit::Audit>),
    Schema(schema::Schema),
    Asyncapi(asyncapi::Asyncapi),
    Config(Box<config::Config>),
    Completions(completions::Completions),
}

/// Of every command whose result a script may read.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OutputFlag {
    /// What standard output carries
    #[arg(long, short, value_enum, default_value_t, value_name = "FORM")]
    pub(crate) output: Format,
}

impl OutputFlag {
    pub(crate) fn is_json(self) -> bool {
        self.output == Format::Json
    }
}

impl Command {
    /// The flags of the commands that run workers; empty for the others.
    pub(crate) fn worker_flags(&self) -> WorkerFlags {
        match self {
            Self::Up(up) => up.flags.clone(),
            Self::Worker(worker) => worker.flags.clone(),
            Self::Config(config) => config.flags.clone(),
            Self::Health(health) => health.flags(),
            Self::Audit(audit) => audit.worker_flags(),
            _ => WorkerFlags::default(),
        }
    }

    /// The log filter where none is configured: a worker tells what it does, the others only what goes wrong.
    pub(crate) fn default_log(&self) -> &'static str {
        match self {
            Self::Up(_) | Self::Worker(_) => "info",
            Self::Audit(audit) if audit.is_worker() => "info",
            // A line would end up in the middle of the picture; a panic is told after it.
            Self::Top(_) => "error",
            _ => "warn",
        }
    }

    pub(crate) fn run(self, session: Session) -> Outcome {
        match self {
            Self::Up(up) => runtime::of_workers()?.block_on(up.run(session)),
            Self::Worker(worker) => runtime::of_workers()?.block_on(worker.run(session)),
            Self::Publish(publish) => runtime::of_one_command()?.block_on(publish.run(session)),
            Self::Watch(watch) => runtime::of_one_command()?.block_on(watch.run(session)),
            Self::Show(show) => runtime::of_one_command()?.block_on(show.run(session)),
            Self::Apply(apply) => runtime::of_one_command()?.block_on(apply.run(session)),
            Self::Verdict(verdict) => runtime::of_one_command()?.block_on(verdict.run(session)),
            Self::Report(report) => runtime::of_one_command()?.block_on(report.run(session)),
            Self::Status(status) => runtime::of_one_command()?.block_on(status.run(session)),
            Self::Top(top) => runtime::of_one_command()?.block_on(top.run(session)),
            Self::Ps(ps) => runtime::of_one_command()?.block_on(ps.run(session)),
            Self::Health(health) => health.run(&session),
            Self::Dead(dead) => runtime::of_one_command()?.block_on(dead.run(session)),
            Self::Env(env) => runtime::of_one_command()?.block_on(env.run(session)),
            Self::Audit(audit) => audit.run(&session),
            Self::Schema(schema) => schema.run(&session),
            Self::Asyncapi(asyncapi) => asyncapi.run(&session),
            Self::Config(config) => config.run(&session),
            Self::Completions(completions) => completions.run(&session),
        }
    }
}
