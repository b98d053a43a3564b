use std::fmt;
use std::time::Duration;

use redis::Value;

use crate::pool::Pool;
use crate::script::TALLY;
use crate::{Endpoint, Error, Keys, reply};

/// Counts distinct members of a key within a window, across all workers: how often the same thing was reported, say.
///
/// Recording a member again changes nothing and gives the same position, so a handler that runs twice for one message
/// decides the same twice.
#[derive(Clone)]
pub struct Tally {
    pool: Pool,
    prefix: String,
    remembered: usize,
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tally")
            .field("endpoint", self.pool.endpoint())
            .field("prefix", &self.prefix)
            .field("remembered", &self.remembered)
            .finish_non_exhaustive()
    }
}

/// What a tally says after a member was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// The member that opened the window.
    pub first: String,
    /// How many distinct members the window has so far.
    pub count: u64,
    /// Which of them this one was when it first came, from 1; stays the same when it is recorded again.
    pub position: u64,
    /// Whether it was recorded for the first time.
    pub is_new: bool,
}

impl Tally {
    /// A tally with connections of its own.
    pub fn new(endpoint: &Endpoint, prefix: impl Into<String>) -> Result<Self, Error> {
        Ok(Self {
            pool: Pool::new(endpoint, 4, Duration::from_secs(5))?,
            prefix: prefix.into(),
            remembered: 10_000,
        })
    }

    /// How many members of one key are told apart (default 10,000, about 100 bytes each). Beyond, the count goes on, but a
    /// member recorded again counts again.
    #[must_use]
    pub fn remembered(mut self, members: usize) -> Self {
        self.remembered = members;
        self
    }

    /// Records a member of `key`, next to `stream`. The window begins with the key's first member and ends `window` later.
    pub async fn record(
        &self,
        stream: &str,
        key: &str,
        member: &str,
        window: Duration,
    ) -> Result<Count, Error> {
        let name = Keys::new(&self.prefix, stream)?.tally(key);
        let mut call = TALLY.call(&[&name]);
        let window = u64::try_from(window.as_millis()).unwrap_or(u64::MAX >> 1);
        call.arg(member).arg(window.max(1)).arg(self.remembered);
        let tried = "count a member of";
        let reply = self.pool.script(&TALLY, &call).await?;
        let reply = reply.map_err(Error::command(tried, &name))?;
        count(reply).ok_or_else(Error::answer(tried, &name))
    }
}

fn count(reply: Value) -> Option<Count> {
    let mut items = reply::array(reply)?.into_iter();
    Some(Count {
        first: reply::text(items.next()?)?,
        count: reply::number(&items.next()?)?,
        position: reply::number(&items.next()?)?,
        is_new: reply::number(&items.next()?)? == 1,
    })
}
