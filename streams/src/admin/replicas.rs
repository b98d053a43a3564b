//! The service registry, read: who works on a stream, since when, and what each one holds.

use std::collections::BTreeMap;
use std::time::Duration;

use redis::Value;

use crate::pool::Pool;
use crate::script::REPLICAS;
use crate::{EntryId, Error, Keys, reply};

/// Of how many entries that a replica holds is told, for each lane.
const TOLD: usize = 10;

/// One consumer of one group, as the registry and the group know it; both lanes together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replica {
    /// The stream that it reads, without the prefix.
    pub stream: String,
    /// Its group.
    pub group: String,
    /// Its name in the group.
    pub name: String,
    /// Where it runs; empty if it is not registered.
    pub host: String,
    /// Its process id there.
    pub process: Option<u32>,
    /// What it says its version is; may be empty.
    pub version: String,
    /// How many messages it takes at a time; `None` if it did not say (a version before this one, or not one of ours).
    pub concurrency: Option<u32>,
    /// How long ago it started; `None` if it did not say.
    pub started: Option<Duration>,
    /// How long ago it last said "alive"; `None` if it never did, or has left.
    pub beat: Option<Duration>,
    /// It has ended in order, and what it handed back was not taken yet.
    pub has_left: bool,
    /// How many messages it holds.
    pub pending: u64,
    /// Some of them, the oldest first.
    pub held: Vec<Held>,
}

/// A message that a replica holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its entry.
    pub entry: EntryId,
    /// Whether it came by the urgent lane.
    pub urgent: bool,
    /// How old the entry is.
    pub age: Duration,
    /// Since its holder last renewed the lease.
    pub idle: Duration,
    /// How often it was delivered.
    pub deliveries: u64,
}

/// By group and name.
type Found = BTreeMap<(String, String), Replica>;

pub(super) async fn read(pool: &Pool, keys: &Keys) -> Result<Vec<Replica>, Error> {
    let mut found = Found::new();
    for keys in [keys.clone(), keys.urgent()] {
        let tried = "read the registry of";
        let mut call = REPLICAS.call(&[keys.stream(), &keys.workers()]);
        call.arg(TOLD);
        let reply = pool.script(&REPLICAS, &call).await?;
        let reply = reply.map_err(Error::command(tried, keys.stream()))?;
        let added = add(reply, &keys, &mut found);
        added.ok_or_else(Error::answer(tried, keys.stream()))?;
    }
    let replicas = found.into_values().map(|mut replica| {
        replica.held.sort_by_key(|held| held.entry);
        replica
    });
    Ok(replicas.collect())
}

/// Adds what one lane knows.
fn add(reply: Value, keys: &Keys, found: &mut Found) -> Option<()> {
    let mut parts = reply::array(reply)?.into_iter();
    let now = reply::number(&parts.next()?)?;
    for part in parts {
        let mut part = reply::array(part)?.into_iter();
        let group = reply::text(part.next()?)?;
        let name = reply::text(part.next()?)?;
        let registered = reply::text(part.next()?)?;
        let pending = reply::number(&part.next()?)?;
        let replica = found
            .entry((group.clone(), name.clone()))
            .or_insert_with(|| Replica {
                stream: keys.name().to_string(),
                group,
                name,
                ..Replica::default()
            });
        replica.learn(&registered, now);
        replica.pending += pending;
        for held in part {
            let held = reply::array(held)?;
            let entry = reply::id(held.first()?)?;
            replica.held.push(Held {
                entry,
                urgent: keys.is_urgent(),
                age: Duration::from_millis(now.saturating_sub(entry.ms)),
                idle: Duration::from_millis(reply::number(held.get(1)?)?),
                deliveries: reply::number(held.get(2)?)?,
            });
        }
    }
    Some(())
}

impl Replica {
    /// What stands in the registry ([`Keys::workers`]). Words that are missing or unreadable are not known: another version wrote it.
    fn learn(&mut self, registered: &str, now: u64) {
        let mut words = registered.split(' ');
        let Some(at) = words.next().and_then(|word| word.parse::<u64>().ok()) else {
            return;
        };
        if at == 0 {
            self.has_left = true;
            return;
        }
        let age = Duration::from_millis(now.saturating_sub(at));
        if self.beat.is_some_and(|beat| beat <= age) {
            return;
        }
        self.beat = Some(age);
        words.next().unwrap_or_default().clone_into(&mut self.host);
        self.process = words.next().and_then(|word| word.parse().ok());
        words
            .next()
            .unwrap_or_default()
            .clone_into(&mut self.version);
        self.concurrency = words.next().and_then(|word| word.parse().ok());
        let up = words.next().and_then(|word| word.parse().ok());
        self.started = up.map(|up| Duration::from_millis(up) + age);
    }
}
