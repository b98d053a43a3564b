use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use redis::{RedisResult, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::control::{FIRST_PAUSE, LONGEST_PAUSE, ensure_group, is_group_lost};
use super::meters::Meters;
use super::rate::{Granted, Permits};
use super::slots::Slots;
use crate::admin::millis;
use crate::backoff::Pauses;
use crate::link::Link;
use crate::{ConsumerConfig, Endpoint, Entry, Keys, reply};

/// What the reader tells the engine.
pub(super) enum Event {
    /// A new connection stands. What the old one may have lost must be recovered before new messages are read.
    Connected { go_on: oneshot::Sender<()> },
    /// New messages, and the epoch of the fence in which they were asked for.
    Entries(Vec<Entry>, u64),
}

/// Does the blocking reads, on a connection that nobody else uses.
pub(super) struct Reader {
    pub(super) endpoint: Endpoint,
    pub(super) config: ConsumerConfig,
    pub(super) keys: Keys,
    pub(super) consumer: String,
    pub(super) slots: Arc<Slots>,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) stop: CancellationToken,
    /// The connection's id at the server, to wake it from a blocking read; 0 if not known.
    pub(super) client: Arc<AtomicI64>,
    pub(super) meters: Arc<Meters>,
    /// The fence's.
    pub(super) epoch: Arc<AtomicU64>,
}

impl Reader {
    pub(super) async fn run(self) {
        let mut pauses = Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut first = true;
        while !self.stop.is_cancelled() {
            let patience = self.config.block + self.config.response_timeout;
            let opened = tokio::select! {
                opened = Link::open_reader(&self.endpoint, patience) => opened,
                () = self.stop.cancelled() => return,
            };
            let ended = match opened {
                Ok(mut link) => {
                    if !first {
                        self.meters.reconnects.increment(1);
                    }
                    first = false;
                    self.client
                        .store(self.client_id(&mut link).await, Ordering::Release);
                    let ended = self.follow(&mut link, &mut pauses).await;
                    self.client.store(0, Ordering::Release);
                    ended
                }
                Err(error) => Err(error),
            };
            // Whatever went wrong, the connection is dropped: its state and what it still had to say are unknown.
            let Err(error) = ended else { return };
            let wait = pauses.next_pause();
            tracing::warn!(stream = %self.keys.name(), endpoint = %self.endpoint, %error, ?wait, "reading stopped; reconnecting");
            tokio::select! {
                () = sleep(wait) => {}
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// Reads until told to stop (`Ok`) or until something breaks.
    async fn follow(&self, link: &mut Link, pauses: &mut Pauses) -> RedisResult<()> {
        let (go_on, recovered) = oneshot::channel();
        if self.events.send(Event::Connected { go_on }).await.is_err() {
            return Ok(());
        }
        tokio::select! {
            // An engine that is gone wants nothing more.
            gone = recovered => if gone.is_err() { return Ok(()) },
            () = self.stop.cancelled() => return Ok(()),
        }
        let mut permits = Permits::default();
        loop {
            let free = tokio::select! {
                free = self.slots.wait(self.config.batch) => free,
                () = self.stop.cancelled() => return Ok(()),
            };
            let Some(count) = self.permitted(link, &mut permits, free).await? else {
                continue;
            };
            let epoch = self.epoch.load(Ordering::Acquire);
            let (found, stopping) = self.read_unless_stopped(link, count).await;
            let Some(found) = found else { return Ok(()) };
            if let Ok(entries) = &found {
                permits.used(count, entries.len());
            }
            match found {
                Ok(entries) if entries.is_empty() => pauses.reset(),
                Ok(entries) => {
                    pauses.reset();
                    self.meters.fetched.increment(entries.len() as u64);
                    self.slots.take(entries.len());
                    let event = Event::Entries(entries, epoch);
                    if self.events.send(event).await.is_err() {
                        return Ok(());
                    }
                }
                Err(error) if is_group_lost(&error) => {
                    if let Some(from) = ensure_group(link, &self.keys, &self.config.group).await? {
                        self.meters.groups_recreated.increment(1);
                        tracing::warn!(stream = %self.keys.name(), group = %self.config.group, %from, "the consumer group was lost and is created again");
                    }
                }
                Err(error) => return Err(error),
            }
            if stopping {
                return Ok(());
            }
        }
    }

    /// How much of what there is room for may be read. `None` after a wait for the next permit.
    async fn permitted(
        &self,
        link: &mut Link,
        permits: &mut Permits,
        free: usize,
    ) -> RedisResult<Option<usize>> {
        let Some(limit) = self.config.rate_limit else {
            return Ok(Some(free));
        };
        let granted = permits.take(link, &self.config, &self.keys, limit, free);
        match granted.await? {
            Granted::Read(count) => Ok(Some(count)),
            Granted::Wait(wait) => {
                tokio::select! {
                    () = sleep(wait) => {}
                    () = self.stop.cancelled() => {}
                }
                Ok(None)
            }
        }
    }

    /// One read, and whether to stop after it. `None` if it was given up.
    async fn read_unless_stopped(
        &self,
        link: &mut Link,
        count: usize,
    ) -> (Option<RedisResult<Vec<Entry>>>, bool) {
        let read = self.read(link, count);
        tokio::pin!(read);
        tokio::select! {
            found = &mut read => (Some(found), false),
            // The engine wakes the blocked connection. Dropping it instead could lose sight of entries that are being
            // delivered this very moment.
            () = self.stop.cancelled() => (timeout(Duration::from_secs(1), read).await.ok(), true),
        }
    }

    async fn read(&self, link: &mut Link, count: usize) -> RedisResult<Vec<Entry>> {
        let mut command = redis::cmd("XREADGROUP");
        command
            .arg("GROUP")
            .arg(&self.config.group)
            .arg(&self.consumer)
            .arg("COUNT")
            .arg(count)
            .arg("BLOCK")
            .arg(millis(self.config.block))
            .arg("STREAMS")
            .arg(self.keys.stream())
            .arg(">");
        let value: Value = command.query_async(link).await?;
        let streams = reply::streams(value).ok_or_else(|| {
            redis::RedisError::from((redis::ErrorKind::UnexpectedReturnType, "XREADGROUP"))
        })?;
        Ok(streams
            .into_iter()
            .flat_map(|(_, entries)| entries)
            .collect())
    }

    /// Its number at the server that has the stream; 0 if the server does not tell.
    async fn client_id(&self, link: &mut Link) -> i64 {
        let mut command = redis::cmd("CLIENT");
        command.arg("ID");
        let id = link.send_to_owner(self.keys.stream(), command).await;
        id.ok()
            .and_then(|id| i64::try_from(reply::number(&id)?).ok())
            .unwrap_or(0)
    }
}
