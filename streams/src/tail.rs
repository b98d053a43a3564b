use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::backoff::Pauses;
use crate::link::Link;
use crate::{Endpoint, Entry, EntryId, Error, Keys, reply};

const BLOCK: Duration = Duration::from_secs(2);
const RESPONSE: Duration = Duration::from_secs(5);

/// Follows streams as they grow, without a group and without acknowledging anything. Has a connection of its own, which it
/// replaces when it breaks, and then goes on after the last entry it saw.
#[derive(Debug)]
pub struct Tail {
    entries: mpsc::Receiver<(Arc<str>, Entry)>,
    // Ends the readers when the tail is dropped.
    _readers: JoinSet<()>,
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// With the oldest entry there is.
    Beginning,
    /// With the next one that is appended.
    Now,
    /// After this one.
    After(EntryId),
}

struct Cursor {
    keys: Keys,
    last: EntryId,
}

impl Tail {
    /// Begins to follow; what is appended from now on will be seen.
    pub async fn open(
        endpoint: &Endpoint,
        prefix: &str,
        streams: &[&str],
        from: From,
    ) -> Result<Self, Error> {
        let failed = |source| Error::connecting(endpoint, source);
        let mut link = Link::open(endpoint, BLOCK + RESPONSE)
            .await
            .map_err(failed)?;
        let mut cursors = Vec::with_capacity(streams.len());
        for stream in streams {
            let keys = Keys::new(prefix, stream)?;
            let last = match from {
                From::Beginning => EntryId::ZERO,
                From::After(id) => id,
                // `$` itself would skip what comes in while a broken connection is replaced.
                From::Now => last_id(&mut link, keys.stream()).await?,
            };
            cursors.push(Cursor { keys, last });
        }
        let (sender, entries) = mpsc::channel(1024);
        let mut readers = JoinSet::new();
        if endpoint.is_cluster() {
            // Streams in different slots cannot be read by one command.
            for cursor in cursors {
                readers.spawn(follow(endpoint.clone(), None, vec![cursor], sender.clone()));
            }
        } else if !cursors.is_empty() {
            readers.spawn(follow(endpoint.clone(), Some(link), cursors, sender));
        }
        Ok(Self {
            entries,
            _readers: readers,
        })
    }

    /// The next entry of any of the streams, with the stream's name without its prefix. Waits for as long as it takes; `None`
    /// only if there is no stream to follow. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Option<(Arc<str>, Entry)> {
        self.entries.recv().await
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} after {}", self.keys.stream(), self.last)
    }
}

async fn last_id(link: &mut Link, key: &str) -> Result<EntryId, Error> {
    let mut command = redis::cmd("XREVRANGE");
    command.arg(key).arg("+").arg("-").arg("COUNT").arg(1);
    let reply = command.query_async::<redis::Value>(link).await;
    let entries = reply::array(reply.map_err(Error::command("read the end of", key))?);
    let last = entries.and_then(|entries| reply::entry(entries.into_iter().next()?)?.ok());
    Ok(last.map(|entry| entry.id).unwrap_or_default())
}

async fn follow(
    endpoint: Endpoint,
    mut link: Option<Link>,
    mut cursors: Vec<Cursor>,
    entries: mpsc::Sender<(Arc<str>, Entry)>,
) {
    let mut pauses = Pauses::new(Duration::from_millis(50), Duration::from_secs(5));
    while !entries.is_closed() {
        let mut open = match link.take() {
            Some(link) => link,
            None => match Link::open(&endpoint, BLOCK + RESPONSE).await {
                Ok(link) => link,
                Err(error) => {
                    tracing::debug!(%endpoint, %error, "cannot follow streams; trying again");
                    tokio::time::sleep(pauses.next_pause()).await;
                    continue;
                }
            },
        };
        match read(&mut open, &cursors).await {
            Ok(found) => {
                pauses.reset();
                link = Some(open);
                for (key, batch) in found {
                    let Some(cursor) = cursors.iter_mut().find(|c| c.keys.stream() == key) else {
                        continue;
                    };
                    for entry in batch {
                        cursor.last = entry.id;
                        let item = (cursor.keys.name().clone(), entry);
                        if entries.send(item).await.is_err() {
                            return;
                        }
                    }
                }
            }
            Err(error) => {
                tracing::debug!(%endpoint, %error, "a followed stream could not be read; reconnecting");
                tokio::time::sleep(pauses.next_pause()).await;
            }
        }
    }
}

async fn read(
    link: &mut Link,
    cursors: &[Cursor],
) -> redis::RedisResult<Vec<(String, Vec<Entry>)>> {
    let mut command = redis::cmd("XREAD");
    command.arg("COUNT").arg(256);
    command.arg("BLOCK").arg(crate::admin::millis(BLOCK));
    command.arg("STREAMS");
    for cursor in cursors {
        command.arg(cursor.keys.stream());
    }
    for cursor in cursors {
        command.arg(cursor.last.to_string());
    }
    let value = command.query_async::<redis::Value>(link).await?;
    Ok(reply::streams(value).unwrap_or_default())
}
