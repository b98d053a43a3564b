//! `maestro audit`: the trail of every decision, out of the streams.

mod export;
mod sink;

use clap::{Args, Subcommand};

use crate::config::flags::WorkerFlags;
use crate::fault::Outcome;
use crate::fleet::runtime;
use crate::session::Session;

/// Exports the audit trail, or appends it to PostgreSQL as it comes
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro audit export --since 24h --format csv --output-file trail.csv
  maestro audit sink --postgres-url 'postgresql:///maestro?host=/run/postgresql'")]
pub(crate) struct Audit {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Export(export::Export),
    Sink(Box<sink::SinkCommand>),
}

impl Audit {
    pub(crate) fn worker_flags(&self) -> WorkerFlags {
        match &self.action {
            Action::Export(_) => WorkerFlags::default(),
            Action::Sink(sink) => sink.flags.clone(),
        }
    }

    pub(crate) fn is_worker(&self) -> bool {
        matches!(self.action, Action::Sink(_))
    }

    pub(crate) fn run(self, session: &Session) -> Outcome {
        match self.action {
            Action::Export(export) => runtime::of_one_command()?.block_on(export.run(session)),
            Action::Sink(sink) => runtime::of_workers()?.block_on(sink.run(session)),
        }
    }
}
