//! `maestro env up`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use maestro_protocol::environment::EnvironmentRequested;
use maestro_protocol::{Payload, Stream};
use maestro_streams::{DeadEntry, EntryId};
use serde_json::Value;

use super::super::{OutputFlag, watch};
use super::follow::{Event, Follower};
use super::goal::{Goal, Way};
use super::spec::Spec;
use super::story::{self, Story};
use super::{history, request, seconds, words};
use crate::config::Span;
use crate::exit::Exit;
use crate::fault::{Fault, Outcome};
use crate::message::Draft;
use crate::output::{Tone, duration};
use crate::results::Found;
use crate::session::Session;

/// How long an environment may take to be ready; its tests have their own time on top.
const TO_BE_READY: u64 = 15 * 60;
/// How long tests run where the file does not say.
const TESTS: u64 = 600;

/// Asks for an environment, and follows it phase by phase
///
/// Nothing is published before the file is checked: what it says must be understood by the worker, and a key that nobody knows is
/// an error with its line and column.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro env up -f spec.yaml                     # until it is ready; if it has tests, until they have ended
  maestro env up -f spec.yaml --ttl 2h --wait ready
  ID=$(maestro env up -f spec.yaml --detach)      # only asks for it
  maestro env up -f - --output json < spec.json | jq -r 'select(.data.phase == \"ready\").data.endpoints'

Ctrl-C ends the wait and leaves the environment; `maestro env down ID` takes it away.")]
pub(super) struct Up {
    /// What it is to hold: YAML or JSON, - for standard input
    #[arg(long, short, value_name = "FILE")]
    file: PathBuf,

    /// Its id: with it, asking again has no effect [default: a new one]
    #[arg(long, value_name = "ID")]
    id: Option<String>,

    /// How long it lives, in place of the file's `ttl_s`
    #[arg(long, value_name = "TIME")]
    ttl: Option<Span>,

    /// What to wait for [default: tested where the file has a test, else ready]
    #[arg(long, value_enum, value_name = "WHAT", conflicts_with = "detach")]
    wait: Option<Goal>,

    /// How long to wait at most [default: 15m to be ready, and the tests' own time on top; with --wait deleted, its life as well]
    #[arg(long, value_name = "TIME", conflicts_with = "detach")]
    timeout: Option<Span>,

    /// Print the id and do not wait
    #[arg(long, visible_alias = "no-follow")]
    detach: bool,

    /// Print the message instead of sending it
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    output: OutputFlag,
}

impl Up {
    pub(super) async fn run(self, session: &Session) -> Outcome {
        let (id, draft, requested) = self.draft()?;
        if self.dry_run {
            session.output.json_line(&draft.shown(false))?;
            return Ok(Exit::Success);
        }
        let goal = self.goal(&requested)?;
        if self.detach {
            let asked = request::send(session, &id, &draft).await?;
            if self.output.is_json() {
                session.output.json_line(&asked.as_json())?;
            } else {
                session.output.line(&id)?;
            }
            return Ok(Exit::Success);
        }
        let timeout = self.timeout.or_else(|| patience(goal, &requested));
        let mut follower = Follower::open(session, timeout).await?;
        // An id of one's own may have been used before.
        let earlier = match &self.id {
            Some(id) => story::exactly(&follower.admin, id).await?,
            None => None,
        };
        if let Some(story) = &earlier {
            refuse_reuse(session, story)?;
        }
        let earlier = earlier.filter(|story| !story.state().is_deleted());
        let asked = request::send(session, &id, &draft).await?;
        let mut shown = Shown {
            session,
            json: self.output.is_json(),
            begin: earlier
                .as_ref()
                .and_then(Story::begin)
                .unwrap_or(asked.entry),
            last: None,
        };
        if shown.json {
            session.output.json_line(&asked.as_json())?;
        } else {
            let strong = session.output.paint(Tone::Strong, &id);
            session.output.line(format!("environment {strong}"))?;
        }
        follower.asked(asked);
        let mut way = Way::new(&id, goal);
        if let Some(story) = earlier {
            session.output.remark(format!(
                "`{id}` was asked for before; that environment is followed"
            ));
            for found in story.results {
                follower.answered();
                if let Some(end) = shown.take(&found, &mut way)? {
                    return end;
                }
            }
        }
        let limit = timeout.map_or_else(String::new, |limit| limit.to_string());
        follow(&mut follower, &mut shown, &mut way, &id, &limit).await
    }

    /// The message, checked by the code that reads it.
    fn draft(&self) -> Result<(String, Draft, EnvironmentRequested), Fault> {
        let mut spec = Spec::read(&self.file)?;
        if let (Some(ttl), Value::Object(members)) = (self.ttl, &mut spec.payload) {
            members.insert("ttl_s".to_owned(), seconds("--ttl", ttl)?.into());
        }
        let id = match &self.id {
            Some(id) if id.is_empty() => {
                return Err(Fault::usage("`--id`: expected an id, but found nothing"));
            }
            Some(id) => id.clone(),
            None => request::fresh_id(),
        };
        let name = EnvironmentRequested::TYPE;
        let draft = request::draft(name, Stream::Provision, &id, "", &spec.payload);
        draft.check().map_err(|refusal| spec.refused(&refusal))?;
        let requested = serde_json::from_value(spec.payload)
            .map_err(|error| Fault::data(format!("the request cannot be read: {error}")))?;
        Ok((id, draft, requested))
    }

    fn goal(&self, requested: &EnvironmentRequested) -> Result<Goal, Fault> {
        match (self.wait, requested.test.is_some()) {
            (Some(Goal::Tested), false) => Err(Fault::usage(
                "`--wait tested`: expected a file with a `test`, but it has none",
            )),
            (Some(goal), _) => Ok(goal),
            (None, true) => Ok(Goal::Tested),
            (None, false) => Ok(Goal::Ready),
        }
    }
}

/// How long the goal may take; as long as it likes where the environment's life is not known.
fn patience(goal: Goal, requested: &EnvironmentRequested) -> Option<Span> {
    let tests = requested.test.as_ref();
    let tests = tests.map_or(0, |test| test.timeout_s.map_or(TESTS, u64::from));
    Some(Span::seconds(match goal {
        Goal::Ready => TO_BE_READY,
        Goal::Tested => TO_BE_READY + tests,
        Goal::Deleted => TO_BE_READY + tests + u64::from(requested.ttl_s?),
    }))
}

/// An id that is remembered gives no second environment: better said than waited for.
fn refuse_reuse(session: &Session, story: &Story) -> Result<(), Fault> {
    let id = &story.id;
    if let Some(dead) = &story.dead {
        return Err(dead_letter(id, dead));
    }
    let window = session.settings.delivery.dedup_window.value.0;
    let state = story.state();
    // It is remembered for one window at least and two at most.
    if state.is_deleted() && words::age(state.since) < window.saturating_mul(2) {
        return Err(Fault::no(format!(
            "an environment `{id}` was there before and was deleted {} ago; a request of the same id may have no effect for {} after that",
            duration(words::age(state.since)),
            Span(window.saturating_mul(2)),
        ))
        .next("choose another --id"));
    }
    Ok(())
}

fn dead_letter(id: &str, dead: &DeadEntry) -> Fault {
    let sentence = format!(
        "the request for `{id}` was set aside as {}: {}",
        dead.reason(),
        dead.detail()
    );
    Fault::new(Exit::EnvironmentFailed, sentence).next(format!(
        "`maestro dead show {} --stream {}` shows it; after a mend of what was wrong there, ask again under another id",
        dead.id,
        Stream::Provision
    ))
}

/// What is printed as it comes.
struct Shown<'a> {
    session: &'a Session,
    json: bool,
    begin: EntryId,
    last: Option<Vec<String>>,
}

impl Shown<'_> {
    /// Prints a result of the environment; the outcome if it is the last one waited for.
    fn take(&mut self, found: &Found, way: &mut Way) -> Result<Option<Outcome>, Fault> {
        let output = self.session.output;
        let Ok(decoded) = &found.decoded else {
            return Ok(None);
        };
        if self.json {
            output.json_line(&watch::as_json(found))?;
        } else if let Some(told) = words::told(&decoded.payload) {
            let lines = told.lines(words::between(self.begin, found.entry.id), output);
            // A worker that took over from another one says again where it is.
            let said: Vec<_> = told.lines(Duration::ZERO, output);
            if self.last.as_ref() != Some(&said) {
                for line in lines {
                    output.line(line)?;
                }
                self.last = Some(said);
            }
        }
        Ok(way.step(&decoded.payload))
    }
}

async fn follow(
    follower: &mut Follower<'_>,
    shown: &mut Shown<'_>,
    way: &mut Way,
    id: &str,
    limit: &str,
) -> Outcome {
    let waits = format!(
        "the request stays where it is and is handled as soon as one does; `maestro env down {id}` takes the environment away again"
    );
    loop {
        match follower.next().await {
            Event::Result(found) => {
                if history::environment(&found) != Some(id) {
                    continue;
                }
                follower.answered();
                if let Some(end) = shown.take(&found, way)? {
                    return end;
                }
            }
            Event::Dead(dead) => return Err(dead_letter(id, &dead)),
            Event::Pulse => {
                let elapsed = duration(follower.elapsed());
                follower
                    .progress
                    .say(&format!("{elapsed:>12}  {} …", way.doing));
            }
            Event::Unattended => return Err(follower.unanswered(&waits).await),
            Event::TimedOut if !follower.is_answered() => {
                return Err(follower.unanswered(&waits).await);
            }
            Event::TimedOut => return Err(way.timed_out(limit)),
            Event::Interrupted => {
                follower.progress.wipe();
                shown.session.output.remark(format!(
                    "the environment goes on; `maestro env down {id}` takes it away, `maestro env show {id}` tells how it is"
                ));
                return Ok(Exit::Interrupted);
            }
        }
    }
}
