//! The loop that owns everything in hand. It waits for whatever comes first (a message, a finished handler, the reply to a commit,
//! a timer), then does all that has become possible, and never waits for anything in between.

use std::collections::{HashMap, HashSet, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use redis::{ErrorKind, RedisError, RedisResult};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::attempt::Ended;
use super::breaker::{Breaker, State};
use super::fence::Fence;
use super::flights::Flights;
use super::meters::Meters;
use super::pace::Pace;
use super::progress::Line;
use super::reader::{Event, Reader};
use super::slots::Slots;
use super::turn::Turn;
use super::turnstile::{Lane, Pass, Turnstile};
use super::upkeep::{Housekept, Tend, Tended};
use super::work::{Finished, Work};
use super::{Consumer, control};
use crate::backoff::Pauses;
use crate::link::Link;
use crate::{Clock, ConsumerConfig, Endpoint, EntryId, Error, Handler, Keys, Pulse};

mod committing;
mod connection;
mod duplicates;
mod ending;
mod handling;
mod intake;
mod quarantine;
mod tending;
mod turns;

type Doing<T> = Option<Pin<Box<dyn Future<Output = T> + Send>>>;

/// Messages, and whose turn it is.
type Asked = (Vec<Work>, RedisResult<Vec<Turn>>);

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
    /// When it came in hand.
    since: Instant,
    /// When the lease was taken or last renewed.
    leased: Instant,
    /// When its handler began; `None` if it has not, or has ended.
    running: Option<Instant>,
    committing: bool,
    lost: bool,
    /// Covered by the fence token.
    trusted: bool,
}

struct Engine<H> {
    endpoint: Endpoint,
    config: ConsumerConfig,
    keys: Keys,
    consumer: String,
    handler: Arc<H>,
    clock: Arc<dyn Clock>,
    pulse: Pulse,
    pass: Pass,
    /// Something could begin if the turnstile let it.
    blocked: bool,
    meters: Arc<Meters>,
    slots: Arc<Slots>,

    held: HashMap<EntryId, Held>,
    /// With an ordering key, not yet asked whose turn it is.
    unordered: Vec<Work>,
    ask_from: Option<Instant>,
    /// Looked at, not yet asked whether their keys have taken effect.
    unchecked: Vec<Work>,
    ready: VecDeque<Work>,
    /// To be handled alone, one after the other.
    suspects: VecDeque<Work>,
    /// The one that is being handled alone.
    alone: Option<EntryId>,
    running: JoinSet<(Work, Ended)>,
    finished: Vec<Finished>,

    link: Option<Link>,
    /// The same for handlers that publish before they are done.
    links: watch::Sender<Option<Link>>,
    line: Arc<Line>,
    connecting: Doing<(Link, Option<String>)>,
    asking: Doing<Asked>,
    checking: Doing<(Vec<Work>, RedisResult<Vec<bool>>)>,
    /// Sent and not yet answered, in the order of sending.
    committing: Flights,
    tending: Doing<TendingEnded>,
    fence: Fence,
    commit_pauses: Pauses,
    commit_from: Option<Instant>,

    breaker: Breaker,
    pace: Pace,
    recover: Option<Recovery>,
    connections: u32,
    began: Instant,
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
    let turnstile = Turnstile::new(consumer.config.concurrency);
    let usual = turnstile.pass(Lane::Usual);
    if !consumer.config.urgent_lane {
        return run_lane(consumer, usual, shutdown).await;
    }
    let urgent = Consumer {
        keys: consumer.keys.urgent(),
        endpoint: consumer.endpoint.clone(),
        config: consumer.config.clone(),
        name: consumer.name.clone(),
        handler: consumer.handler.clone(),
        clock: consumer.clock.clone(),
        pulse: consumer.pulse.clone(),
    };
    // If one lane cannot go on the other one does not either.
    let stop = shutdown.child_token();
    let lane = |consumer, pass| {
        let stop = stop.clone();
        async move {
            let ended = run_lane(consumer, pass, stop.clone()).await;
            stop.cancel();
            ended
        }
    };
    let mut lanes = JoinSet::new();
    lanes.spawn(lane(consumer, usual));
    lanes.spawn(lane(urgent, turnstile.pass(Lane::Urgent)));
    let mut all = Ok(());
    while let Some(ended) = lanes.join_next().await {
        all = all.and(ended.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Ok(()),
        }));
    }
    all
}

async fn run_lane<H: Handler>(
    consumer: Consumer<H>,
    pass: Pass,
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
    let began = Instant::now();
    let meters = Arc::new(Meters::new(keys.name(), &config.group, keys.is_urgent()));
    let first = connect(&endpoint, &config, &keys, &shutdown);
    let Some(link) = beating(first, &pulse, &keys, config.upkeep).await? else {
        return Ok(());
    };
    let slots = Arc::new(Slots::new(config.concurrency));
    let (events, mut inbox) = mpsc::channel(2);
    let stop = CancellationToken::new();
    let client = Arc::new(AtomicI64::new(0));
    let fence = Fence::new();
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
        epoch: fence.epoch(),
    };
    tracing::info!(stream = %keys.name(), group = %config.group, consumer = %name, %endpoint, "consuming");
    let (links, seen) = watch::channel(Some(link.clone()));
    let progress = Line::new(
        seen,
        (&config, &keys, &name),
        endpoint.is_cluster(),
        meters.progress.clone(),
    );
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
        pass,
        blocked: false,
        meters,
        slots,
        held: HashMap::new(),
        unordered: Vec::new(),
        ask_from: None,
        unchecked: Vec::new(),
        ready: VecDeque::new(),
        suspects: VecDeque::new(),
        alone: None,
        running: JoinSet::new(),
        finished: Vec::new(),
        link: Some(link),
        links,
        line: Arc::new(progress),
        connecting: None,
        asking: None,
        checking: None,
        committing: Flights::default(),
        tending: None,
        fence,
        commit_pauses: Pauses::new(control::FIRST_PAUSE, control::LONGEST_PAUSE),
        commit_from: None,
        pace: Pace::new(),
        recover: None,
        connections: 0,
        began,
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
        let lasting = matches!(
            error.kind(),
            ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig
        );
        let error = match Error::connecting(endpoint, error) {
            Error::Connect { source, .. } if !lasting => source,
            lasting => return Err(lasting),
        };
        let wait = pauses.next_pause();
        tracing::warn!(stream = %keys.name(), %endpoint, %error, ?wait, "Redis is not usable; trying again");
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shutdown.cancelled() => return Ok(None),
        }
    }
}

/// Waiting for Redis is no hanging: the pulse goes on.
async fn beating<T>(
    waiting: impl Future<Output = T>,
    pulse: &Pulse,
    keys: &Keys,
    period: Duration,
) -> T {
    let mut waiting = std::pin::pin!(waiting);
    loop {
        pulse.beat_unconnected(keys.is_urgent());
        tokio::select! {
            done = &mut waiting => return done,
            () = tokio::time::sleep(period) => {}
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
                (batch, result) = self.committing.next() => self.committed(batch, result),
                asked = doing(&mut self.asking) => {
                    self.asking = None;
                    self.asked(asked);
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
                () = self.pass.changed(), if self.blocked => {}
                event = inbox.recv(), if reading => {
                    reading = event.is_some();
                    match event {
                        Some(event) => self.event(event),
                        None => waking.abort_all(),
                    }
                }
                () = shutdown.cancelled(), if self.stopping.is_none() => {
                    self.stop();
                    stop_reading.cancel();
                    if let Some(link) = &self.link {
                        waking.spawn(wake(link.clone(), self.keys.clone(), client.clone()));
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
            self.set_gate();
        }
        self.stop_step(now);
        self.reconnect();
        self.ask_for_turns(now);
        self.check();
        let more = self.start();
        self.commit(now);
        self.tend(now);
        more
    }

    fn is_idle(&self) -> bool {
        self.running.is_empty()
            && self.finished.is_empty()
            && self.committing.is_empty()
            && self.tending.is_none()
    }

    fn next_deadline(&self) -> Instant {
        let mut next = self.next_tend;
        let mut sooner = |at: Instant| next = next.min(at);
        if let State::Open { until } = self.breaker.state() {
            sooner(until);
        }
        for at in [self.commit_from, self.ask_from].into_iter().flatten() {
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
            // Nothing else wakes it while Redis is away, and a loop that waits is no loop that hangs.
            let round = now + self.config.upkeep.max(Duration::from_millis(100));
            return at.min(if busy { round } else { next });
        }
        if busy {
            // The reply comes first, or the new connection; a timer in the past would only spin.
            return next.max(now + Duration::from_millis(100));
        }
        next
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
pub(super) fn is_passing(error: &str) -> bool {
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
async fn wake(mut link: Link, keys: Keys, client: Arc<AtomicI64>) {
    loop {
        let id = client.load(Ordering::Acquire);
        if id > 0 {
            let mut command = redis::cmd("CLIENT");
            command.arg("UNBLOCK").arg(id);
            if link.send_to_owner(keys.stream(), command).await.is_err() {
                // Then the reader waits for a second, and what it may have missed is handed back.
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// For a gauge; exact up to 2³², which is more than fits into a hand.
fn as_measure(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::INFINITY, f64::from)
}
