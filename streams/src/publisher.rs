use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use redis::{Cmd, Pipeline, RedisResult, Value};

use crate::link::Link;
use crate::pool::Pool;
use crate::script::APPEND;
use crate::{Endpoint, EntryId, Error, Keys, Outgoing, reply};

/// The most fields a message may have: what fits into one call inside a script.
pub(crate) const MAX_FIELDS: usize = 1000;
/// Enough messages for one call of a script; more would keep Redis from its other clients.
const MOST_AT_ONCE: usize = 256;

/// Appends messages to streams from outside a handler, through a pool of connections. Clones share the pool.
#[derive(Clone)]
pub struct Publisher {
    pool: Pool,
    prefix: String,
    max_bytes: usize,
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("endpoint", self.pool.endpoint())
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl Publisher {
    /// A publisher with at most four connections, made when they are needed. `prefix` as in [`crate::ConsumerConfig::prefix`].
    pub fn new(endpoint: &Endpoint, prefix: impl Into<String>) -> Result<Self, Error> {
        Ok(Self {
            pool: Pool::new(endpoint, 4, Duration::from_secs(5))?,
            prefix: prefix.into(),
            max_bytes: 1024 * 1024,
        })
    }

    /// Refuses messages of more bytes than this (default 1 MiB, the limit at which consumers set a message aside).
    #[must_use]
    pub fn max_bytes(mut self, limit: usize) -> Self {
        self.max_bytes = limit;
        self
    }

    /// Appends these messages in one round trip (in a cluster: one for each stream), and returns their ids in the same order.
    ///
    /// # Errors
    /// Nothing is sent if one of them is too large or empty. After a lost connection it is unknown which of them were appended:
    /// publish them again with the same ids of their own, and their receivers take the second ones for duplicates.
    pub async fn publish(&self, messages: &[Outgoing]) -> Result<Vec<EntryId>, Error> {
        let mut groups: Vec<(Keys, Vec<usize>)> = Vec::new();
        for (at, message) in messages.iter().enumerate() {
            check(message, self.max_bytes)?;
            let group = groups.iter_mut().find(|(keys, _)| {
                **keys.name() == *message.stream && keys.is_urgent() == message.urgent
            });
            if let Some((_, members)) = group {
                members.push(at);
            } else {
                let keys = Keys::new(&self.prefix, &message.stream)?;
                let keys = if message.urgent { keys.urgent() } else { keys };
                groups.push((keys, vec![at]));
            }
        }
        let mut ids = vec![EntryId::ZERO; messages.len()];
        if messages.is_empty() {
            return Ok(ids);
        }
        if self.pool.endpoint().is_cluster() {
            for (keys, members) in &groups {
                let key = keys.stream();
                for part in members.chunks(MOST_AT_ONCE) {
                    let call = append_together(key, part.iter().map(|&at| &messages[at]));
                    let reply = self.pool.script(&APPEND, &call).await?;
                    let reply = reply.map_err(Error::command("append to", key))?;
                    let replies = reply::array(reply).unwrap_or_default();
                    place(&mut ids, part.iter().copied(), &replies)
                        .ok_or_else(Error::answer("append to", key))?;
                }
            }
            return Ok(ids);
        }
        let mut pipeline = Pipeline::new();
        for (keys, members) in &groups {
            for &at in members {
                append(&mut pipeline, keys.stream(), &messages[at]);
            }
        }
        let key = groups[0].0.stream();
        let replies = self.pool.query(&pipeline).await?;
        let replies = replies.map_err(Error::command("append to", key))?;
        let order = groups.iter().flat_map(|(_, members)| members);
        place(&mut ids, order.copied(), &replies).ok_or_else(Error::answer("append to", key))?;
        Ok(ids)
    }
}

/// Puts the ids where their messages stood. `None` unless there is one for each.
fn place(
    ids: &mut [EntryId],
    places: impl Iterator<Item = usize>,
    replies: &[Value],
) -> Option<()> {
    let mut replies = replies.iter();
    for at in places {
        ids[at] = reply::id(replies.next()?)?;
    }
    Some(())
}

pub(crate) fn check(message: &Outgoing, max_bytes: usize) -> Result<(), Error> {
    let stream = || message.stream.clone();
    if message.fields.is_empty() {
        return Err(Error::Empty { stream: stream() });
    }
    if message.fields.len() > MAX_FIELDS {
        return Err(Error::TooLarge {
            stream: stream(),
            what: format!("{} fields", message.fields.len()),
            limit: MAX_FIELDS,
        });
    }
    let bytes = message.byte_len();
    if bytes > max_bytes {
        return Err(Error::TooLarge {
            stream: stream(),
            what: format!("{bytes} bytes"),
            limit: max_bytes,
        });
    }
    Ok(())
}

pub(crate) fn append(pipeline: &mut Pipeline, key: &str, message: &Outgoing) {
    let command = pipeline.cmd("XADD").arg(key).arg("*");
    for (name, value) in &message.fields {
        command.arg(name.as_ref()).arg(value.as_ref());
    }
}

/// Appends messages of at most [`MAX_FIELDS`] fields to their keys, with one command for each key.
pub(crate) async fn append_to_each<'a>(
    link: &mut Link,
    messages: impl IntoIterator<Item = &'a (String, Outgoing)>,
) -> RedisResult<()> {
    let mut of_key: BTreeMap<&str, Vec<&Outgoing>> = BTreeMap::new();
    for (key, message) in messages {
        of_key.entry(key).or_default().push(message);
    }
    for (key, messages) in of_key {
        let call = append_together(key, messages);
        APPEND.run(link, &call).await?;
    }
    Ok(())
}

/// One command for messages of at most [`MAX_FIELDS`] fields each.
pub(crate) fn append_together<'a>(
    key: &str,
    messages: impl IntoIterator<Item = &'a Outgoing>,
) -> Cmd {
    let mut call = APPEND.call(&[key]);
    for message in messages {
        call.arg(message.fields.len() * 2);
        for (name, value) in &message.fields {
            call.arg(name.as_ref()).arg(value.as_ref());
        }
    }
    call
}
