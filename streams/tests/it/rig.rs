//! A private server, consumers with short times, and ways to look at what stands in Redis.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use maestro_redis_server::{Builder, Server};
use maestro_streams::{
    Admin, CancellationToken, Consumer, ConsumerConfig, Delivery, Endpoint, Entry, Error, Fields,
    Handler, Inspection, Outcome, Outgoing, Publisher, Pulse, Tail,
};
use redis::FromRedisValue;
use redis::aio::MultiplexedConnection;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::net::patient;

/// Nothing here takes this long; a machine that does several builds at once may be slow.
pub(crate) const DEADLINE: Duration = Duration::from_secs(40);

pub(crate) struct Rig {
    pub(crate) server: Server,
    pub(crate) endpoint: Endpoint,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(Server::builder().append_only(false))
    }

    pub(crate) fn with(builder: Builder) -> Self {
        let server = builder.start().expect("a redis-server");
        let endpoint = server.url().parse().expect("its URL is one");
        Self { server, endpoint }
    }

    pub(crate) async fn redis(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.server.url()).expect("a client");
        client
            .get_multiplexed_async_connection_with_config(&patient())
            .await
            .expect("a connection")
    }

    /// Runs one command, given as words.
    pub(crate) async fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut connection = self.redis().await;
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(*word);
        }
        command
            .query_async(&mut connection)
            .await
            .expect("an answer")
    }

    pub(crate) fn publisher(&self) -> Publisher {
        Publisher::new(&self.endpoint, "").expect("a publisher")
    }

    pub(crate) fn admin(&self) -> Admin {
        Admin::new(&self.endpoint, "")
            .expect("an admin")
            .dedup_window(Duration::from_hours(1))
    }

    /// Publishes messages with these ids to `jobs`.
    pub(crate) async fn publish(&self, ids: impl IntoIterator<Item = String>) {
        let messages: Vec<_> = ids.into_iter().map(|id| job(&id)).collect();
        self.publisher()
            .publish(&messages)
            .await
            .expect("published");
    }

    /// The values of a field in a stream's entries, in their order.
    pub(crate) async fn values(&self, stream: &str, field: &str) -> Vec<String> {
        column(self.ask(&["XRANGE", stream, "-", "+"]).await, field)
    }

    pub(crate) async fn len(&self, stream: &str) -> u64 {
        self.ask(&["XLEN", stream]).await
    }

    /// The size of a set or hash, by the command that tells it.
    pub(crate) async fn len_of(&self, command: &str, key: &str) -> u64 {
        self.ask(&[command, key]).await
    }

    pub(crate) async fn pending(&self) -> u64 {
        let status = self.admin().status(&["jobs"]).await.expect("a status");
        status[0].groups.iter().map(|group| group.pending).sum()
    }

    pub(crate) async fn consumers(&self) -> usize {
        let status = self.admin().status(&["jobs"]).await.expect("a status");
        status[0]
            .groups
            .iter()
            .map(|group| group.consumers.len())
            .sum()
    }

    /// How many clients wait in a blocking read.
    pub(crate) async fn blocked(&self) -> usize {
        let info: String = self.ask(&["INFO", "clients"]).await;
        let line = info
            .lines()
            .find_map(|line| line.strip_prefix("blocked_clients:"));
        line.and_then(|n| n.trim().parse().ok()).expect("a number")
    }

    pub(crate) fn start<H: Handler>(&self, config: ConsumerConfig, handler: H) -> Running {
        start(&self.endpoint, config, handler)
    }
}

/// Entries as `XRANGE` gives them.
pub(crate) type Entries = Vec<(String, Vec<(String, String)>)>;

/// The values of one field of each.
pub(crate) fn column(entries: Entries, field: &str) -> Vec<String> {
    let fields = entries.into_iter().flat_map(|(_, fields)| fields);
    let of_field = fields.filter(|(name, _)| name == field);
    of_field.map(|(_, value)| value).collect()
}

pub(crate) fn start<H: Handler>(
    endpoint: &Endpoint,
    config: ConsumerConfig,
    handler: H,
) -> Running {
    let consumer = Consumer::new(endpoint.clone(), config, handler).expect("a consumer");
    let (name, pulse) = (consumer.name().to_owned(), consumer.pulse());
    let stop = CancellationToken::new();
    let task = tokio::spawn(consumer.run(stop.clone()));
    Running {
        name,
        pulse,
        stop,
        task,
    }
}

pub(crate) fn job(id: &str) -> Outgoing {
    Outgoing::new("jobs")
        .field("id", id.to_owned())
        .field("data", "{}")
}

pub(crate) struct Running {
    pub(crate) name: String,
    pub(crate) pulse: Pulse,
    stop: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(DEADLINE, self.task).await;
        ended
            .expect("it ends")
            .expect("without panic")
            .expect("in order");
    }

    /// As if the process had been killed: nothing is finished, nothing handed back.
    pub(crate) fn kill(self) {
        self.task.abort();
    }
}

/// Short times, so that whatever is to happen happens soon. The lease is long enough for a busy machine.
pub(crate) fn config() -> ConsumerConfig {
    ConsumerConfig {
        lease: Duration::from_millis(600),
        upkeep: Duration::from_millis(50),
        housekeeping: Duration::from_millis(100),
        block: Duration::from_millis(300),
        response_timeout: Duration::from_secs(3),
        retry_base: Duration::from_millis(10),
        retry_cap: Duration::from_millis(50),
        breaker_base: Duration::from_millis(50),
        breaker_cap: Duration::from_millis(200),
        dedup_window: Duration::from_hours(1),
        grace: Duration::from_secs(20),
        ..ConsumerConfig::new("jobs", "workers")
    }
}

/// Waits until something is so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let start = Instant::now();
    while !is_so().await {
        assert!(
            start.elapsed() < DEADLINE,
            "not within {DEADLINE:?}: {what}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The next entry that a tail sees, with its stream.
pub(crate) async fn seen(tail: &mut Tail) -> (Arc<str>, Entry) {
    let next = tokio::time::timeout(DEADLINE, tail.next()).await;
    next.expect("in time").expect("an entry")
}

type Handling = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// A handler made of a function. Its deduplication key is the field `id`.
pub(crate) struct By(Box<dyn Fn(Delivery) -> Handling + Send + Sync>);

pub(crate) fn by<F: Future<Output = Outcome> + Send + 'static>(
    handle: impl Fn(Delivery) -> F + Send + Sync + 'static,
) -> By {
    By(Box::new(move |delivery| Box::pin(handle(delivery))))
}

impl Handler for By {
    fn inspect(&self, entry: &Entry) -> Inspection {
        match entry.fields.get_str("id") {
            Some(id) => Inspection::handle().key(id),
            None => Inspection::handle(),
        }
    }

    fn key(&self, entry: &Entry) -> Option<String> {
        entry.fields.get_str("id").map(str::to_owned)
    }

    fn handle(&self, delivery: Delivery) -> impl Future<Output = Outcome> + Send {
        (self.0)(delivery)
    }
}

pub(crate) fn id(fields: &Fields) -> String {
    fields.get_str("id").unwrap_or("none").to_owned()
}

/// One result that names its cause.
pub(crate) fn done(delivery: &Delivery) -> Outcome {
    Outcome::Done(vec![
        Outgoing::new("results").field("of", id(&delivery.entry.fields)),
    ])
}

/// Answers every message with one result.
pub(crate) fn relay() -> By {
    by(|delivery| async move { done(&delivery) })
}

/// Counts, and remembers what was counted.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<(AtomicU64, Mutex<Vec<String>>)>);

impl Log {
    pub(crate) fn note(&self, what: impl Into<String>) -> u64 {
        self.0.1.lock().expect("no panic").push(what.into());
        self.0.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.0.load(Ordering::SeqCst)
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.1.lock().expect("no panic").clone()
    }
}
