//! `maestro dead replay` and `maestro dead drop`: a dead letter's second chance, or its end.

use clap::{ArgGroup, Args};
use maestro_streams::Admin;
use serde_json::json;

use super::super::OutputFlag;
use super::selection::{Filter, Letter};
use crate::exit::Exit;
use crate::fault::{Fault, Outcome};
use crate::fleet::connection;
use crate::session::Session;

/// Puts dead letters back into their streams, as they were
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("which").required(true).args(["ids", "all"]),
    after_help = "\
Examples:
  maestro dead replay 1718000000000-0
  maestro dead replay --all --stream automation:heal --reason exhausted"
)]
pub(super) struct Replay {
    #[command(flatten)]
    which: Which,
}

/// Deletes dead letters for good
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("which").required(true).args(["ids", "all"]),
    after_help = "\
Examples:
  maestro dead drop 1718000000000-0
  maestro dead drop --all --reason expired"
)]
pub(super) struct Drop {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
struct Which {
    /// Their ids, or their messages'
    #[arg(value_name = "ID")]
    ids: Vec<String>,

    /// All that --stream and --reason leave
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    filter: Filter,

    #[command(flatten)]
    output: OutputFlag,
}

impl Which {
    async fn letters(&self, admin: &Admin) -> Result<Vec<Letter>, Fault> {
        if self.all {
            return self.filter.letters(admin, usize::MAX).await;
        }
        let mut letters = Vec::new();
        for id in &self.ids {
            letters.push(self.filter.one(admin, id).await?);
        }
        Ok(letters)
    }

    fn tell(&self, session: &Session, letter: &Letter, entry: Option<String>) -> Result<(), Fault> {
        let id = letter.dead.id.to_string();
        if self.output.is_json() {
            let stream = letter.stream.name();
            return session
                .output
                .json_line(&json!({ "id": id, "stream": stream, "entry": entry }));
        }
        session.output.line(match entry {
            Some(entry) => format!("{id}  replayed to {} as {entry}", letter.stream),
            None => format!("{id}  dropped from {}", letter.stream),
        })
    }
}

impl Replay {
    pub(super) async fn run(self, session: &Session) -> Outcome {
        let admin = connection::admin(session)?;
        for letter in self.which.letters(&admin).await? {
            let entry = admin
                .replay(letter.stream.name(), letter.dead.id)
                .await
                .map_err(|error| connection::fault(&error))?;
            self.which.tell(session, &letter, Some(entry.to_string()))?;
        }
        Ok(Exit::Success)
    }
}

impl Drop {
    pub(super) async fn run(self, session: &Session) -> Outcome {
        let admin = connection::admin(session)?;
        for letter in self.which.letters(&admin).await? {
            admin
                .drop_dead_letter(letter.stream.name(), letter.dead.id)
                .await
                .map_err(|error| connection::fault(&error))?;
            self.which.tell(session, &letter, None)?;
        }
        Ok(Exit::Success)
    }
}
