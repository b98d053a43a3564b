//! `maestro dead`: messages that were set aside, and what becomes of them.

mod list;
mod replay;
mod selection;
mod show;

use clap::{Args, Subcommand};

use crate::fault::Outcome;
use crate::session::Session;

/// Lists, shows, replays and drops dead letters: messages that could not be handled
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro dead list
  maestro dead show 1718000000000-0
  maestro dead replay --stream automation:heal --reason exhausted --all")]
pub(crate) struct Dead {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(list::List),
    Show(show::Show),
    Replay(replay::Replay),
    Drop(replay::Drop),
}

impl Dead {
    pub(crate) async fn run(self, session: Session) -> Outcome {
        match self.action {
            Action::List(list) => list.run(&session).await,
            Action::Show(show) => show.run(&session).await,
            Action::Replay(replay) => replay.run(&session).await,
            Action::Drop(drop) => drop.run(&session).await,
        }
    }
}
