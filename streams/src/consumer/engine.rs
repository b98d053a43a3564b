//! The loop that owns everything in hand. It waits for whatever comes first (a message, a finished handler, the reply to a commit,
//! a timer), then does all that has become possible, and never waits for anything in between.

use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use redis::{ErrorKind, RedisError, RedisResult};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::attempt::{Attempt, Ended, said};
use super::batch::{Batch, Committer, Verdict};
use super::breaker::{Breaker, State};
use super::meters::Meters;
use super::pace::Pace;
use super::reader::{Event, Reader};
use super::slots::Slots;
use super::upkeep::{Found, GroupState, Housekept, Tend, Tended, housekeep, leave, seen};
use super::work::{Finished, Mark, Resolution, Work};
use super::{Consumer, control, name};
use crate::backoff::{Pauses, about, full_jitter};
use crate::handler::Verdict as Inspected;
use crate::link::Link;
use crate::publisher::{MAX_FIELDS, check};
use crate::{
    Clock, ConsumerConfig, DeadLetter, Delivery, Endpoint, Entry, EntryId, Error, Handler, Keys,
    Outcome, Outgoing, Pulse,
};

type Doing<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

type TendingEnded = (
    Tend,
    Instant,
    RedisResult<Tended>,
    Option<RedisResult<Housekept>>,
);

/// How long the loop may run handlers in place before it looks at what else has happened.
const TURN: Duration = Duration::from_millis(1);

/// A message in hand, for as long as it is.
struct Held {
    cancelled: CancellationToken,
    /// When the lease was taken or last renewed.
    leased: Instant,
    /// When its handler began; `None` if it has not, or has ended.
    running: Option<Instant>,
    committing: bool,
    lost: bool,
}

struct Engine<H> {
    endpoint: Endpoint,
    config: ConsumerConfig,
    keys: Keys,
    consumer: String,
    handler: Arc<H>,
    clock: Arc<dyn Clock>,
    pulse: Pulse,
    meters: Arc<Meters>,
    slots: Arc<Slots>,

    held: HashMap<EntryId, Held>,
    /// Looked at, not yet asked whether their keys have taken effect.
    unchecked: Vec<Work>,
    ready: VecDeque<Work>,
    running: JoinSet<(Work, Ended)>,
    finished: Vec<Finished>,

    link: Option<Link>,
    connecting: Doing<(Link, Option<String>)>,
    checking: Doing<(Vec<Work>, RedisResult<Vec<bool>>)>,
    committing: Doing<(Batch, RedisResult<Vec<Verdict>>)>,
    tending: Doing<TendingEnded>,
    /// The batch whose reply was lost is being committed again.
    resent: bool,
    commit_pauses: Pauses,
    commit_from: Option<Instant>,

    breaker: Breaker,
    pace: Pace,
    recover: Option<Recovery>,
    connections: u32,
    cursor: String,
    next_tend: Instant,
    next_housekeeping: Instant,
    reported: HashSet<String>,

    stopping: Option<Stopping>,
}

/// The reader waits until what its last connection may have lost is found.
struct Recovery {
    counts: bool,
    go_on: Option<oneshot::Sender<()>>,
}

struct Stopping {
    /// Handlers are told that it is over.
    cancel_at: Instant,
    /// Handlers are dropped.
    abort_at: Instant,
    /// Even the last commit is given up.
    give_up_at: Instant,
    cancelled: bool,
    aborted: bool,
}

pub(super) async fn run<H: Handler>(
    consumer: Consumer<H>,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let Consumer {
        endpoint,
        config,
        keys,
        name,
        handler,
        clock,
        pulse,
    } = consumer;
    let meters = Arc::new(Meters::new(keys.name(), &config.group));
    let Some(link) = connect(&endpoint, &config, &keys, &shutdown).await? else {
        return Ok(());
    };
    let slots = Arc::new(Slots::new(config.concurrency));
    let (events, mut inbox) = mpsc::channel(2);
    let stop = CancellationToken::new();
    let client = Arc::new(AtomicI64::new(0));
    let reader = Reader {
        endpoint: endpoint.clone(),
        config: config.clone(),
        keys: keys.clone(),
        consumer: name.clone(),
        slots: slots.clone(),
        events,
        stop: stop.clone(),
        client: client.clone(),
        meters: meters.clone(),
    };
    tracing::info!(stream = %keys.name(), group = %config.group, consumer = %name, %endpoint, "consuming");
    let now = Instant::now();
    let mut engine = Engine {
        breaker: Breaker::new(config.breaker_base, config.breaker_cap),
        endpoint,
        config,
        keys,
        consumer: name,
        handler,
        clock,
        pulse,
        meters,
        slots,
        held: HashMap::new(),
        unchecked: Vec::new(),
        ready: VecDeque::new(),
        running: JoinSet::new(),
        finished: Vec::new(),
        link: Some(link),
        connecting: None,
        checking: None,
        committing: None,
        tending: None,
        resent: false,
        commit_pauses: Pauses::new(control::FIRST_PAUSE, control::LONGEST_PAUSE),
        commit_from: None,
        pace: Pace::new(),
        recover: None,
        connections: 0,
        cursor: "0-0".to_owned(),
        next_tend: now,
        next_housekeeping: now,
        reported: HashSet::new(),
        stopping: None,
    };
    let mut reading = JoinSet::new();
    reading.spawn(reader.run());
    engine.work(&mut inbox, &shutdown, &stop, &client).await;
    engine.leave().await;
    Ok(())
}

/// The first connection: waits for Redis, but not for other credentials. `None` if told to stop before.
async fn connect(
    endpoint: &Endpoint,
    config: &ConsumerConfig,
    keys: &Keys,
    shutdown: &CancellationToken,
) -> Result<Option<Link>, Error> {
    let mut pauses = Pauses::new(control::FIRST_PAUSE, control::LONGEST_PAUSE);
    loop {
        let opened = tokio::select! {
            opened = control::open(endpoint, config, keys) => opened,
            () = shutdown.cancelled() => return Ok(None),
        };
        let error = match opened {
            Ok((link, _)) => return Ok(Some(link)),
            Err(error) => error,
        };
        if matches!(
            error.kind(),
            ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig
        ) {
            return Err(Error::Connect {
                endpoint: endpoint.to_string(),
                source: error,
            });
        }
        let wait = pauses.next();
        tracing::warn!(stream = %keys.name(), %endpoint, %error, ?wait, "Redis is not usable; trying again");
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shutdown.cancelled() => return Ok(None),
        }
    }
}

impl<H: Handler> Engine<H> {
    async fn work(
        &mut self,
        inbox: &mut mpsc::Receiver<Event>,
        shutdown: &CancellationToken,
        stop_reading: &CancellationToken,
        client: &Arc<AtomicI64>,
    ) {
        let mut reading = true;
        let mut waking = JoinSet::new();
        let timer = sleep_until(Instant::now());
        tokio::pin!(timer);
        loop {
            let more = self.advance();
            if self.stopping.is_some() && !reading && self.is_idle() {
                return;
            }
            let next = self.next_deadline();
            if timer.deadline() != next {
                timer.as_mut().reset(next);
            }
            tokio::select! {
                biased;
                (batch, result) = doing(&mut self.committing) => {
                    self.committing = None;
                    self.committed(batch, result);
                }
                (works, result) = doing(&mut self.checking) => {
                    self.checking = None;
                    self.checked(works, result);
                }
                ended = doing(&mut self.tending) => {
                    self.tending = None;
                    self.tended(ended);
                }
                (link, created) = doing(&mut self.connecting) => {
                    self.connecting = None;
                    self.connected(link, created);
                }
                Some(ended) = self.running.join_next() => self.joined(ended),
                event = inbox.recv(), if reading => match event {
                    Some(event) => self.event(event),
                    None => {
                        reading = false;
                        waking.abort_all();
                    }
                },
                () = shutdown.cancelled(), if self.stopping.is_none() => {
                    self.stop();
                    stop_reading.cancel();
                    if let Some(link) = &self.link {
                        waking.spawn(wake(link.clone(), client.clone()));
                    }
                }
                () = &mut timer => {
                    self.beat();
                    if self.overdue() { return }
                }
                // Handlers are waiting to be run in place.
                () = std::future::ready(()), if more => tokio::task::yield_now().await,
            }
        }
    }

    /// Does all that is possible now. Says whether there is more to do at once.
    fn advance(&mut self) -> bool {
        while let Some(ended) = self.running.try_join_next() {
            self.joined(ended);
        }
        let now = Instant::now();
        if self.breaker.tick(now) {
            self.slots.set_gate(self.breaker.gate());
        }
        self.stop_step(now);
        self.reconnect();
        self.check();
        let more = self.start();
        self.commit(now);
        self.tend(now);
        more
    }

    fn is_idle(&self) -> bool {
        self.running.is_empty()
            && self.finished.is_empty()
            && self.committing.is_none()
            && self.tending.is_none()
    }

    fn next_deadline(&self) -> Instant {
        let mut next = self.next_tend;
        let mut sooner = |at: Instant| next = next.min(at);
        if let State::Open { until } = self.breaker.state() {
            sooner(until);
        }
        if let Some(at) = self.commit_from {
            sooner(at);
        }
        let now = Instant::now();
        let busy = self.tending.is_some() || self.link.is_none();
        if let Some(stopping) = &self.stopping {
            let at = match (stopping.cancelled, stopping.aborted) {
                (false, _) => stopping.cancel_at,
                (true, false) => stopping.abort_at,
                (true, true) => stopping.give_up_at,
            };
            return if busy { at } else { next.min(at) };
        }
        if busy {
            // The reply comes first, or the new connection; a timer in the past would only spin.
            return next.max(now + Duration::from_millis(100));
        }
        next
    }

    // --- Messages come in.

    fn event(&mut self, event: Event) {
        match event {
            Event::Connected { go_on } => {
                self.connections += 1;
                // Entries found at the start were delivered to an earlier process of this name; later ones only to a
                // connection that broke, and to no handler.
                self.recover = Some(Recovery {
                    counts: self.connections == 1,
                    go_on: Some(go_on),
                });
                self.next_tend = Instant::now();
            }
            Event::Entries(entries) => {
                if self.stopping.is_some() {
                    // Not in hand, so it is handed back with the rest.
                    self.slots.give(entries.len());
                    return;
                }
                for entry in entries {
                    self.receive(entry, 1);
                }
                self.meters.in_flight.set(self.held.len() as f64);
            }
        }
    }

    /// Takes a message in hand and looks at it.
    fn receive(&mut self, entry: Entry, count: u32) {
        let mut work = Work::new(entry, count);
        if let Some(held) = self.held.get_mut(&work.id) {
            // Found twice: by the reader and by a recovery, or again after the group was made anew.
            self.slots.give(1);
            if !held.lost {
                held.leased = Instant::now();
                return;
            }
        }
        let held = Held {
            cancelled: CancellationToken::new(),
            leased: Instant::now(),
            running: None,
            committing: false,
            lost: false,
        };
        self.held.insert(work.id, held);
        match self.inspect(&mut work) {
            None if work.mark.is_some() => self.unchecked.push(work),
            None => self.ready.push_back(work),
            Some(resolution) => self.finished.push(Finished { work, resolution }),
        }
    }

    /// What can be said without running the handler.
    fn inspect(&self, work: &mut Work) -> Option<Resolution> {
        let dead =
            |reason: &str, detail: String| Some(Resolution::Dead(DeadLetter::new(reason, detail)));
        let fields = &work.entry.fields;
        let (bytes, limit) = (fields.byte_len(), self.config.max_entry_bytes);
        if bytes > limit {
            return dead("oversized", format!("{bytes} bytes, the limit is {limit}"));
        }
        if fields.len() > MAX_FIELDS {
            let n = fields.len();
            return dead(
                "oversized",
                format!("{n} fields, the limit is {MAX_FIELDS}"),
            );
        }
        let exhausted = work.deliveries > self.config.max_deliveries;
        // A message that ends its worker when it is only looked at gets one look less.
        let inspection = if work.deliveries > self.config.max_deliveries + 1 {
            Ok(crate::Inspection::handle())
        } else {
            catch_unwind(AssertUnwindSafe(|| self.handler.inspect(&work.entry)))
        };
        let inspection = match inspection {
            Ok(inspection) => inspection,
            Err(panic) => {
                return Some(self.again(
                    work,
                    format!("the look at it panicked: {}", said(panic.as_ref())),
                    None,
                ));
            }
        };
        work.mark = inspection.key.as_deref().map(Mark::of);
        if exhausted {
            return dead(
                "exhausted",
                format!(
                    "delivered {} times and never finished: it may end the worker that handles it",
                    work.deliveries - 1
                ),
            );
        }
        match inspection.verdict {
            Inspected::Handle => None,
            Inspected::Dead { reason, detail } => dead(&reason, detail),
            Inspected::NotBefore { due_ms } if due_ms > self.clock.now_ms() => {
                Some(Resolution::NotBefore(due_ms))
            }
            Inspected::NotBefore { .. } => None,
        }
    }

    // --- Duplicates are asked for before their handlers run, if that is worth it.

    fn check(&mut self) {
        if self.unchecked.is_empty() || self.checking.is_some() {
            return;
        }
        let worth_it = self.pace.checks_first(self.config.check_first);
        let Some(link) = self.link.clone().filter(|_| worth_it) else {
            self.ready.extend(self.unchecked.drain(..));
            return;
        };
        let works = std::mem::take(&mut self.unchecked);
        let marks: Vec<Mark> = works.iter().filter_map(|work| work.mark).collect();
        let (config, keys) = (self.config.clone(), self.keys.clone());
        let mut link = link;
        self.checking = Some(Box::pin(async move {
            let flags = seen(&mut link, &config, &keys, &marks).await;
            (works, flags)
        }));
    }

    fn checked(&mut self, works: Vec<Work>, flags: RedisResult<Vec<bool>>) {
        let flags = flags.unwrap_or_else(|error| {
            self.link_failed(&error);
            // The commit asks again.
            vec![false; works.len()]
        });
        for (work, seen) in works.into_iter().zip(flags) {
            if seen {
                self.finished.push(Finished {
                    work,
                    resolution: Resolution::Duplicate,
                });
            } else {
                self.ready.push_back(work);
            }
        }
    }

    // --- Handlers run.

    fn start(&mut self) -> bool {
        let began = Instant::now();
        while self.running.len() < self.config.concurrency && !self.ready.is_empty() {
            if self.stopping.is_some() {
                self.drop_unstarted();
                return false;
            }
            if let State::Open { until } = self.breaker.state() {
                let wait = until.saturating_duration_since(began);
                let works = std::mem::take(&mut self.ready);
                self.finished.extend(works.into_iter().map(|work| Finished {
                    work,
                    resolution: Resolution::Return(wait),
                }));
                return false;
            }
            self.drop_lost();
            if self.ready.is_empty() || !self.breaker.admit() {
                return false;
            }
            self.slots.set_gate(self.breaker.gate());
            if let Some(work) = self.ready.pop_front() {
                self.handle(work);
            }
            if began.elapsed() > TURN {
                return true;
            }
        }
        false
    }

    /// What was lost while it waited for its turn is not begun.
    fn drop_lost(&mut self) {
        while let Some(work) = self.ready.front()
            && self.held.get(&work.id).is_none_or(|held| held.lost)
        {
            let id = work.id;
            self.ready.pop_front();
            self.release(&[id]);
        }
    }

    fn handle(&mut self, work: Work) {
        let cancelled = match self.held.get_mut(&work.id) {
            Some(held) => {
                held.running = Some(Instant::now());
                held.cancelled.clone()
            }
            None => CancellationToken::new(),
        };
        let delivery = Delivery {
            stream: self.keys.name().clone(),
            entry: work.entry.clone(),
            deliveries: work.deliveries,
            cancelled,
        };
        let handler = self.handler.clone();
        let mut attempt = Attempt::new(async move { handler.handle(delivery).await });
        if self.pace.is_inline() {
            // If it has to wait for something, a task of its own polls it again, with a waker that wakes.
            let mut context = Context::from_waker(Waker::noop());
            if let Poll::Ready(ended) = Pin::new(&mut attempt).poll(&mut context) {
                self.ended(work, ended);
                return;
            }
        }
        self.running.spawn(async move { (work, attempt.await) });
    }

    fn joined(&mut self, ended: Result<(Work, Ended), tokio::task::JoinError>) {
        // A task ends otherwise only when it is aborted at the end of the grace period, and then it is handed back.
        if let Ok((work, ended)) = ended {
            self.ended(work, ended);
        }
    }

    fn ended(&mut self, work: Work, (outcome, took): Ended) {
        self.pace.record(took);
        self.meters.handler_seconds.record(took);
        let outcome = outcome.unwrap_or_else(|said| Outcome::Retry {
            reason: format!("the handler panicked: {said}"),
            after: None,
        });
        if !matches!(outcome, Outcome::Unavailable { .. }) && self.breaker.succeeded() {
            self.meters.breaker_open.set(0.0);
            tracing::info!(stream = %self.keys.name(), "the dependency is available again");
            self.slots.set_gate(self.breaker.gate());
        }
        if let Outcome::Unavailable { dependency, detail } = &outcome {
            let wait = self.breaker.failed(Instant::now());
            self.slots.set_gate(self.breaker.gate());
            self.meters.breaker_open.set(1.0);
            tracing::warn!(stream = %self.keys.name(), entry = %work.entry.id, correlationid = work.correlation(), %dependency, %detail, ?wait, "a dependency is unavailable; not fetching");
        }
        match self.held.get_mut(&work.id) {
            Some(held) if !held.lost => held.running = None,
            _ => {
                self.release(&[work.id]);
                return;
            }
        }
        let resolution = match outcome {
            Outcome::Done(messages) => match self.unfit(&messages) {
                None => Resolution::Done(messages),
                Some(letter) => Resolution::Dead(letter),
            },
            Outcome::Retry { reason, after } => self.again(&work, reason, after),
            Outcome::Dead(mut letter) => {
                if let Some(unfit) = self.unfit(&letter.also) {
                    tracing::error!(stream = %self.keys.name(), entry = %work.entry.id, detail = %unfit.detail, "a dead letter's companions cannot be published");
                    letter.also.clear();
                }
                Resolution::Dead(letter)
            }
            Outcome::Unavailable { .. } => {
                let wait = match self.breaker.state() {
                    State::Open { until } => until.saturating_duration_since(Instant::now()),
                    State::Closed | State::HalfOpen { .. } => Duration::ZERO,
                };
                Resolution::Return(wait)
            }
        };
        self.finished.push(Finished { work, resolution });
    }

    /// Why these messages cannot be published, if they cannot. The handler would return the same again, so it is not asked.
    fn unfit(&self, messages: &[Outgoing]) -> Option<DeadLetter> {
        messages.iter().find_map(|message| {
            let fits = check(message, self.config.max_entry_bytes);
            let fits =
                fits.and_then(|()| Keys::new(&self.config.prefix, &message.stream).map(drop));
            let error = fits.err()?;
            let reason = match error {
                Error::TooLarge { .. } => "oversized",
                _ => "refused",
            };
            let detail = format!("the handler's outcome cannot be published: {error}");
            Some(DeadLetter::new(reason, detail))
        })
    }

    /// Another delivery, or none if there were enough.
    fn again(&self, work: &Work, reason: String, after: Option<Duration>) -> Resolution {
        if work.deliveries >= self.config.max_deliveries {
            return Resolution::Dead(DeadLetter::new(
                "exhausted",
                format!(
                    "delivered {} times; the last time: {reason}",
                    work.deliveries
                ),
            ));
        }
        let (base, cap) = (self.config.retry_base, self.config.retry_cap);
        let wait = after.unwrap_or_else(|| full_jitter(base, cap, work.deliveries));
        tracing::info!(stream = %self.keys.name(), entry = %work.entry.id, correlationid = work.correlation(), deliveries = work.deliveries, %reason, ?wait, "to be retried");
        Resolution::Retry(wait)
    }

    // --- Outcomes are committed.

    fn commit(&mut self, now: Instant) {
        if self.committing.is_some() || self.finished.is_empty() {
            return;
        }
        if let Some(from) = self.commit_from {
            if now < from {
                return;
            }
            self.commit_from = None;
        }
        let Some(mut link) = self.link.clone() else {
            return;
        };
        let committer = Committer {
            config: &self.config,
            keys: &self.keys,
            consumer: &self.consumer,
            is_cluster: self.endpoint.is_cluster(),
            now_ms: self.clock.now_ms(),
        };
        let Some(batch) = committer.batch(&mut self.finished) else {
            return;
        };
        for item in &batch.items {
            if let Some(held) = self.held.get_mut(&item.work.id) {
                held.committing = true;
            }
        }
        self.committing = Some(Box::pin(async move {
            let result = batch.commit(&mut link).await;
            (batch, result)
        }));
    }

    fn committed(&mut self, batch: Batch, result: RedisResult<Vec<Verdict>>) {
        let verdicts = match result {
            Ok(verdicts) => verdicts,
            Err(error) => {
                // It may have happened all the same. What is no longer pending will be fenced.
                self.resent = true;
                for item in &batch.items {
                    if let Some(held) = self.held.get_mut(&item.work.id) {
                        held.committing = false;
                    }
                }
                self.finished.splice(0..0, batch.items);
                self.commit_from = Some(Instant::now() + self.commit_pauses.next());
                self.link_failed(&error);
                return;
            }
        };
        let mut released = Vec::with_capacity(verdicts.len());
        let mut refused_all = !verdicts.is_empty();
        let mut committed = 0;
        for (item, verdict) in batch.items.into_iter().zip(verdicts) {
            match verdict {
                Verdict::Refused(error) => {
                    self.refused(item, &error);
                    continue;
                }
                Verdict::Committed => committed += self.tell(&item),
                Verdict::Duplicate => {
                    self.meters.duplicates.increment(1);
                    tracing::debug!(stream = %self.keys.name(), entry = %item.work.entry.id, correlationid = item.work.correlation(), "a duplicate");
                }
                // After a lost reply this is what an outcome that did take effect looks like.
                Verdict::Fenced if self.resent => {}
                Verdict::Fenced => {
                    self.meters.fenced.increment(1);
                    tracing::warn!(stream = %self.keys.name(), entry = %item.work.entry.id, correlationid = item.work.correlation(), "fenced: another consumer owns it now");
                }
            }
            refused_all = false;
            released.push(item.work.id);
        }
        self.meters.committed.increment(committed);
        self.resent = false;
        if !refused_all {
            self.commit_pauses.reset();
        }
        self.release(&released);
    }

    /// One line for each outcome that took effect; 1 if it was "done".
    fn tell(&mut self, Finished { work, resolution }: &Finished) -> u64 {
        let (stream, entry, correlationid) = (self.keys.name(), work.entry.id, work.correlation());
        match resolution {
            Resolution::Done(messages) => {
                tracing::debug!(%stream, %entry, correlationid, messages = messages.len(), "done");
                return 1;
            }
            Resolution::Dead(letter) => {
                self.meters.dead.increment(1);
                tracing::warn!(%stream, %entry, correlationid, reason = %letter.reason, detail = %letter.detail, "dead-lettered");
            }
            Resolution::Retry(wait) => {
                self.meters.retried.increment(1);
                self.next_tend = self.next_tend.min(Instant::now() + *wait);
            }
            Resolution::Return(wait) => {
                self.meters.returned.increment(1);
                self.next_tend = self.next_tend.min(Instant::now() + *wait);
            }
            Resolution::NotBefore(_) => {
                tracing::debug!(%stream, %entry, correlationid, "not yet due");
            }
            Resolution::Duplicate => {
                self.meters.duplicates.increment(1);
                tracing::debug!(%stream, %entry, correlationid, "a duplicate, not handled");
            }
        }
        0
    }

    /// Redis did not accept a part of an outcome, so nothing of it happened.
    fn refused(&mut self, item: Finished, error: &str) {
        let Finished { work, resolution } = item;
        tracing::error!(stream = %self.keys.name(), entry = %work.entry.id, correlationid = work.correlation(), %error, "Redis refused an outcome");
        if let Some(held) = self.held.get_mut(&work.id) {
            held.committing = false;
        }
        let resolution = match resolution {
            // A name that is taken by another type, a missing permission: no other attempt of the same will do better.
            Resolution::Done(_) if !is_passing(error) => self.again(
                &work,
                format!("its outcome cannot be published: {error}"),
                None,
            ),
            Resolution::Dead(mut letter) if !is_passing(error) && !letter.also.is_empty() => {
                letter.also.clear();
                Resolution::Dead(letter)
            }
            resolution => {
                self.commit_from = Some(Instant::now() + self.commit_pauses.next());
                resolution
            }
        };
        self.finished.push(Finished { work, resolution });
    }

    /// No longer in hand.
    fn release(&mut self, ids: &[EntryId]) {
        let gone = ids.iter().filter(|id| self.held.remove(id).is_some());
        let gone = gone.count();
        self.slots.give(gone);
        self.meters.in_flight.set(self.held.len() as f64);
    }

    // --- Leases, recovery, take-over, retries, housekeeping.

    fn tend(&mut self, now: Instant) {
        if self.tending.is_some() || now < self.next_tend {
            return;
        }
        self.beat();
        let Some(mut link) = self.link.clone() else {
            return;
        };
        let stopping = self.stopping.is_some();
        let recover = self.recover.as_ref().filter(|_| !stopping);
        let recover = recover.map(|recovery| recovery.counts);
        let due = self.config.lease / 4;
        let held = self.held.iter().filter(|(_, held)| {
            !held.lost && (recover.is_some() || now.duration_since(held.leased) >= due)
        });
        let tend = Tend {
            consumer: self.consumer.clone(),
            held: held.map(|(id, _)| *id).collect(),
            want: if stopping || self.breaker.state() != State::Closed {
                0
            } else {
                let free = self.config.concurrency.saturating_sub(self.held.len());
                free.min(self.config.batch)
            },
            cursor: self.cursor.clone(),
            recover,
        };
        let housekeeping = now >= self.next_housekeeping;
        if housekeeping {
            self.next_housekeeping = now + about(self.config.housekeeping);
        }
        let period = self.config.upkeep.min(self.config.lease / 6);
        self.next_tend = now + about(period);
        let (config, keys, consumer) = (
            self.config.clone(),
            self.keys.clone(),
            self.consumer.clone(),
        );
        self.tending = Some(Box::pin(async move {
            let about = name::about(&config.version);
            let housekept = if housekeeping {
                Some(housekeep(&mut link, &config, &keys, &consumer, &about).await)
            } else {
                None
            };
            let tended = tend.run(&mut link, &config, &keys).await;
            (tend, now, tended, housekept)
        }));
    }

    fn tended(&mut self, (tend, asked, tended, housekept): TendingEnded) {
        match housekept {
            None => {}
            Some(Ok(housekept)) => self.housekept(housekept),
            Some(Err(error)) => self.link_failed(&error),
        }
        let tended = match tended {
            Ok(tended) => tended,
            Err(error) => return self.link_failed(&error),
        };
        let now = Instant::now();
        for id in &tend.held {
            if let Some(held) = self.held.get_mut(id) {
                held.leased = asked;
            }
        }
        for id in tended.lost {
            if let Some(held) = self.held.get_mut(&id)
                && !held.committing
                && !held.lost
            {
                held.lost = true;
                held.cancelled.cancel();
                self.meters.fenced.increment(1);
                tracing::warn!(stream = %self.keys.name(), entry = %id, "the lease was lost; the handler is told to stop");
                self.drop_if_idle(id);
            }
        }
        self.cursor = tended.cursor;
        if tended.vanished > 0 {
            self.meters.vanished.increment(tended.vanished);
            tracing::error!(stream = %self.keys.name(), entries = tended.vanished, "pending entries no longer exist: somebody trimmed or deleted what was not handled yet");
        }
        let mut found = 0;
        for (entry, count, kind) in tended.found {
            if self.held.contains_key(&entry.id) {
                continue;
            }
            match kind {
                Found::Own => self.meters.recovered.increment(1),
                Found::Taken => {
                    self.meters.taken_over.increment(1);
                    tracing::info!(stream = %self.keys.name(), entry = %entry.id, deliveries = count, "taken over");
                }
            }
            found += 1;
            self.slots.take(1);
            self.receive(entry, count);
        }
        // What is overdue and did not move (a full memory, say) waits for the next tick.
        if let Some(due_in) = tended.due_in
            && (tended.moved > 0 || due_in > Duration::ZERO)
        {
            // Replicas need not all come at the same moment.
            let jitter = crate::backoff::up_to(Duration::from_millis(10));
            self.next_tend = self.next_tend.min(now + due_in + jitter);
        }
        if tend.recover.is_some() && found >= 1000 {
            // There may be more.
            self.next_tend = now;
        } else if tend.recover.is_some()
            && let Some(Recovery {
                go_on: Some(go_on), ..
            }) = self.recover.take()
        {
            // The reader may have gone; then another one will ask.
            let _ = go_on.send(());
        }
    }

    /// A message that was lost while it waited for its turn or for its commit.
    fn drop_if_idle(&mut self, id: EntryId) {
        let waits = |work: &Work| work.id == id;
        let before = self.finished.len();
        self.finished.retain(|item| !waits(&item.work));
        if self.finished.len() < before {
            self.release(&[id]);
        }
    }

    fn housekept(&mut self, housekept: Housekept) {
        for consumer in housekept.deleted {
            self.meters.consumers_deleted.increment(1);
            tracing::info!(stream = %self.keys.name(), group = %self.config.group, %consumer, "a dead consumer is deleted");
        }
        self.meters.trimmed.increment(housekept.trimmed);
        for group in housekept.groups {
            if group.name == self.config.group {
                let backlog = group.lag.map(|lag| lag + group.pending);
                if let Some(backlog) = backlog {
                    self.meters.backlog.set(backlog as f64);
                }
            } else {
                self.report_abandoned(&group);
            }
        }
    }

    /// A group that nobody reads keeps the stream from being trimmed: somebody should know.
    fn report_abandoned(&mut self, group: &GroupState) {
        let waiting = group.pending + group.lag.unwrap_or(0);
        if group.consumers > 0 || waiting == 0 {
            self.reported.remove(&group.name);
        } else if self.reported.insert(group.name.clone()) {
            tracing::warn!(stream = %self.keys.name(), group = %group.name, waiting, "a group has messages and no consumer: the stream cannot be trimmed past them; start a worker or delete the group");
        }
    }

    fn beat(&self) {
        let oldest = self.held.values().filter_map(|held| held.running).min();
        self.pulse.beat(oldest, self.held.len());
    }

    // --- The connection.

    fn link_failed(&mut self, error: &RedisError) {
        if is_refusal(error) {
            tracing::error!(stream = %self.keys.name(), endpoint = %self.endpoint, %error, "Redis refused a command");
        } else if self.link.take().is_some() {
            tracing::warn!(stream = %self.keys.name(), endpoint = %self.endpoint, %error, "a command failed; reconnecting");
        }
    }

    fn reconnect(&mut self) {
        if self.link.is_none() && self.connecting.is_none() {
            self.connecting = Some(Box::pin(control::reopen(
                self.endpoint.clone(),
                self.config.clone(),
                self.keys.clone(),
            )));
        }
    }

    fn connected(&mut self, link: Link, created: Option<String>) {
        self.link = Some(link);
        self.meters.reconnects.increment(1);
        if let Some(from) = created {
            self.meters.groups_recreated.increment(1);
            tracing::warn!(stream = %self.keys.name(), group = %self.config.group, %from, "the consumer group was lost and is created again");
        }
        // Renew at once, it may have taken a while; and find what a lost reply had taken over.
        self.recover.get_or_insert(Recovery {
            counts: false,
            go_on: None,
        });
        self.next_tend = Instant::now();
    }

    // --- The end.

    fn stop(&mut self) {
        let now = Instant::now();
        let last = (self.config.grace / 10).min(Duration::from_secs(1));
        self.stopping = Some(Stopping {
            cancel_at: now + self.config.grace,
            abort_at: now + self.config.grace + last,
            give_up_at: now + self.config.grace + last + self.config.response_timeout,
            cancelled: false,
            aborted: false,
        });
        tracing::info!(stream = %self.keys.name(), in_hand = self.held.len(), grace = ?self.config.grace, "stopping");
        self.drop_unstarted();
        if let Some(mut link) = self.link.clone() {
            // What was not begun need not wait for what is running.
            let keep: Vec<EntryId> = self.held.keys().copied().collect();
            let (config, keys, consumer) = (
                self.config.clone(),
                self.keys.clone(),
                self.consumer.clone(),
            );
            if !keep.is_empty() {
                tokio::spawn(async move {
                    // The last hand-over, after the handlers have ended, repeats this one.
                    drop(leave(&mut link, &config, &keys, &consumer, &keep).await);
                });
            }
        }
    }

    fn drop_unstarted(&mut self) {
        let ready = self.ready.drain(..).map(|work| work.id);
        let unchecked = self.unchecked.drain(..).map(|work| work.id);
        let ids: Vec<EntryId> = ready.chain(unchecked).collect();
        self.release(&ids);
    }

    fn stop_step(&mut self, now: Instant) {
        let Some(stopping) = &mut self.stopping else {
            return;
        };
        if !stopping.cancelled && now >= stopping.cancel_at {
            stopping.cancelled = true;
            for held in self.held.values() {
                held.cancelled.cancel();
            }
        }
        if !stopping.aborted && now >= stopping.abort_at {
            stopping.aborted = true;
            self.running.abort_all();
        }
    }

    /// Whether Redis has had its last chance to take the last outcomes.
    fn overdue(&self) -> bool {
        let now = Instant::now();
        self.stopping
            .as_ref()
            .is_some_and(|stopping| stopping.aborted && now >= stopping.give_up_at)
    }

    async fn leave(&mut self) {
        self.beat();
        let (stream, group) = (self.keys.name().clone(), &self.config.group);
        let Some(link) = &mut self.link else {
            tracing::warn!(%stream, %group, "Redis is not reachable; what is in hand will be taken over after a lease");
            return;
        };
        match leave(link, &self.config, &self.keys, &self.consumer, &[]).await {
            Ok(handed_back) => tracing::info!(%stream, %group, handed_back, "left the group"),
            Err(error) => {
                tracing::warn!(%stream, %group, %error, "could not leave the group in order; what is in hand will be taken over after a lease");
            }
        }
    }
}

/// Waits for what is being done, or for ever if nothing is.
async fn doing<T>(doing: &mut Doing<T>) -> T {
    match doing {
        Some(doing) => doing.await,
        None => std::future::pending().await,
    }
}

/// Whether an error says "not now" rather than "never".
fn is_passing(error: &str) -> bool {
    let code = error.split([' ', ':']).next().unwrap_or("");
    matches!(
        code,
        "OOM"
            | "READONLY"
            | "LOADING"
            | "MISCONF"
            | "NOREPLICAS"
            | "BUSY"
            | "TRYAGAIN"
            | "MASTERDOWN"
            | "CLUSTERDOWN"
    )
}

/// Whether the connection and the server are well, and only this command was not to their liking.
fn is_refusal(error: &RedisError) -> bool {
    matches!(
        error.code(),
        Some(
            "OOM" | "MISCONF" | "NOREPLICAS" | "BUSY" | "NOPERM" | "WRONGTYPE" | "TRYAGAIN" | "ERR"
        )
    )
}

/// Wakes the reader from its blocking read until it has ended.
async fn wake(mut link: Link, client: Arc<AtomicI64>) {
    loop {
        let id = client.load(Ordering::Acquire);
        if id > 0 {
            let mut command = redis::cmd("CLIENT");
            command.arg("UNBLOCK").arg(id);
            if command.exec_async(&mut link).await.is_err() {
                // Then the reader waits for a second, and what it may have missed is handed back.
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
