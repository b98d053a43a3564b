//! What a handler publishes before it is done: in its own task, over the connection that the engine keeps up. A handler that publishes
//! nothing along the way costs one more reference count, and the engine's loop nothing.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use metrics::Counter;
use redis::{Cmd, RedisResult};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::control;
use super::engine::is_passing;
use crate::admin::millis;
use crate::backoff::Pauses;
use crate::link::Link;
use crate::publisher::{append_to_each, check};
use crate::script::PROGRESS;
use crate::{ConsumerConfig, Delivery, EntryId, Error, Keys, Outgoing, reply};

/// Where [`Delivery::publish`] publishes to.
#[derive(Clone)]
pub struct Progress(Way);

#[derive(Clone)]
enum Way {
    Line(Arc<Line>, EntryId),
    Record(Arc<Mutex<Recorded>>),
}

type Recorded = Vec<(String, Vec<Outgoing>)>;

/// What became of messages that were published along the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// They stand in their streams.
    Now,
    /// Something with the same key was published before, and these were not. After a lost reply it may have been these.
    Already,
}

/// Why messages were not published along the way.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProgressError {
    /// The message that is being handled is no longer this worker's: another one has it, or this one ends and its grace
    /// period is over. The handler should stop; what it returns changes nothing.
    #[error("nothing is published along the way: the message is no longer this worker's")]
    Lost,
    /// One of the messages is too large or empty, or goes to a stream that cannot be.
    #[error("nothing can be published along the way: {0}")]
    Unfit(#[source] Error),
    /// Redis did not take one of them, and will not take it the next time: a name that is taken by another type, a missing right.
    #[error("nothing can be published along the way under {key:?}: Redis says {detail}")]
    Refused {
        /// The key.
        key: String,
        /// What Redis said.
        detail: String,
    },
}

impl Delivery {
    /// Publishes messages at once, before the outcome and whatever becomes of it: all of them or none, and only one time under
    /// this `key`, whichever delivery of whichever message of this stream comes first (both lanes together). A key that
    /// belongs to one message alone has to name that message. Keys of messages ([`crate::Inspection::key`]) are other keys.
    ///
    /// A key is remembered as long as a message's is: for at least [`ConsumerConfig::dedup_window`]. Trouble with the connection or a
    /// full memory is waited out, until [`Delivery::cancelled`] fires. One call after another keeps their order.
    ///
    /// In a cluster, messages for other streams are appended first and the key is remembered in a second step. If the worker is lost
    /// in between they are appended again: they need ids of their own that follow from the key, as those of an outcome do.
    ///
    /// # Errors
    /// See [`ProgressError`]. After each of them nothing was published, except that a call which was [`ProgressError::Lost`] while it waited may
    /// have been carried out.
    pub async fn publish(
        &self,
        key: &str,
        messages: Vec<Outgoing>,
    ) -> Result<Published, ProgressError> {
        if self.cancelled.is_cancelled() {
            return Err(ProgressError::Lost);
        }
        match &self.progress.0 {
            Way::Line(line, entry) => line.publish(*entry, &self.cancelled, key, messages).await,
            Way::Record(record) => {
                let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
                if record.iter().any(|(known, _)| known == key) {
                    return Ok(Published::Already);
                }
                record.push((key.to_owned(), messages));
                Ok(Published::Now)
            }
        }
    }
}

impl Progress {
    pub(super) fn new(line: Arc<Line>, entry: EntryId) -> Self {
        Self(Way::Line(line, entry))
    }

    /// For tests of handlers without a server: what is published is kept, once for each key. Clones share it.
    pub fn recording() -> Self {
        Self(Way::Record(Arc::default()))
    }

    /// What a [`Progress::recording`] has kept: keys and messages, in their order.
    pub fn recorded(&self) -> Vec<(String, Vec<Outgoing>)> {
        match &self.0 {
            Way::Line(..) => Vec::new(),
            Way::Record(record) => record
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Way::Line(_, entry) => write!(f, "Progress({entry})"),
            Way::Record(_) => write!(f, "Progress(recording)"),
        }
    }
}

/// What all handlers of a consumer publish through.
pub(super) struct Line {
    /// The engine's connection; none while there is none, and closed when the engine has ended.
    links: watch::Receiver<Option<Link>>,
    keys: Keys,
    group: String,
    consumer: String,
    prefix: String,
    window_ms: u64,
    max_entry_bytes: usize,
    is_cluster: bool,
    published: Counter,
}

/// What stands for a key in the deduplication sets. A byte longer than the mark of a message, so neither is ever taken for the other.
fn mark(key: &str) -> [u8; 17] {
    let mut mark = [b'p'; 17];
    mark[1..].copy_from_slice(&Sha256::digest(key.as_bytes())[..16]);
    mark
}

/// The calls of one publication.
struct Calls {
    key: String,
    /// For other slots of a cluster: whether it is needed, and what is appended then.
    elsewhere: Option<(Cmd, Vec<(String, Outgoing)>)>,
    publish: Cmd,
}

/// What the script says.
enum Answer {
    New,
    Published,
    Duplicate,
    Lost,
    Failed(String),
}

impl Line {
    pub(super) fn new(
        links: watch::Receiver<Option<Link>>,
        (config, keys, consumer): (&ConsumerConfig, &Keys, &str),
        is_cluster: bool,
        published: Counter,
    ) -> Self {
        Self {
            links,
            keys: keys.clone(),
            group: config.group.clone(),
            consumer: consumer.to_owned(),
            prefix: config.prefix.clone(),
            window_ms: millis(config.dedup_window),
            max_entry_bytes: config.max_entry_bytes,
            is_cluster,
            published,
        }
    }

    async fn publish(
        &self,
        entry: EntryId,
        cancelled: &CancellationToken,
        key: &str,
        messages: Vec<Outgoing>,
    ) -> Result<Published, ProgressError> {
        let calls = self.calls(entry, key, messages);
        let calls = calls.map_err(ProgressError::Unfit)?;
        tokio::select! {
            biased;
            () = cancelled.cancelled() => Err(ProgressError::Lost),
            published = self.insist(entry, &calls) => published,
        }
    }

    /// Again and again, which the mark makes harmless.
    async fn insist(&self, entry: EntryId, calls: &Calls) -> Result<Published, ProgressError> {
        let mut links = self.links.clone();
        let mut pauses = Pauses::new(control::FIRST_PAUSE, control::LONGEST_PAUSE);
        loop {
            let link = match links.wait_for(Option::is_some).await {
                Ok(link) => link.clone(),
                Err(_) => None,
            };
            let Some(mut link) = link else {
                return Err(ProgressError::Lost);
            };
            let error = match calls.run(&mut link).await {
                Ok(Answer::Published | Answer::New) => {
                    self.published.increment(1);
                    return Ok(Published::Now);
                }
                Ok(Answer::Duplicate) => return Ok(Published::Already),
                Ok(Answer::Lost) => return Err(ProgressError::Lost),
                Ok(Answer::Failed(error)) if is_passing(&error) => error,
                Ok(Answer::Failed(detail)) => {
                    let key = calls.key.clone();
                    return Err(ProgressError::Refused { key, detail });
                }
                Err(error) => error.to_string(),
            };
            let wait = pauses.next_pause();
            tracing::warn!(stream = %self.keys.name(), %entry, key = calls.key, %error, ?wait, "not yet published along the way; trying again");
            tokio::time::sleep(wait).await;
        }
    }

    /// Fails if a message cannot be published.
    fn calls(&self, entry: EntryId, key: &str, messages: Vec<Outgoing>) -> Result<Calls, Error> {
        let mut here = Vec::new();
        let mut elsewhere = Vec::new();
        for message in messages {
            check(&message, self.max_entry_bytes)?;
            let keys = Keys::new(&self.prefix, &message.stream)?;
            let keys = if message.urgent { keys.urgent() } else { keys };
            if self.is_cluster && keys.name() != self.keys.name() {
                elsewhere.push((keys.stream().to_owned(), message));
            } else {
                here.push((keys.stream().to_owned(), message));
            }
        }
        let elsewhere = (!elsewhere.is_empty()).then(|| (self.call(entry, key, None), elsewhere));
        Ok(Calls {
            publish: self.call(entry, key, Some(&here)),
            elsewhere,
            key: key.to_owned(),
        })
    }

    /// A call of the script; it only asks if there are no messages at all.
    fn call(&self, entry: EntryId, key: &str, messages: Option<&[(String, Outgoing)]>) -> Cmd {
        let seen = self.keys.seen();
        let messages_of = messages.unwrap_or_default();
        let mut keys = vec![self.keys.stream(), &seen];
        keys.extend(messages_of.iter().map(|(stream, _)| stream.as_str()));
        let mut call = PROGRESS.call(&keys);
        call.arg(&self.group)
            .arg(&self.consumer)
            .arg(entry.to_string())
            .arg(self.window_ms)
            .arg(&mark(key)[..])
            .arg(if messages.is_none() { "1" } else { "0" });
        for (at, (_, message)) in messages_of.iter().enumerate() {
            // KEYS counts from 1, and two come before.
            call.arg(at + 3).arg(message.fields.len() * 2);
            for (name, value) in &message.fields {
                call.arg(name.as_ref()).arg(value.as_ref());
            }
        }
        call
    }
}

impl Calls {
    async fn run(&self, link: &mut Link) -> RedisResult<Answer> {
        if let Some((ask, messages)) = &self.elsewhere {
            match answer(link, ask).await? {
                Answer::New => append_to_each(link, messages).await?,
                otherwise => return Ok(otherwise),
            }
        }
        answer(link, &self.publish).await
    }
}

async fn answer(link: &mut Link, call: &Cmd) -> RedisResult<Answer> {
    let said = reply::text(PROGRESS.run(link, call).await?);
    match said.as_deref() {
        Some("new") => Ok(Answer::New),
        Some("published") => Ok(Answer::Published),
        Some("duplicate") => Ok(Answer::Duplicate),
        Some("lost") => Ok(Answer::Lost),
        Some(error) if error.starts_with("error ") => Ok(Answer::Failed(
            error.trim_start_matches("error ").to_owned(),
        )),
        _ => Err((redis::ErrorKind::UnexpectedReturnType, "progress script").into()),
    }
}
