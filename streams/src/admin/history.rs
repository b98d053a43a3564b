//! What stands in a stream, oldest first, and for how long it stands there.

use std::time::Duration;

use super::{Admin, millis};
use crate::script::RETAIN;
use crate::{Entry, EntryId, Error, Keys, reply};

impl Admin {
    /// At most `count` entries of a stream, or of its urgent lane, oldest first, after the one with this id. Pass the last
    /// one's id to get the next page. Reads without a group: nothing is delivered or acknowledged by it.
    pub async fn oldest(
        &self,
        stream: &str,
        urgent: bool,
        after: Option<EntryId>,
        count: usize,
    ) -> Result<Vec<Entry>, Error> {
        let keys = Keys::new(&self.prefix, stream)?;
        let keys = if urgent { keys.urgent() } else { keys };
        let mut command = redis::cmd("XRANGE");
        command.arg(keys.stream());
        command.arg(after.map_or_else(|| "-".to_owned(), |id| format!("({id}")));
        command.arg("+").arg("COUNT").arg(count);
        let tried = "read the beginning of";
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

    /// Trims a stream that no consumer of ours looks after to what came within `retention`, and says how many entries went. What a
    /// group has not yet been given, or holds, stays, however old it is. Whole nodes of the stream go (a hundred entries by default),
    /// so a little more than asked for may stay.
    pub async fn retain(&self, stream: &str, retention: Duration) -> Result<u64, Error> {
        let keys = Keys::new(&self.prefix, stream)?;
        let mut call = RETAIN.call(&[keys.stream()]);
        call.arg(millis(retention));
        let tried = "trim";
        let reply = self.pool.script(&RETAIN, &call).await?;
        let reply = reply.map_err(Error::command(tried, keys.stream()))?;
        reply::number(&reply).ok_or_else(Error::answer(tried, keys.stream()))
    }
}
