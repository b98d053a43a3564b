use std::collections::HashMap;
use std::time::Duration;

use redis::{Pipeline, Value};

use crate::pool::Pool;
use crate::{EntryId, Error, Keys, reply};

/// The state of a stream and of everything that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StreamStatus {
    /// Its name, without the prefix.
    pub stream: String,
    /// How many entries it holds, handled ones within the retention included.
    pub length: u64,
    /// How old its oldest entry is; `None` if it is empty.
    pub oldest_entry_age: Option<Duration>,
    /// How many dead letters wait for a decision, those of the urgent lane included.
    pub dead_letters: u64,
    /// How many retries and scheduled messages are not yet due.
    pub delayed: u64,
    /// Its consumer groups.
    pub groups: Vec<GroupStatus>,
    /// Its urgent lane; `None` if nothing ever came by it.
    pub urgent: Option<LaneStatus>,
}

/// The state of what a stream's urgent lane has for itself; the members are those of [`StreamStatus`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LaneStatus {
    /// How many entries it holds.
    pub length: u64,
    /// How old its oldest entry is.
    pub oldest_entry_age: Option<Duration>,
    /// How many of its messages are not yet due.
    pub delayed: u64,
    /// The consumer groups that read it.
    pub groups: Vec<GroupStatus>,
}

impl LaneStatus {
    /// Consumers create their group before anybody uses the lane; what is left of one that was used tells how far a group came.
    fn was_used(&self) -> bool {
        let has_come = |group: &GroupStatus| group.last_delivered != EntryId::ZERO;
        self.length > 0 || self.delayed > 0 || self.groups.iter().any(has_come)
    }
}

/// The state of a consumer group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupStatus {
    /// Its name.
    pub group: String,
    /// How many entries were not yet delivered to it. Redis does not always know (after an entry was deleted unread, or for a
    /// group made in mid-stream); then it is counted here, up to a limit of 10,000, and `None` beyond that. What Redis says is
    /// counted again up to 1000, since it may be too high after a restart; beyond that it is at most the stream's length.
    pub lag: Option<u64>,
    /// How many were delivered and not yet acknowledged.
    pub pending: u64,
    /// How many wait for their turn behind a message with the same ordering key. They are neither pending nor in the lag.
    pub parked: u64,
    /// For how long the longest-waiting of the pending ones had no sign of life; `None` if none is pending. Looks at the
    /// oldest 1000.
    pub oldest_pending_idle: Option<Duration>,
    /// How many of the oldest 1000 pending ones had no sign of life for a whole lease ([`super::Admin::lease`]): whoever comes may take
    /// them over.
    pub claimable: u64,
    /// How old the oldest entry is that is not acknowledged, delivered or not; `None` if there is none.
    pub oldest_unacknowledged: Option<Duration>,
    /// The last entry delivered.
    pub last_delivered: EntryId,
    /// Its consumers.
    pub consumers: Vec<ConsumerStatus>,
}

impl GroupStatus {
    /// How much work is there, for a scaler: what is not yet delivered, what is in hand, and what waits for its turn.
    /// `None` if not known.
    pub fn backlog(&self) -> Option<u64> {
        self.lag.map(|lag| lag + self.pending + self.parked)
    }
}

/// The state of one consumer of a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConsumerStatus {
    /// Its name.
    pub name: String,
    /// How many entries it has in hand.
    pub pending: u64,
    /// Since it last read something; on Redis 7.0 an empty read does not count.
    pub idle: Duration,
    /// Since it last said "alive"; `None` if it never did: it has left, or is not one of ours.
    pub heartbeat: Option<Duration>,
    /// Host, process id and version, as registered.
    pub about: String,
}

/// Redis counts up to here when it has to.
const COUNTED: usize = 10_000;
/// And up to here when it says that it knows: `lag` is too high for ever once Redis was restarted after its append-only file was
/// rewritten, or a replica took over, because `entries-read` then stays behind (seen with 7.0.15).
const VERIFIED: usize = 1000;

pub(super) async fn read(pool: &Pool, keys: &Keys, lease: Duration) -> Result<StreamStatus, Error> {
    let tried = "read the state of";
    let answer = || Error::answer(tried, keys.stream());
    // TIME has no key: in a cluster it may be another node's, which is near enough for an age.
    let time = pool.command(&redis::cmd("TIME")).await?;
    let time = reply::array(time.map_err(Error::command(tried, keys.stream()))?);
    let time = time.ok_or_else(answer())?;
    let part = |at: usize| time.get(at).and_then(reply::number);
    let now = part(0).ok_or_else(answer())? * 1000 + part(1).ok_or_else(answer())? / 1000;

    let urgent = keys.urgent();
    let mut pipeline = Pipeline::new();
    pipeline.cmd("XLEN").arg(keys.dead());
    pipeline.cmd("EXISTS").arg(urgent.stream());
    pipeline.cmd("ZCARD").arg(urgent.delayed());
    let values = pool.query(&pipeline).await?;
    let values = values.map_err(Error::command(tried, keys.stream()))?;
    let numbers: Option<Vec<_>> = values.iter().map(reply::number).collect();
    let Some(&[dead_letters, exists, delayed]) = numbers.as_deref() else {
        return Err(answer()());
    };
    let usual = lane(pool, keys, (now, lease)).await?;
    let urgent = if exists + delayed == 0 {
        None
    } else {
        Some(lane(pool, &urgent, (now, lease)).await?)
    };
    Ok(StreamStatus {
        stream: keys.name().to_string(),
        length: usual.length,
        oldest_entry_age: usual.oldest_entry_age,
        dead_letters,
        delayed: usual.delayed,
        groups: usual.groups,
        urgent: urgent.filter(LaneStatus::was_used),
    })
}

/// What one lane has for itself; `now` is the server's time in milliseconds.
async fn lane(
    pool: &Pool,
    keys: &Keys,
    (now, lease): (u64, Duration),
) -> Result<LaneStatus, Error> {
    let key = keys.stream();
    let tried = "read the state of";
    let answer = || Error::answer(tried, key);
    let mut pipeline = Pipeline::new();
    pipeline
        .cmd("EXISTS")
        .arg(key)
        .cmd("XLEN")
        .arg(key)
        .cmd("XRANGE")
        .arg(key)
        .arg("-")
        .arg("+")
        .arg("COUNT")
        .arg(1)
        .cmd("ZCARD")
        .arg(keys.delayed())
        .cmd("HGETALL")
        .arg(keys.workers());
    let values = pool.query(&pipeline).await?;
    let values = values.map_err(Error::command(tried, key))?;
    let [exists, length, first, delayed, workers] =
        <[Value; 5]>::try_from(values).map_err(|_| answer()())?;
    let mut status = LaneStatus {
        length: reply::number(&length).ok_or_else(answer())?,
        oldest_entry_age: reply::array(first)
            .and_then(|entries| reply::entry(entries.into_iter().next()?)?.ok())
            .map(|entry| Duration::from_millis(now.saturating_sub(entry.id.ms))),
        delayed: reply::number(&delayed).ok_or_else(answer())?,
        groups: Vec::new(),
    };
    if reply::number(&exists) != Some(1) {
        return Ok(status);
    }
    let registry = registry(workers);
    let mut command = redis::cmd("XINFO");
    command.arg("GROUPS").arg(key);
    let groups = pool.command(&command).await?;
    let groups = match groups {
        Ok(groups) => groups,
        // Deleted since the first question.
        Err(error) if error.to_string().contains("no such key") => return Ok(status),
        Err(error) => return Err(Error::command(tried, key)(error)),
    };
    for info in reply::array(groups).ok_or_else(answer())? {
        let info = reply::array(info).ok_or_else(answer())?;
        let group = reply::member(&info, "name").cloned().and_then(reply::text);
        let group = group.ok_or_else(answer())?;
        let last_delivered = reply::member(&info, "last-delivered-id")
            .and_then(reply::id)
            .unwrap_or_default();
        let lag = reply::member(&info, "lag").and_then(reply::number);
        let pending = reply::member(&info, "pending").and_then(reply::number);
        let mut of_group = GroupStatus {
            lag,
            pending: pending.unwrap_or(0),
            last_delivered,
            ..GroupStatus::default()
        };
        complete(
            pool,
            keys,
            &group,
            &registry,
            (now, status.length, lease),
            &mut of_group,
        )
        .await?
        .map_err(Error::command(tried, key))?;
        of_group.group = group;
        status.groups.push(of_group);
    }
    Ok(status)
}

/// What one more round trip tells about a group.
async fn complete(
    pool: &Pool,
    keys: &Keys,
    group: &str,
    registry: &HashMap<String, (u64, String)>,
    (now, length, lease): (u64, u64, Duration),
    status: &mut GroupStatus,
) -> Result<redis::RedisResult<()>, Error> {
    let mut pipeline = Pipeline::new();
    pipeline
        .cmd("XINFO")
        .arg("CONSUMERS")
        .arg(keys.stream())
        .arg(group)
        .cmd("ZCARD")
        .arg(keys.parked(group))
        .cmd("XPENDING")
        .arg(keys.stream())
        .arg(group)
        .arg("-")
        .arg("+")
        .arg(1000);
    let counted = match status.lag {
        None => COUNTED,
        Some(0) => 0,
        Some(_) => VERIFIED,
    };
    if counted > 0 {
        pipeline
            .cmd("XRANGE")
            .arg(keys.stream())
            .arg(format!("({}", status.last_delivered))
            .arg("+")
            .arg("COUNT")
            .arg(counted + 1);
    }
    let values = match pool.query(&pipeline).await? {
        Ok(values) => values,
        Err(error) => return Ok(Err(error)),
    };
    let mut values = values.into_iter();
    let consumers = values.next().and_then(reply::array).unwrap_or_default();
    let parked = values.next().as_ref().and_then(reply::number);
    status.parked = parked.unwrap_or(0);
    for info in consumers.into_iter().filter_map(reply::array) {
        let name = reply::member(&info, "name").cloned().and_then(reply::text);
        let name = name.unwrap_or_default();
        let count = |member| reply::member(&info, member).and_then(reply::number);
        let registered = registry.get(&format!("{group}/{name}"));
        status.consumers.push(ConsumerStatus {
            pending: count("pending").unwrap_or(0),
            idle: Duration::from_millis(count("idle").unwrap_or(0)),
            heartbeat: registered
                .filter(|(beat, _)| *beat > 0)
                .map(|(beat, _)| Duration::from_millis(now.saturating_sub(*beat))),
            about: registered
                .map(|(_, about)| about.clone())
                .unwrap_or_default(),
            name,
        });
    }
    let pending = values.next().and_then(reply::array).unwrap_or_default();
    // Each is an id, a consumer, milliseconds without a sign of life, and a count; the oldest id comes first.
    let pending: Vec<_> = pending.into_iter().filter_map(reply::array).collect();
    let mut oldest = pending.first().and_then(|entry| reply::id(entry.first()?));
    let idle = |entry: &Vec<Value>| entry.get(2).and_then(reply::number);
    let idle: Vec<_> = pending.iter().filter_map(idle).collect();
    let lease = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
    status.claimable = idle.iter().filter(|idle| **idle >= lease).count() as u64;
    status.oldest_pending_idle = idle.into_iter().max().map(Duration::from_millis);
    if let Some(rest) = values.next().and_then(reply::array) {
        let next = rest.first().cloned().and_then(reply::entry);
        let next = next.and_then(Result::ok).map(|entry| entry.id);
        oldest = oldest.into_iter().chain(next).min();
        if rest.len() <= counted {
            status.lag = Some(rest.len() as u64);
        } else {
            status.lag = status.lag.map(|lag| lag.min(length));
        }
    }
    let age = |id: EntryId| Duration::from_millis(now.saturating_sub(id.ms));
    status.oldest_unacknowledged = oldest.map(age);
    Ok(Ok(()))
}

/// From `group/consumer` to the time of the last heartbeat and the rest.
fn registry(workers: Value) -> HashMap<String, (u64, String)> {
    let mut items = reply::array(workers).unwrap_or_default().into_iter();
    let mut registry = HashMap::new();
    while let (Some(name), Some(value)) = (items.next(), items.next()) {
        if let (Some(name), Some(value)) = (reply::text(name), reply::text(value)) {
            let (beat, about) = value.split_once(' ').unwrap_or((&value, ""));
            let about: Vec<&str> = about.split(' ').take(3).collect();
            registry.insert(name, (beat.parse().unwrap_or(0), about.join(" ")));
        }
    }
    registry
}
