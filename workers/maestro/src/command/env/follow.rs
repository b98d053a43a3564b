//! Waiting for what the workers say: results as they come, and everything that means that none will come.

use std::time::Duration;

use maestro_protocol::Stream;
use maestro_streams::{Admin, CancellationToken, DeadEntry, EntryId, TailFrom};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::history;
use super::request::Asked;
use crate::command::status::alive;
use crate::config::Span;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::fleet::{connection, signals};
use crate::output::Progress;
use crate::results::{Found, Reader};
use crate::session::Session;

/// How often dead letters are looked for.
const PULSE: Duration = Duration::from_millis(250);
/// How long nobody may answer before it is looked whether anybody could.
const QUIET: Duration = Duration::from_secs(2);
/// How long nobody may be there to answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// Something that happened.
#[derive(Debug)]
pub(super) enum Event {
    /// A result of any environment.
    Result(Box<Found>),
    /// What was asked for was set aside.
    Dead(Box<DeadEntry>),
    /// Some time went by.
    Pulse,
    /// No worker of the stream is alive, and none has answered.
    Unattended,
    /// The time is over.
    TimedOut,
    /// A person wants to go on.
    Interrupted,
}

/// Follows the results of environments from when it was opened.
pub(super) struct Follower<'a> {
    pub(super) admin: Admin,
    session: &'a Session,
    reader: Reader,
    /// The last result that was there before, or was handed out.
    pub(super) seen: EntryId,
    asked: Option<Asked>,
    /// The last dead letter that was looked at.
    dead: EntryId,
    begun: Instant,
    timeout: Option<Span>,
    is_answered: bool,
    next_look: Instant,
    is_warned: bool,
    interrupted: CancellationToken,
    pulse: Interval,
    pub(super) progress: Progress,
}

impl<'a> Follower<'a> {
    /// Everything that comes after this call will be seen.
    pub(super) async fn open(session: &'a Session, timeout: Option<Span>) -> Result<Self, Fault> {
        let admin = connection::admin(session)?;
        let seen = history::end(&admin).await?;
        let from = TailFrom::After(seen);
        let reader = Reader::follow_on(session, &[Stream::EnvironmentResults], from).await?;
        let begun = Instant::now();
        let mut pulse = tokio::time::interval(PULSE);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            admin,
            session,
            reader,
            seen,
            asked: None,
            dead: EntryId::ZERO,
            begun,
            timeout,
            is_answered: false,
            next_look: begun + QUIET,
            is_warned: false,
            interrupted: signals::shutdown()?,
            pulse,
            progress: session.output.progress(),
        })
    }

    /// From now on its dead letter counts, and whether anybody is there who could answer.
    pub(super) fn asked(&mut self, asked: Asked) {
        // Both ids are of the server's clock, and nothing is set aside before it was appended.
        self.dead = EntryId {
            ms: asked.entry.ms.saturating_sub(1),
            seq: 0,
        };
        self.asked = Some(asked);
    }

    /// Somebody is there.
    pub(super) fn answered(&mut self) {
        self.is_answered = true;
    }

    pub(super) fn is_answered(&self) -> bool {
        self.is_answered
    }

    pub(super) async fn next(&mut self) -> Event {
        let deadline = self.deadline();
        loop {
            tokio::select! {
                found = self.reader.next() => {
                    let Some(found) = found else { continue };
                    self.seen = found.entry.id;
                    self.progress.wipe();
                    return Event::Result(Box::new(found));
                }
                _ = self.pulse.tick() => return Box::pin(self.look()).await,
                () = passed(deadline) => return Event::TimedOut,
                () = self.interrupted.cancelled() => return Event::Interrupted,
            }
        }
    }

    /// A question that fails is asked again with the next pulse: the results' reader waits for Redis, too.
    async fn look(&mut self) -> Event {
        let Some(asked) = self.asked.clone() else {
            return Event::Pulse;
        };
        let stream = asked.stream.name();
        let page = self.admin.dead_letters(stream, Some(self.dead), 100).await;
        for dead in page.unwrap_or_default() {
            self.dead = dead.id;
            if history::dead_id(&dead) == asked.id {
                self.progress.wipe();
                return Event::Dead(Box::new(dead));
            }
        }
        let now = Instant::now();
        if self.is_answered || now < self.next_look {
            return Event::Pulse;
        }
        self.next_look = now + QUIET;
        if self.is_attended(asked.stream).await != Some(false) {
            return Event::Pulse;
        }
        if now.duration_since(self.begun) >= PATIENCE {
            return Event::Unattended;
        }
        if !self.is_warned {
            self.is_warned = true;
            self.progress.wipe();
            let worker = worker(asked.stream);
            self.session.output.remark(format!(
                "no {worker} worker is running to answer; `maestro status` shows who is there"
            ));
        }
        Event::Pulse
    }

    /// Whether a worker of the stream is alive; `None` if that cannot be told.
    async fn is_attended(&self, stream: Stream) -> Option<bool> {
        let states = self.admin.status(&[stream.name()]).await.ok()?;
        let groups = &states.first()?.groups;
        let group = stream.group()?;
        let own = groups.iter().filter(|state| state.group == group);
        Some(own.map(alive).sum::<usize>() > 0)
    }

    /// The fault for an end without any answer. `next` is what became of the request.
    pub(super) async fn unanswered(&self, next: &str) -> Fault {
        let (name, worker) = match &self.asked {
            Some(asked) => (asked.stream.name(), worker(asked.stream)),
            None => (Stream::EnvironmentResults.name(), "provision"),
        };
        let attended = match &self.asked {
            Some(asked) => self.is_attended(asked.stream).await,
            None => None,
        };
        let why = match attended {
            Some(false) => format!("no {worker} worker is running"),
            _ => format!("no {worker} worker has got to it"),
        };
        let timeout = self.timeout.filter(|limit| self.elapsed() >= limit.0);
        let waited = timeout.unwrap_or(Span(PATIENCE));
        Fault::new(
            Exit::Unanswered,
            format!("nobody answered on `{name}` within {waited}: {why}"),
        )
        .next(format!("see `maestro status`; {next}"))
    }

    fn deadline(&self) -> Option<Instant> {
        self.begun.checked_add(self.timeout?.0)
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }
}

fn worker(stream: Stream) -> &'static str {
    stream.group().unwrap_or("")
}

async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
