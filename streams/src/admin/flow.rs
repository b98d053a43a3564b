//! How much goes through a stream: what a live view makes its rates and its sparkline of.

use std::time::Duration;

use crate::pool::Pool;
use crate::script::FLOW;
use crate::{Error, Keys, reply};

/// How much has gone through a stream, its urgent lane included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flow {
    /// The stream's name, without the prefix.
    pub stream: String,
    /// How many entries were ever added; retries and scheduled messages count again when they are due.
    pub added: u64,
    /// The same for its consumer groups.
    pub groups: Vec<GroupFlow>,
}

/// How much a consumer group has done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupFlow {
    /// Its name.
    pub group: String,
    /// How many entries it has done with. Only the difference of two is to be trusted: after a restart of Redis it may be off by a
    /// constant. `None` where Redis does not know.
    pub done: Option<u64>,
    /// How old the oldest message is that it has not done with: in hand, parked or not yet delivered. `None` if there is none.
    pub oldest: Option<Duration>,
}

pub(super) async fn read(pool: &Pool, keys: &Keys) -> Result<Flow, Error> {
    let mut flow = Flow {
        stream: keys.name().to_string(),
        ..Flow::default()
    };
    add(pool, keys, &mut flow).await?;
    add(pool, &keys.urgent(), &mut flow).await?;
    Ok(flow)
}

/// Adds what one lane has.
async fn add(pool: &Pool, keys: &Keys, flow: &mut Flow) -> Result<(), Error> {
    let tried = "read the flow of";
    let call = FLOW.call(&[keys.stream(), &keys.parked("")]);
    let reply = pool.script(&FLOW, &call).await?;
    let reply = reply.map_err(Error::command(tried, keys.stream()))?;
    let added = lane(reply, flow);
    added.ok_or_else(Error::answer(tried, keys.stream()))
}

fn lane(reply: redis::Value, flow: &mut Flow) -> Option<()> {
    let mut parts = reply::array(reply)?.into_iter();
    let now = reply::number(&parts.next()?)?;
    let added = reply::number(&parts.next()?)?;
    flow.added += added;
    for group in parts {
        let group = reply::array(group)?;
        let name = reply::text(group.first()?.clone())?;
        let pending = reply::number(group.get(1)?)?;
        let lag = reply::number(group.get(2)?);
        let done = lag.map(|lag| added.saturating_sub(lag).saturating_sub(pending));
        let oldest = reply::id(group.get(3)?);
        let oldest = oldest.map(|id| Duration::from_millis(now.saturating_sub(id.ms)));
        match flow.groups.iter_mut().find(|known| known.group == name) {
            Some(known) => {
                known.done = known.done.zip(done).map(|(a, b)| a + b);
                known.oldest = known.oldest.max(oldest);
            }
            None => flow.groups.push(GroupFlow {
                group: name,
                done,
                oldest,
            }),
        }
    }
    Some(())
}
