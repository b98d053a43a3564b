use std::fmt;
use std::time::Duration;

use redis::{Pipeline, Value};

use crate::pool::Pool;
use crate::script::{ENSURE, REPLAY, ensure_call};
use crate::{Endpoint, Entry, EntryId, Error, Keys, reply};

mod flow;
mod history;
mod replicas;
mod status;

pub use flow::{Flow, GroupFlow};
pub use replicas::{Held, Replica};
pub use status::{ConsumerStatus, GroupStatus, LaneStatus, StreamStatus};

/// Looks after streams from outside: their state, their dead letters, their groups.
#[derive(Clone)]
pub struct Admin {
    pool: Pool,
    prefix: String,
    dedup_window: Duration,
    lease: Duration,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin")
            .field("endpoint", self.pool.endpoint())
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// A message that was set aside, with the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadEntry {
    /// Its id among the dead letters.
    pub id: EntryId,
    /// All of it: the original fields and those that begin with `dead`.
    pub entry: Entry,
}

impl DeadEntry {
    /// Why, in one word.
    pub fn reason(&self) -> &str {
        self.entry.fields.get_str("deadreason").unwrap_or("unknown")
    }

    /// Why, in one sentence.
    pub fn detail(&self) -> &str {
        self.entry.fields.get_str("deaddetail").unwrap_or("")
    }
}

impl Admin {
    /// An administrator with at most two connections. `prefix` as in [`crate::ConsumerConfig::prefix`].
    pub fn new(endpoint: &Endpoint, prefix: impl Into<String>) -> Result<Self, Error> {
        Ok(Self {
            pool: Pool::new(endpoint, 2, Duration::from_secs(5))?,
            prefix: prefix.into(),
            dedup_window: Duration::from_hours(24),
            lease: Duration::from_secs(30),
        })
    }

    /// The window that the stream's consumers use, if it is not the default: a replay has to find the mark.
    #[must_use]
    pub fn dedup_window(mut self, window: Duration) -> Self {
        self.dedup_window = window;
        self
    }

    /// The lease that the streams' consumers use, if it is not the default: for [`GroupStatus::claimable`].
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Whether Redis answers.
    pub async fn ping(&self) -> Result<(), Error> {
        let reply = self.pool.command(&redis::cmd("PING")).await?;
        reply.map(drop).map_err(Error::command("ask", "PING"))
    }

    /// Creates these groups (stream, group) where they are missing, and the streams with them. A new group begins
    /// at the stream's beginning, a lost one where it had come to. Call it before the first message counts for scaling.
    pub async fn ensure_groups(&self, groups: &[(&str, &str)]) -> Result<(), Error> {
        for (stream, group) in groups {
            self.ensure(&Keys::new(&self.prefix, stream)?, group)
                .await?;
        }
        Ok(())
    }

    /// The same for these streams' urgent lanes. A group that nobody reads keeps its lane from being trimmed: only for consumers
    /// with [`crate::ConsumerConfig::urgent_lane`].
    pub async fn ensure_urgent_groups(&self, groups: &[(&str, &str)]) -> Result<(), Error> {
        for (stream, group) in groups {
            self.ensure(&Keys::new(&self.prefix, stream)?.urgent(), group)
                .await?;
        }
        Ok(())
    }

    async fn ensure(&self, keys: &Keys, group: &str) -> Result<(), Error> {
        let call = ensure_call(keys, group);
        let reply = self.pool.script(&ENSURE, &call).await?;
        let tried = "create a consumer group of";
        reply
            .map(drop)
            .map_err(Error::command(tried, keys.stream()))
    }

    /// The state of these streams, in the same order. A stream that does not exist is empty.
    pub async fn status(&self, streams: &[&str]) -> Result<Vec<StreamStatus>, Error> {
        let mut all = Vec::with_capacity(streams.len());
        for stream in streams {
            let keys = Keys::new(&self.prefix, stream)?;
            all.push(Box::pin(status::read(&self.pool, &keys, self.lease)).await?);
        }
        Ok(all)
    }

    /// Who reads these streams, by their registry and their groups: the living, and those that have not been cleared up. In the order of
    /// the streams, then by group and by name.
    pub async fn replicas(&self, streams: &[&str]) -> Result<Vec<Replica>, Error> {
        let mut all = Vec::new();
        for stream in streams {
            let keys = Keys::new(&self.prefix, stream)?;
            all.extend(replicas::read(&self.pool, &keys).await?);
        }
        Ok(all)
    }

    /// How much has gone through these streams, in the same order; both lanes of each together.
    pub async fn flow(&self, streams: &[&str]) -> Result<Vec<Flow>, Error> {
        let mut all = Vec::with_capacity(streams.len());
        for stream in streams {
            let keys = Keys::new(&self.prefix, stream)?;
            all.push(flow::read(&self.pool, &keys).await?);
        }
        Ok(all)
    }

    /// At most `count` dead letters of a stream, oldest first, after the one with this id. Pass the last one's id to get
    /// the next page.
    pub async fn dead_letters(
        &self,
        stream: &str,
        after: Option<EntryId>,
        count: usize,
    ) -> Result<Vec<DeadEntry>, Error> {
        let start = after.map_or_else(|| "-".to_owned(), |id| format!("({id}"));
        self.dead_range(stream, &start, "+", count).await
    }

    /// At most `count` entries of a stream, or of its urgent lane, newest first, before the one with this id. Pass the last
    /// one's id to get the next page. Reads without a group: nothing is delivered or acknowledged by it.
    pub async fn newest(
        &self,
        stream: &str,
        urgent: bool,
        before: Option<EntryId>,
        count: usize,
    ) -> Result<Vec<Entry>, Error> {
        let keys = Keys::new(&self.prefix, stream)?;
        let keys = if urgent { keys.urgent() } else { keys };
        let mut command = redis::cmd("XREVRANGE");
        command.arg(keys.stream());
        command.arg(before.map_or_else(|| "+".to_owned(), |id| format!("({id}")));
        command.arg("-").arg("COUNT").arg(count);
        let tried = "read the end of";
        let reply = self.pool.command(&command).await?;
        let reply = reply.map_err(Error::command(tried, keys.stream()))?;
        let entries = reply::array(reply).ok_or_else(Error::answer(tried, keys.stream()))?;
        let entries = entries
            .into_iter()
            .map(|value| reply::entry(value).and_then(Result::ok));
        entries
            .collect::<Option<Vec<_>>>()
            .ok_or_else(Error::answer(tried, keys.stream()))
    }

    /// The id of a stream's newest dead letter.
    pub async fn newest_dead_letter(&self, stream: &str) -> Result<Option<EntryId>, Error> {
        let dead = Keys::new(&self.prefix, stream)?.dead();
        let mut command = redis::cmd("XREVRANGE");
        command.arg(&dead).arg("+").arg("-").arg("COUNT").arg(1);
        let tried = "read the dead letters";
        let reply = self.pool.command(&command).await?;
        let reply = reply.map_err(Error::command(tried, &dead))?;
        let entries = reply::array(reply).ok_or_else(Error::answer(tried, &dead))?;
        let Some(newest) = entries.into_iter().next() else {
            return Ok(None);
        };
        match reply::entry(newest) {
            Some(Ok(entry)) => Ok(Some(entry.id)),
            _ => Err(Error::answer(tried, &dead)()),
        }
    }

    /// One dead letter.
    pub async fn dead_letter(&self, stream: &str, id: EntryId) -> Result<DeadEntry, Error> {
        let text = id.to_string();
        let found = self.dead_range(stream, &text, &text, 1).await?;
        found.into_iter().next().ok_or_else(|| Error::NoDeadLetter {
            stream: stream.to_owned(),
            id,
        })
    }

    /// Puts a dead letter back into its stream with its original fields, in one atomic step: a new entry, its
    /// deduplication mark forgotten, the dead letter gone. Returns the new entry's id.
    pub async fn replay(&self, stream: &str, id: EntryId) -> Result<EntryId, Error> {
        let keys = Keys::new(&self.prefix, stream)?;
        let tried = "replay a dead letter of";
        let mut call = REPLAY.call(&[keys.stream(), &keys.dead(), &keys.seen()]);
        call.arg(id.to_string()).arg(millis(self.dedup_window));
        let reply = self.pool.script(&REPLAY, &call).await?;
        match reply.map_err(Error::command(tried, keys.stream()))? {
            Value::Nil => Err(Error::NoDeadLetter {
                stream: stream.to_owned(),
                id,
            }),
            reply => reply::id(&reply).ok_or_else(Error::answer(tried, keys.stream())),
        }
    }

    /// Deletes a dead letter for good. Its deduplication mark stays: the same message published again is a duplicate.
    pub async fn drop_dead_letter(&self, stream: &str, id: EntryId) -> Result<(), Error> {
        let dead = Keys::new(&self.prefix, stream)?.dead();
        let mut command = redis::cmd("XDEL");
        command.arg(&dead).arg(id.to_string());
        let reply = self.pool.command(&command).await?;
        match reply.map_err(Error::command("delete from", &dead))? {
            Value::Int(0) => Err(Error::NoDeadLetter {
                stream: stream.to_owned(),
                id,
            }),
            _ => Ok(()),
        }
    }

    async fn dead_range(
        &self,
        stream: &str,
        start: &str,
        end: &str,
        count: usize,
    ) -> Result<Vec<DeadEntry>, Error> {
        let dead = Keys::new(&self.prefix, stream)?.dead();
        let tried = "read the dead letters";
        let mut pipeline = Pipeline::new();
        let command = pipeline.cmd("XRANGE").arg(&dead).arg(start).arg(end);
        command.arg("COUNT").arg(count);
        let reply = self.pool.query(&pipeline).await?;
        let reply = reply.map_err(Error::command(tried, &dead))?;
        let entries = reply.into_iter().next().and_then(reply::array);
        let entries = entries.ok_or_else(Error::answer(tried, &dead))?;
        let entries = entries.into_iter().map(|value| {
            let entry = reply::entry(value).and_then(Result::ok)?;
            Some(DeadEntry {
                id: entry.id,
                entry,
            })
        });
        entries
            .collect::<Option<Vec<_>>>()
            .ok_or_else(Error::answer(tried, &dead))
    }
}

/// For a command's argument.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
