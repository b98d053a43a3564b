//! `maestro env down`.

use clap::{ArgGroup, Args};
use maestro_protocol::Message;
use maestro_protocol::environment::{CleanupRequested, Phase};
use maestro_streams::EntryId;

use super::super::{OutputFlag, watch};
use super::follow::{Event, Follower};
use super::request::{self, Asked};
use super::settle::{Sweep, settled};
use super::{extend, history, story, words};
use crate::config::Span;
use crate::exit::Exit;
use crate::fault::{Fault, Outcome};
use crate::message::Draft;
use crate::output::harmless;
use crate::results::Found;
use crate::session::Session;

/// Takes environments away: one, those of a selector, or those whose time is over
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("which").required(true).args(["id", "selector", "expired"]),
    after_help = "\
Examples:
  maestro env down 3f2a
  maestro env down --selector team=shop --dry-run # says which would go
  maestro env down --expired --no-wait"
)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line"
)]
pub(super) struct Down {
    /// The environment's id, or the beginning of it
    #[arg(value_name = "ID")]
    id: Option<String>,

    /// Those with these labels, a Kubernetes label selector
    #[arg(long, short = 'l', value_name = "SELECTOR")]
    selector: Option<String>,

    /// Those whose time is over
    #[arg(long)]
    expired: bool,

    /// ID is the whole id; do not look for it among the results, which may have been trimmed
    #[arg(long, conflicts_with_all = ["selector", "expired"])]
    exact: bool,

    /// Only say what would go
    #[arg(long)]
    dry_run: bool,

    /// Do not wait for the answer
    #[arg(long)]
    no_wait: bool,

    /// How long to wait at most
    #[arg(
        long,
        value_name = "TIME",
        default_value = "10m",
        conflicts_with = "no_wait"
    )]
    timeout: Span,

    #[command(flatten)]
    output: OutputFlag,
}

impl Down {
    pub(super) async fn run(self, session: &Session) -> Outcome {
        let mut follower = Follower::open(session, Some(self.timeout)).await?;
        let id = match &self.id {
            Some(wanted) => match self.environment(session, &follower, wanted).await? {
                Some(id) => Some(id),
                None => return Ok(Exit::Success),
            },
            None => None,
        };
        let (message_id, draft) = self.draft(id.as_deref())?;
        let asked = request::send(session, &message_id, &draft).await?;
        if self.no_wait {
            return extend::only_asked(session, self.output, &asked);
        }
        follower.asked(asked.clone());
        match id {
            Some(id) => self.one(session, &mut follower, &asked, &id).await,
            None => self.many(session, &mut follower, &asked).await,
        }
    }

    /// The whole id; `None` if it is gone already.
    async fn environment(
        &self,
        session: &Session,
        follower: &Follower<'_>,
        wanted: &str,
    ) -> Result<Option<String>, Fault> {
        if self.exact {
            return Ok(Some(wanted.to_owned()));
        }
        let progress = session.output.progress();
        let story = story::named(&follower.admin, wanted, progress).await?;
        let state = story.state();
        if state.is_deleted() {
            session
                .output
                .remark(format!("`{}` is deleted already", harmless(&story.id)));
            return Ok(None);
        }
        if let (Some(dead), None) = (&story.dead, state.phase) {
            session.output.remark(format!(
                "`{}` was never made: its request was set aside as {}",
                harmless(&story.id),
                harmless(dead.reason())
            ));
            return Ok(None);
        }
        Ok(Some(story.id))
    }

    fn draft(&self, id: Option<&str>) -> Result<(String, Draft), Fault> {
        let message = Message::from(CleanupRequested {
            environment: id.map(str::to_owned),
            selector: self.selector.clone(),
            expired: self.expired.then_some(true),
            dry_run: self.dry_run.then_some(true),
            ..CleanupRequested::default()
        });
        request::about(&message, id.unwrap_or_default())
    }

    async fn one(
        &self,
        session: &Session,
        follower: &mut Follower<'_>,
        asked: &Asked,
        id: &str,
    ) -> Outcome {
        loop {
            match follower.next().await {
                Event::Result(found) if history::environment(&found) == Some(id) => {
                    if self.print(session, &found, asked.entry)? {
                        follower.answered();
                        if self.is_end(&found) {
                            return Ok(Exit::Success);
                        }
                    }
                }
                other => {
                    if let Some(end) = self.elsewise(session, follower, other, id).await {
                        return end;
                    }
                }
            }
        }
    }

    async fn many(&self, session: &Session, follower: &mut Follower<'_>, asked: &Asked) -> Outcome {
        let mut sweep = Sweep::default();
        let mut last = None;
        loop {
            match follower.next().await {
                Event::Result(found) => {
                    if found.is_of(&asked.id) {
                        follower.answered();
                        self.print(session, &found, asked.entry)?;
                        sweep.take(&found);
                    }
                }
                Event::Pulse => {
                    if last.is_none() {
                        last = settled(&follower.admin, asked.entry).await;
                    }
                    let gone = sweep.gone.len();
                    follower.progress.say(&format!("{gone} gone; waiting"));
                }
                other => {
                    if let Some(end) = self.elsewise(session, follower, other, "they").await {
                        return end;
                    }
                }
            }
            if last.is_some_and(|last| follower.seen >= last) && sweep.is_clean() {
                self.sum_up(session, sweep.gone.len());
                return Ok(Exit::Success);
            }
        }
    }

    fn sum_up(&self, session: &Session, gone: usize) {
        let verb = if self.dry_run { "would go" } else { "went" };
        session.output.remark(match gone {
            0 => format!("no environment {verb}"),
            1 => format!("1 environment {verb}"),
            _ => format!("{gone} environments {verb}"),
        });
    }

    /// Whether a result says that it is over.
    fn is_end(&self, found: &Found) -> bool {
        match found.decoded.as_ref().map(|decoded| &decoded.payload) {
            Ok(Message::EnvironmentDeleted(deleted)) => {
                deleted.dry_run.unwrap_or(false) == self.dry_run
            }
            Ok(Message::EnvironmentStatus(status)) => {
                status.phase == Phase::Deleted && !self.dry_run
            }
            _ => false,
        }
    }

    /// Prints what is told of the end of an environment; whether it was that.
    fn print(&self, session: &Session, found: &Found, begin: EntryId) -> Result<bool, Fault> {
        let Ok(decoded) = &found.decoded else {
            return Ok(false);
        };
        let is_of_the_end = match &decoded.payload {
            // Somebody else may only rehearse it.
            Message::EnvironmentDeleted(deleted) => {
                deleted.dry_run.unwrap_or(false) == self.dry_run
            }
            Message::EnvironmentStatus(status) => {
                matches!(status.phase, Phase::Deleting | Phase::Deleted)
            }
            _ => false,
        };
        let Some(mut told) = words::told(&decoded.payload).filter(|_| is_of_the_end) else {
            return Ok(false);
        };
        if self.output.is_json() {
            session.output.json_line(&watch::as_json(found))?;
        } else {
            let id = history::environment(found).unwrap_or_default();
            told.text = format!("{id}  {}", told.text);
            for line in told.lines(words::between(begin, found.entry.id), session.output) {
                session.output.line(line)?;
            }
        }
        Ok(true)
    }

    /// Everything but a result; the outcome if it is over.
    async fn elsewise(
        &self,
        session: &Session,
        follower: &mut Follower<'_>,
        event: Event,
        what: &str,
    ) -> Option<Outcome> {
        let next = "the request stays where it is and is handled as soon as one does";
        match event {
            Event::Result(_) => None,
            Event::Pulse => {
                follower.progress.say("waiting for the cleanup worker");
                None
            }
            Event::Dead(dead) => Some(Err(extend::dead_letter(&dead))),
            Event::Unattended => Some(Err(follower.unanswered(next).await)),
            Event::TimedOut if !follower.is_answered() => {
                Some(Err(follower.unanswered(next).await))
            }
            Event::TimedOut => Some(Err(Fault::new(
                Exit::TimedOut,
                format!("not everything was gone within {}", self.timeout),
            )
            .next(format!(
                "the deletion goes on; `maestro env list` tells how far {what} got"
            )))),
            Event::Interrupted => {
                session.output.remark("the deletion goes on");
                Some(Ok(Exit::Interrupted))
            }
        }
    }
}
