use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use redis::Pipeline;

use crate::admin::millis;
use crate::pool::Pool;
use crate::script::FOLD;
use crate::{Admin, Endpoint, Entry, EntryId, Error, Fields, Keys, reply};

/// Hashes that are derived from a stream, each entry exactly once.
///
/// Whoever has time moves it on: reads where it is, the entries behind that and the hashes that they change, and hands in the changed hashes
/// together with the new place ([`Projection::advance`]). They are written in one step, and only if nobody else has moved it meanwhile; so
/// what was read is what it still was, any process may do it, and one that dies in between has done nothing.
/// There is no consumer group, so nothing is held back from trimming: entries that are trimmed before anybody came to them are not in it.
///
/// All keys share the stream's slot: `{stream}:<name>` has the place, `{stream}:<name>:<key>` are the hashes.
#[derive(Clone)]
pub struct Projection {
    pool: Pool,
    admin: Admin,
    keys: Keys,
    name: String,
}

impl fmt::Debug for Projection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Projection")
            .field("endpoint", self.pool.endpoint())
            .field("stream", &self.keys.stream())
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A hash as it is to be from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// Which one.
    pub key: String,
    /// All of its fields, at most a thousand; without any it is deleted.
    pub fields: Vec<(Bytes, Bytes)>,
    /// For how long it is kept from now on.
    pub kept: Duration,
}

impl Projection {
    /// The projection of this name, of a stream.
    pub fn new(
        endpoint: &Endpoint,
        prefix: impl Into<String>,
        stream: &str,
        name: impl Into<String>,
    ) -> Result<Self, Error> {
        let prefix = prefix.into();
        Ok(Self {
            pool: Pool::new(endpoint, 4, Duration::from_secs(5))?,
            admin: Admin::new(endpoint, prefix.clone())?,
            keys: Keys::new(&prefix, stream)?,
            name: name.into(),
        })
    }

    /// The last entry that is in it; `None` where it has not begun.
    pub async fn place(&self) -> Result<Option<EntryId>, Error> {
        let key = self.keys.projection(&self.name, None);
        let mut command = redis::cmd("HGET");
        command.arg(&key).arg("at");
        let tried = "read the place of";
        let reply = self.pool.command(&command).await?;
        match reply.map_err(Error::command(tried, &key))? {
            redis::Value::Nil => Ok(None),
            reply => reply::id(&reply)
                .map(Some)
                .ok_or_else(Error::answer(tried, &key)),
        }
    }

    /// At most `count` entries behind a place, oldest first.
    pub async fn entries(&self, after: Option<EntryId>, count: usize) -> Result<Vec<Entry>, Error> {
        self.admin
            .oldest(self.keys.name(), false, after, count)
            .await
    }

    /// Hashes as they are, in the same order; one that is not there is empty.
    pub async fn read(&self, keys: &[&str]) -> Result<Vec<Fields>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut pipeline = Pipeline::new();
        for key in keys {
            pipeline
                .cmd("HGETALL")
                .arg(self.keys.projection(&self.name, Some(key)));
        }
        let whole = self.keys.projection(&self.name, None);
        let tried = "read";
        let reply = self.pool.query(&pipeline).await?;
        let reply = reply.map_err(Error::command(tried, &whole))?;
        let fields = reply.into_iter().map(reply::fields);
        fields
            .collect::<Option<Vec<_>>>()
            .ok_or_else(Error::answer(tried, &whole))
    }

    /// Moves it from one place to a later one and replaces these hashes, in one step. `false`, and nothing is written, if it is no longer
    /// where it was: somebody else has moved it.
    pub async fn advance(
        &self,
        from: Option<EntryId>,
        to: EntryId,
        hashes: &[Replaced],
    ) -> Result<bool, Error> {
        let whole = self.keys.projection(&self.name, None);
        let mut keys = vec![whole.clone()];
        keys.extend(
            hashes
                .iter()
                .map(|hash| self.keys.projection(&self.name, Some(&hash.key))),
        );
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut call = FOLD.call(&keys);
        call.arg(from.map(|id| id.to_string()).unwrap_or_default())
            .arg(to.to_string());
        for hash in hashes {
            call.arg(millis(hash.kept)).arg(hash.fields.len());
            for (name, value) in &hash.fields {
                call.arg(name.as_ref()).arg(value.as_ref());
            }
        }
        let tried = "move on";
        let reply = self.pool.script(&FOLD, &call).await?;
        let reply = reply.map_err(Error::command(tried, &whole))?;
        reply::number(&reply)
            .map(|moved| moved == 1)
            .ok_or_else(Error::answer(tried, &whole))
    }
}
