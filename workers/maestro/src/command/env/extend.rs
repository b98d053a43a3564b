//! `maestro env extend`.

use clap::Args;
use maestro_protocol::Message;
use maestro_protocol::environment::ExtensionRequested;
use maestro_streams::DeadEntry;

use super::super::{OutputFlag, watch};
use super::follow::{Event, Follower};
use super::request::{self, Asked};
use super::{seconds, story, words};
use crate::config::Span;
use crate::exit::Exit;
use crate::fault::{Fault, Outcome};
use crate::results::Found;
use crate::session::Session;

/// Lets an environment live longer
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro env extend 3f2a 30m
  maestro env extend 3f2a 2h --output json | jq -r .data.expires_at")]
pub(super) struct Extend {
    /// The environment's id, or the beginning of it
    #[arg(value_name = "ID")]
    id: String,

    /// By how much its end moves, such as 30m or 2h
    #[arg(value_name = "TIME")]
    by: Span,

    /// ID is the whole id; do not look for it among the results, which may have been trimmed
    #[arg(long)]
    exact: bool,

    /// Do not wait for the answer
    #[arg(long)]
    no_wait: bool,

    /// How long to wait at most
    #[arg(
        long,
        value_name = "TIME",
        default_value = "2m",
        conflicts_with = "no_wait"
    )]
    timeout: Span,

    #[command(flatten)]
    output: OutputFlag,
}

impl Extend {
    pub(super) async fn run(self, session: &Session) -> Outcome {
        let by_s = seconds("TIME", self.by)?;
        let mut follower = Follower::open(session, Some(self.timeout)).await?;
        let id = self.environment(session, &follower).await?;
        let message = Message::from(ExtensionRequested {
            environment: id.clone(),
            by_s,
        });
        let (message_id, draft) = request::about(&message, &id)?;
        let asked = request::send(session, &message_id, &draft).await?;
        if self.no_wait {
            return only_asked(session, self.output, &asked);
        }
        follower.asked(asked.clone());
        let next = "the request stays where it is and is handled as soon as one does";
        loop {
            match follower.next().await {
                Event::Result(found) => {
                    if let Some(outcome) = self.answer(session, &found, &asked, &id)? {
                        return outcome;
                    }
                }
                Event::Dead(dead) => return Err(dead_letter(&dead)),
                Event::Pulse => follower.progress.say("waiting for the cleanup worker"),
                Event::Unattended | Event::TimedOut => {
                    return Err(follower.unanswered(next).await);
                }
                Event::Interrupted => {
                    session.output.remark("the request goes on");
                    return Ok(Exit::Interrupted);
                }
            }
        }
    }

    async fn environment(
        &self,
        session: &Session,
        follower: &Follower<'_>,
    ) -> Result<String, Fault> {
        if self.exact {
            return Ok(self.id.clone());
        }
        let progress = session.output.progress();
        let story = story::named(&follower.admin, &self.id, progress).await?;
        if story.state().is_deleted() {
            return Err(Fault::no(format!("`{}` is deleted already", story.id))
                .next("`maestro env up` brings up a new one"));
        }
        Ok(story.id)
    }

    /// The outcome if this is the answer to what was asked.
    fn answer(
        &self,
        session: &Session,
        found: &Found,
        asked: &Asked,
        id: &str,
    ) -> Result<Option<Outcome>, Fault> {
        let Ok(decoded) = &found.decoded else {
            return Ok(None);
        };
        let Message::EnvironmentExtended(extended) = &decoded.payload else {
            return Ok(None);
        };
        let cause = found.field("causationid");
        // Somebody else may extend it at the same time.
        if extended.environment != id || cause.is_some_and(|cause| cause != asked.id) {
            return Ok(None);
        }
        if self.output.is_json() {
            session.output.json_line(&watch::as_json(found))?;
        } else if let Some(told) = words::told(&decoded.payload).filter(|_| extended.granted) {
            let word = session.output.paint(told.tone, &told.word);
            session.output.line(format!("{word}  {}", told.text))?;
        }
        if extended.granted {
            return Ok(Some(Ok(Exit::Success)));
        }
        let why = match (&extended.detail, &extended.expires_at) {
            (Some(detail), _) => detail.clone(),
            (None, Some(end)) => format!("its end stays at {}", words::until(end)),
            (None, None) => "there is no such environment".to_owned(),
        };
        Ok(Some(Err(Fault::no(format!(
            "`{id}` was not extended: {why}"
        ))
        .next(format!("`maestro env show {id}` tells how it is")))))
    }
}

/// What is printed instead of an answer.
pub(super) fn only_asked(session: &Session, output: OutputFlag, asked: &Asked) -> Outcome {
    if output.is_json() {
        session.output.json_line(&asked.as_json())?;
    } else {
        session.output.line(&asked.id)?;
    }
    Ok(Exit::Success)
}

/// The cleanup worker would not have it.
pub(super) fn dead_letter(dead: &DeadEntry) -> Fault {
    Fault::no(format!(
        "the request was set aside as {}: {}",
        dead.reason(),
        dead.detail()
    ))
    .next(format!(
        "`maestro dead show {} --stream k8s:cleanup` shows it",
        dead.id
    ))
}
