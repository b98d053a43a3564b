//! `maestro env logs`.

use clap::Args;
use maestro_protocol::Message;
use maestro_protocol::environment::{EnvironmentTested, Phase};
use serde_json::{Value, json};

use super::super::OutputFlag;
use super::follow::{Event, Follower};
use super::{history, story, words};
use crate::config::Span;
use crate::exit::Exit;
use crate::fault::{Fault, Outcome};
use crate::output::harmless;
use crate::results::Found;
use crate::session::Session;

/// Prints the log of an environment's tests, or of the container that kept it from coming up
///
/// Workers send a log when its container has ended; of a long one they keep the beginning and the end.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro env logs 3f2a
  maestro env logs 3f2a --follow                  # waits until there is one
  maestro env logs 3f2a --output json | jq .omitted_bytes")]
pub(super) struct Logs {
    /// The environment's id, or the beginning of it
    #[arg(value_name = "ID")]
    id: String,

    /// Wait for the log where there is none yet
    #[arg(long, short)]
    follow: bool,

    /// How long to wait at most
    #[arg(long, value_name = "TIME", requires = "follow")]
    timeout: Option<Span>,

    #[command(flatten)]
    output: OutputFlag,
}

/// What a result says of logs.
enum Said {
    Log {
        text: String,
        shown: Value,
    },
    /// There will be none; the sentence says why.
    Never(String),
    Nothing,
}

impl Logs {
    pub(super) async fn run(self, session: &Session) -> Outcome {
        let mut follower = Follower::open(session, self.timeout).await?;
        let progress = session.output.progress();
        let story = story::named(&follower.admin, &self.id, progress).await?;
        let id = &story.id;
        let mut never = None;
        for found in story.results.iter().rev() {
            match said(found) {
                Said::Log { text, shown } => return self.print(session, id, &text, shown),
                Said::Never(why) => never = never.or(Some(why)),
                Said::Nothing => {}
            }
        }
        if let Some(why) = never {
            return Err(none(id, &why));
        }
        let phase = story.state().phase;
        let phase = phase.map_or_else(|| "requested".to_owned(), |phase| words::wire(&phase));
        if !self.follow {
            return Err(Fault::no(format!("`{id}` has no log yet; it is {phase}"))
                .next("--follow waits for it"));
        }
        self.wait(session, &mut follower, id, phase).await
    }

    async fn wait(
        &self,
        session: &Session,
        follower: &mut Follower<'_>,
        id: &str,
        mut phase: String,
    ) -> Outcome {
        loop {
            match follower.next().await {
                Event::Result(found) if history::environment(&found) == Some(id) => {
                    match said(&found) {
                        Said::Log { text, shown } => return self.print(session, id, &text, shown),
                        Said::Never(why) => return Err(none(id, &why)),
                        Said::Nothing => {}
                    }
                    if let Ok(Message::EnvironmentStatus(status)) =
                        found.decoded.as_ref().map(|decoded| &decoded.payload)
                    {
                        phase = words::wire(&status.phase);
                    }
                }
                Event::TimedOut => {
                    return Err(Fault::new(
                        Exit::TimedOut,
                        format!("there was no log in time; `{id}` is {phase}"),
                    )
                    .next(format!("`maestro env show {id}` tells how it is")));
                }
                Event::Interrupted => return Ok(Exit::Interrupted),
                _ => follower
                    .progress
                    .say(&format!("{phase}; waiting for a log")),
            }
        }
    }

    fn print(&self, session: &Session, id: &str, text: &str, mut shown: Value) -> Outcome {
        if self.output.is_json() {
            shown["environment"] = id.into();
            session.output.json(&shown)?;
        } else {
            session.output.raw(harmless(text).as_bytes())?;
        }
        Ok(Exit::Success)
    }
}

fn none(id: &str, why: &str) -> Fault {
    Fault::no(format!("`{id}` has no log: {why}"))
        .next(format!("`maestro env show {id}` tells everything"))
}

fn said(found: &Found) -> Said {
    match found.decoded.as_ref().map(|decoded| &decoded.payload) {
        Ok(Message::EnvironmentTested(tested)) => of_tests(tested),
        Ok(Message::EnvironmentStatus(status)) if status.phase == Phase::Failed => {
            let failure = status.failure.as_ref();
            match failure.and_then(|failure| failure.log.as_deref()) {
                Some(log) if !log.is_empty() => Said::Log {
                    text: with_end(log),
                    shown: json!({
                        "of": "failure",
                        "container": failure.and_then(|failure| failure.container.as_deref()),
                        "head": log,
                    }),
                },
                _ => {
                    let why = status.detail.as_deref().or(status.reason.as_deref());
                    Said::Never(why.unwrap_or("it failed without one").to_owned())
                }
            }
        }
        Ok(Message::EnvironmentDeleted(deleted)) if deleted.dry_run != Some(true) => {
            Said::Never("it is deleted".to_owned())
        }
        _ => Said::Nothing,
    }
}

fn of_tests(tested: &EnvironmentTested) -> Said {
    let excerpt = tested.excerpt.as_deref().filter(|text| !text.is_empty());
    match (&tested.log, excerpt) {
        (Some(log), _) => {
            let mut shown = serde_json::to_value(log).unwrap_or_default();
            shown["of"] = "tests".into();
            Said::Log {
                text: words::log(log),
                shown,
            }
        }
        (None, Some(excerpt)) => Said::Log {
            text: with_end(excerpt),
            shown: json!({ "of": "tests", "tail": excerpt }),
        },
        (None, None) => Said::Never(
            tested
                .reason
                .clone()
                .unwrap_or_else(|| "its tests left none".to_owned()),
        ),
    }
}

fn with_end(text: &str) -> String {
    if text.ends_with('\n') {
        text.to_owned()
    } else {
        format!("{text}\n")
    }
}
