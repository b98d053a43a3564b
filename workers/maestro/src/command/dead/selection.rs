//! Which dead letters are meant.

use clap::Args;
use maestro_protocol::{DeadReason, Stream};
use maestro_streams::{Admin, DeadEntry, EntryId};

use crate::fault::Fault;
use crate::fleet::connection;

/// How many are read in one round trip.
const PAGE: usize = 500;

/// Dead letters by where they are and why they are there.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Filter {
    /// Only of this stream
    #[arg(long, value_name = "STREAM", value_parser = stream)]
    stream: Option<Stream>,

    /// Only those set aside for this reason
    #[arg(long, value_name = "REASON", value_parser = reason)]
    reason: Option<DeadReason>,
}

/// A dead letter, and the stream that it belongs to.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) stream: Stream,
    pub(super) dead: DeadEntry,
}

impl Letter {
    /// The message's own id, if it has one.
    pub(super) fn message_id(&self) -> &str {
        self.field("id")
    }

    pub(super) fn field(&self, name: &str) -> &str {
        self.dead.entry.fields.get_str(name).unwrap_or("")
    }
}

impl Filter {
    fn streams(&self) -> Vec<Stream> {
        self.stream
            .map_or_else(|| Stream::ALL.to_vec(), |stream| vec![stream])
    }

    fn wants(&self, dead: &DeadEntry) -> bool {
        self.reason
            .is_none_or(|reason| dead.reason() == reason.name())
    }

    /// Every dead letter that fits, oldest first within each stream; at most `most`.
    pub(super) async fn letters(&self, admin: &Admin, most: usize) -> Result<Vec<Letter>, Fault> {
        let mut letters = Vec::new();
        for stream in self.streams() {
            let mut after = None;
            loop {
                let page = admin
                    .dead_letters(stream.name(), after, PAGE)
                    .await
                    .map_err(|error| connection::fault(&error))?;
                after = page.last().map(|dead| dead.id);
                let is_last = page.len() < PAGE;
                for dead in page.into_iter().filter(|dead| self.wants(dead)) {
                    if letters.len() == most {
                        return Ok(letters);
                    }
                    letters.push(Letter { stream, dead });
                }
                if is_last {
                    break;
                }
            }
        }
        Ok(letters)
    }

    /// The one that `wanted` names: its id among the dead letters, or its message's own id.
    pub(super) async fn one(&self, admin: &Admin, wanted: &str) -> Result<Letter, Fault> {
        let missing = || {
            Fault::no(format!("no dead letter is named by `{wanted}`")).next(
                "`maestro dead list` shows them; it may have been replayed or dropped meanwhile",
            )
        };
        let mut found = if let Ok(id) = wanted.parse::<EntryId>() {
            let mut found = Vec::new();
            for stream in self.streams() {
                match admin.dead_letter(stream.name(), id).await {
                    Ok(dead) => found.push(Letter { stream, dead }),
                    Err(maestro_streams::Error::NoDeadLetter { .. }) => {}
                    Err(error) => return Err(connection::fault(&error)),
                }
            }
            found
        } else {
            let all = self.letters(admin, usize::MAX).await?;
            all.into_iter()
                .filter(|letter| letter.message_id() == wanted)
                .collect()
        };
        match (found.len(), found.pop()) {
            (1, Some(letter)) => Ok(letter),
            (0, _) | (_, None) => Err(missing()),
            (count, Some(_)) => Err(Fault::no(format!(
                "`{wanted}` stands for {count} dead letters"
            ))
            .next("say which with --stream, or give the id that `maestro dead list` shows")),
        }
    }
}

fn stream(name: &str) -> Result<Stream, String> {
    name.parse().map_err(|error| format!("{error}"))
}

fn reason(name: &str) -> Result<DeadReason, String> {
    name.parse().map_err(|_| {
        format!(
            "expected one of {}",
            DeadReason::ALL.map(DeadReason::name).join(", ")
        )
    })
}
