use std::time::Duration;

use crate::{Error, Keys};

/// How one consumer works. Every member has a default that suits a handler of seconds; [`ConsumerConfig::new`] fills them in.
#[derive(Debug, Clone)]
pub struct ConsumerConfig {
    /// The stream's name, without the prefix.
    pub stream: String,
    /// The consumer group. Each group sees every message; the replicas within one share them.
    pub group: String,
    /// What every key's name begins with, taken as it is (`acme:`); lets tenants share one Redis. Default: nothing.
    pub prefix: String,
    /// This consumer's name in the group; must be unique among living processes. Default: host, process id and a random part.
    pub name: Option<String>,
    /// How many messages are in hand at the same time: fetched and not yet committed. Default 16. More keeps cheap
    /// handlers busy (512 and more for microseconds); fewer leaves more for other replicas and less to take over after a crash.
    pub concurrency: usize,
    /// How many messages one fetch and one commit carry at most. Default 256, beyond which little is gained; at most 1000.
    pub batch: usize,
    /// How long a message stays ours without a sign of life. Default 30 s. Short: a dead worker's messages move on
    /// sooner. Long: fewer needless take-overs when a worker or the network hangs for a while. Handlers may take longer than
    /// this, since the lease is renewed every third of it.
    pub lease: Duration,
    /// How often a message is delivered before it is dead-lettered as `exhausted`. Default 5.
    pub max_deliveries: u32,
    /// From which delivery of an entry on it is handled alone: nothing else is in this worker's hands meanwhile, so that a message
    /// which ends its workers takes no other one with it. Default 3, after two workers were lost with it: one is mostly lost for reasons of
    /// its own, and its messages go on side by side at once. 2 isolates after the first, and a lost worker's messages then wait
    /// for replicas that have nothing else in hand.
    pub quarantine_from: u32,
    /// The first retry waits at most this long, each further one at most twice as long as the one before. Default 1 s.
    pub retry_base: Duration,
    /// No retry waits longer than this. Default 5 min.
    pub retry_cap: Duration,
    /// For how long what every group has acknowledged stays in the stream. Default 24 h; costs the memory of the messages.
    pub retention: Duration,
    /// For at least how long (and at most twice as long) a message's key is remembered, so that the same message published
    /// again has no effect. Default 24 h; costs about 72 bytes of Redis memory for each message that carries a key.
    pub dedup_window: Duration,
    /// The field with the ordering key: messages with the same value are handled one after the other, in the order of the stream,
    /// across all replicas; those with another or none go on side by side. Default `partitionkey`, as the `CloudEvents`
    /// extension of partitioning calls it; costs a round trip for a batch that has such messages, and nothing otherwise. A message that
    /// is retried keeps its turn, one that is scheduled takes its place when it is due.
    pub order_by: Option<String>,
    /// How many messages all replicas of the group together may read, for a dependency that takes no more. Default: as many as
    /// there are. Costs a round trip for each read; what is taken over from a lost worker is not counted again.
    pub rate_limit: Option<RateLimit>,
    /// Whether to read the stream's urgent lane too, `{stream}:urgent`, and before it. While messages wait in both, one in four
    /// that begin is not urgent, so that neither lane stands still. Default: no; costs a second reading connection and
    /// a second upkeep, and up to twice as many messages are in hand. An ordering key orders the messages of one lane.
    pub urgent_lane: bool,
    /// A larger entry (names and values together) is dead-lettered as `oversized`, unseen by the handler. Default 1 MiB.
    pub max_entry_bytes: usize,
    /// How long running handlers may go on after a shutdown was asked for; the rest is handed back. Default 25 s, five
    /// less than what Kubernetes waits by default.
    pub grace: Duration,
    /// How long one blocking read waits at the server. Default 2 s. Longer is cheaper for an idle consumer; a connection
    /// that died unseen is noticed this much plus [`ConsumerConfig::response_timeout`] later.
    pub block: Duration,
    /// How long any other command may take before the connection is given up. Default 5 s.
    pub response_timeout: Duration,
    /// How often to look for messages to take over and for retries that are due, give or take a quarter. Default 500 ms, one
    /// round trip each; an expected due time shortens it. Bounds how late a handed-back message is taken.
    pub upkeep: Duration,
    /// How often to say "alive", delete dead consumers, save the cursor and trim. Default 5 s, in the same round trip.
    pub housekeeping: Duration,
    /// After a dependency was found unavailable: the first pause before a probe. Default 1 s; doubles up to the cap.
    pub breaker_base: Duration,
    /// The longest pause between probes of an unavailable dependency. Default 30 s.
    pub breaker_cap: Duration,
    /// When to look for a duplicate before the handler runs. The commit looks in any case.
    pub check_first: CheckFirst,
    /// What the registry says this process's version is. Default: nothing.
    pub version: String,
}

/// A rate that the replicas of a group share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    /// Messages a second in the long run; may be less than one.
    pub per_second: f64,
    /// How many may go at once after a pause; at least 1.
    pub burst: u32,
}

/// When to ask Redis, before a handler runs, whether a message with the same key has already taken effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckFirst {
    /// Always: one more round trip for each batch, and no handler ever runs for a known duplicate.
    Always,
    /// Only while handlers take this long or longer on average; faster ones are not worth the round trip. The default, with 1 ms.
    WhenSlower(Duration),
    /// Never: a duplicate is found at the commit, after its handler ran in vain.
    Never,
}

impl ConsumerConfig {
    /// The defaults, for this group of this stream.
    pub fn new(stream: impl Into<String>, group: impl Into<String>) -> Self {
        Self {
            stream: stream.into(),
            group: group.into(),
            prefix: String::new(),
            name: None,
            concurrency: 16,
            batch: 256,
            lease: Duration::from_secs(30),
            max_deliveries: 5,
            quarantine_from: 3,
            retry_base: Duration::from_secs(1),
            retry_cap: Duration::from_mins(5),
            retention: Duration::from_hours(24),
            dedup_window: Duration::from_hours(24),
            order_by: Some("partitionkey".to_owned()),
            rate_limit: None,
            urgent_lane: false,
            max_entry_bytes: 1024 * 1024,
            grace: Duration::from_secs(25),
            block: Duration::from_secs(2),
            response_timeout: Duration::from_secs(5),
            upkeep: Duration::from_millis(500),
            housekeeping: Duration::from_secs(5),
            breaker_base: Duration::from_secs(1),
            breaker_cap: Duration::from_secs(30),
            check_first: CheckFirst::WhenSlower(Duration::from_millis(1)),
            version: String::new(),
        }
    }

    /// Says which member has a value that cannot work.
    pub fn validate(&self) -> Result<(), Error> {
        let wrong = |member: &'static str, expected: &'static str| {
            Err(Error::Config {
                stream: self.stream.clone(),
                member,
                expected,
            })
        };
        Keys::new(&self.prefix, &self.stream)?;
        let named = |name: &str| {
            !name.is_empty() && !name.contains(|c: char| c == '/' || c == ' ' || c.is_control())
        };
        if !named(&self.group) {
            return wrong("group", "a name without '/', spaces and control characters");
        }
        if self.name.as_deref().is_some_and(|name| !named(name)) {
            return wrong("name", "a name without '/', spaces and control characters");
        }
        if self.concurrency == 0 {
            return wrong("concurrency", "at least 1");
        }
        if !(1..=1000).contains(&self.batch) {
            return wrong("batch", "1 to 1000");
        }
        if self.lease < Duration::from_millis(50) {
            return wrong("lease", "at least 50 ms");
        }
        if self.max_deliveries == 0 {
            return wrong("max_deliveries", "at least 1");
        }
        if self.quarantine_from < 2 {
            return wrong("quarantine_from", "at least 2");
        }
        if let Some(limit) = self.rate_limit {
            if !(limit.per_second > 0.0 && limit.per_second <= 1e6) {
                return wrong("rate_limit.per_second", "more than 0, at most 1000000");
            }
            if limit.burst == 0 {
                return wrong("rate_limit.burst", "at least 1");
            }
        }
        if self.dedup_window < Duration::from_secs(1) {
            return wrong("dedup_window", "at least 1 s");
        }
        if self.upkeep.is_zero() || self.housekeeping.is_zero() {
            return wrong("upkeep and housekeeping", "more than nothing");
        }
        if self.block < Duration::from_millis(1) {
            // BLOCK 0 waits for ever, on a dead connection too.
            return wrong("block", "at least 1 ms");
        }
        if self.response_timeout.is_zero() {
            return wrong("response_timeout", "more than nothing");
        }
        Ok(())
    }
}
