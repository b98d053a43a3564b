//! `maestro env`: environments, asked for, followed and taken away through the streams, never by talking to Kubernetes.

mod down;
mod extend;
mod follow;
mod goal;
pub(crate) mod history;
mod list;
mod logs;
mod request;
mod settle;
mod show;
mod spec;
mod state;
mod story;
mod up;
pub(crate) mod words;

use clap::{Args, Subcommand};

use crate::fault::{Fault, Outcome};
use crate::session::Session;

/// Brings ephemeral environments up, follows them, and takes them away
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro env up -f spec.yaml                     # follows until it is ready, or its tests have ended
  maestro env list
  maestro env extend 3f2a 30m && maestro env logs 3f2a --follow
  maestro env down 3f2a

What the file may say, and the phases: docs/environments.md.")]
pub(crate) struct Env {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Up(up::Up),
    List(list::List),
    Show(show::Show),
    Logs(logs::Logs),
    Extend(extend::Extend),
    Down(down::Down),
}

impl Env {
    pub(crate) async fn run(self, session: Session) -> Outcome {
        match self.action {
            Action::Up(up) => Box::pin(up.run(&session)).await,
            Action::List(list) => list.run(&session).await,
            Action::Show(show) => show.run(&session).await,
            Action::Logs(logs) => logs.run(&session).await,
            Action::Extend(extend) => Box::pin(extend.run(&session)).await,
            Action::Down(down) => Box::pin(down.run(&session)).await,
        }
    }
}

/// Seconds as the wire has them: whole ones, 30 days at most.
fn seconds(flag: &str, span: crate::config::Span) -> Result<u32, Fault> {
    const MOST: u64 = 30 * 24 * 3600;
    let whole = span.0.subsec_nanos() == 0 && (1..=MOST).contains(&span.0.as_secs());
    let seconds = u32::try_from(span.0.as_secs()).ok().filter(|_| whole);
    seconds.ok_or_else(|| {
        Fault::usage(format!(
            "`{flag}`: expected whole seconds, from `1s` to `720h`, but found `{span}`"
        ))
    })
}
