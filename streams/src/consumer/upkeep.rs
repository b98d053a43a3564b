use std::time::Duration;

use redis::{RedisResult, Value};

use crate::admin::millis;
use crate::link::Link;
use crate::script::{HOUSEKEEP, LEAVE, SEEN, TEND};
use crate::{ConsumerConfig, Entry, EntryId, Keys, reply};

use super::work::Mark;

/// How many due messages one tick moves back; more are moved at once in the next one.
const MOVE: usize = 200;

/// What one tick shall do.
pub(super) struct Tend {
    pub(super) consumer: String,
    /// Entries in hand whose leases are to be renewed; all that are in hand if `whole`.
    pub(super) held: Vec<EntryId>,
    pub(super) whole: bool,
    /// The fence token as it was last learned; empty if it is not known.
    pub(super) token: String,
    /// How many to take over at most.
    pub(super) want: usize,
    /// One that is to be handled alone may be among them: 1 yes, 0 only if nobody else took it for long, -1 no.
    pub(super) suspects: i8,
    /// Look for own pending entries that are not in hand; `true` inside if that counts as a delivery.
    pub(super) recover: Option<bool>,
}

/// What came of it.
#[derive(Default)]
pub(super) struct Tended {
    /// Entries that are no longer ours.
    pub(super) lost: Vec<EntryId>,
    /// Entries that are ours now, with Redis's delivery count.
    pub(super) found: Vec<(Entry, u32, Found)>,
    /// Until the next delayed message is due.
    pub(super) due_in: Option<Duration>,
    /// How many delayed messages were moved back.
    pub(super) moved: u64,
    pub(super) vanished: u64,
    /// The fence token; empty if there is none.
    pub(super) token: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Own,
    Taken,
}

fn unexpected(script: &'static str) -> redis::RedisError {
    redis::RedisError::from((redis::ErrorKind::UnexpectedReturnType, script))
}

impl Tend {
    pub(super) async fn run(
        &self,
        link: &mut Link,
        config: &ConsumerConfig,
        keys: &Keys,
    ) -> RedisResult<Tended> {
        let mut call = TEND.call(&[keys.stream(), &keys.delayed(), &keys.fence()]);
        let flag = |yes: bool| if yes { "1" } else { "0" };
        call.arg(&config.group)
            .arg(&self.consumer)
            .arg(millis(config.lease))
            .arg(self.want)
            .arg(config.quarantine_from)
            .arg(MOVE)
            .arg(flag(self.recover.is_some()))
            .arg(flag(self.recover == Some(true)))
            .arg(&self.token)
            .arg(self.suspects);
        for id in &self.held {
            call.arg(id.to_string());
        }
        let value = TEND.run(link, &call).await?;
        tended(value).ok_or_else(|| unexpected("tend script"))
    }
}

fn tended(value: Value) -> Option<Tended> {
    let mut parts = reply::array(value)?.into_iter();
    let lost = reply::array(parts.next()?)?;
    let found = reply::array(parts.next()?)?.into_iter().map(|item| {
        let mut item = reply::array(item)?.into_iter();
        let id = reply::id(&item.next()?)?;
        let fields = reply::fields(item.next()?)?;
        let count = u32::try_from(reply::number(&item.next()?)?).unwrap_or(u32::MAX);
        let kind = match reply::text(item.next()?)?.as_str() {
            "own" => Found::Own,
            _ => Found::Taken,
        };
        Some((Entry { id, fields }, count, kind))
    });
    let found = found.collect::<Option<Vec<_>>>()?;
    let due_in = reply::number(&parts.next()?).map(Duration::from_millis);
    let moved = reply::number(&parts.next()?)?;
    Some(Tended {
        lost: lost.iter().map(reply::id).collect::<Option<_>>()?,
        found,
        due_in,
        moved,
        vanished: reply::number(&parts.next()?)?,
        token: reply::text(parts.next()?)?,
    })
}

/// What housekeeping found.
#[derive(Default)]
pub(super) struct Housekept {
    pub(super) deleted: Vec<String>,
    pub(super) trimmed: u64,
    pub(super) groups: Vec<GroupState>,
}

pub(super) struct GroupState {
    pub(super) name: String,
    pub(super) consumers: u64,
    pub(super) pending: u64,
    pub(super) lag: Option<u64>,
}

pub(super) async fn housekeep(
    link: &mut Link,
    config: &ConsumerConfig,
    keys: &Keys,
    consumer: &str,
    about: &str,
) -> RedisResult<Housekept> {
    let dead_after = (config.lease * 3).max(config.housekeeping * 3);
    let mut call = HOUSEKEEP.call(&[
        keys.stream(),
        &keys.workers(),
        &keys.cursor(),
        &keys.fence(),
        &keys.order(&config.group),
        &keys.turn(&config.group),
        &keys.parked(&config.group),
        &keys.parked(""),
    ]);
    call.arg(&config.group)
        .arg(consumer)
        .arg(about)
        .arg(millis(dead_after))
        .arg(millis(config.retention));
    let value = HOUSEKEEP.run(link, &call).await?;
    housekept(value).ok_or_else(|| unexpected("housekeeping script"))
}

fn housekept(value: Value) -> Option<Housekept> {
    let mut parts = reply::array(value)?.into_iter();
    let deleted = reply::array(parts.next()?)?.into_iter().map(reply::text);
    let deleted = deleted.collect::<Option<_>>()?;
    let trimmed = reply::number(&parts.next()?)?;
    let groups = reply::array(parts.next()?)?.into_iter().map(|group| {
        let mut group = reply::array(group)?.into_iter();
        Some(GroupState {
            name: reply::text(group.next()?)?,
            consumers: reply::number(&group.next()?)?,
            pending: reply::number(&group.next()?)?,
            lag: reply::number(&group.next()?),
        })
    });
    Some(Housekept {
        deleted,
        trimmed,
        groups: groups.collect::<Option<_>>()?,
    })
}

/// Which of these marks have taken effect already.
pub(super) async fn seen(
    link: &mut Link,
    config: &ConsumerConfig,
    keys: &Keys,
    marks: &[Mark],
) -> RedisResult<Vec<bool>> {
    let seen = keys.seen();
    let mut call = SEEN.call(&[&seen]);
    call.arg(millis(config.dedup_window));
    for mark in marks {
        call.arg(&mark.0[..]);
    }
    let value = SEEN.run(link, &call).await?;
    let flags = reply::array(value).ok_or_else(|| unexpected("seen script"))?;
    Ok(flags
        .iter()
        .map(|flag| reply::number(flag) == Some(1))
        .collect())
}

/// Hands back what is pending except `keep`, and leaves the group if nothing is kept. Returns how many were handed back.
pub(super) async fn leave(
    link: &mut Link,
    config: &ConsumerConfig,
    keys: &Keys,
    consumer: &str,
    keep: &[EntryId],
) -> RedisResult<u64> {
    let mut call = LEAVE.call(&[keys.stream(), &keys.workers(), &keys.fence()]);
    // Other replicas may have another lease during a deployment.
    call.arg(&config.group)
        .arg(consumer)
        .arg(millis(config.lease * 8));
    for id in keep {
        call.arg(id.to_string());
    }
    let value = LEAVE.run(link, &call).await?;
    reply::number(&value).ok_or_else(|| unexpected("leave script"))
}
