use redis::RedisResult;

use super::work::Work;
use crate::link::Link;
use crate::script::ORDER;
use crate::{ConsumerConfig, Keys, reply};

/// How many entries one question looks at; more than that is asked for in turn.
const LOOK: usize = 1000;

/// Whether a message with an ordering key may be handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is its turn.
    Go,
    /// It is parked, and no longer in hand.
    Wait,
    /// It is no longer pending.
    Gone,
}

/// Asks for these messages, in ascending order of their ids, each with an ordering key.
pub(super) async fn ask(
    link: &mut Link,
    config: &ConsumerConfig,
    keys: &Keys,
    consumer: &str,
    works: &[Work],
) -> RedisResult<Vec<Turn>> {
    let group = &config.group;
    let mut call = ORDER.call(&[
        keys.stream(),
        &keys.order(group),
        &keys.turn(group),
        &keys.parked(group),
    ]);
    call.arg(group)
        .arg(consumer)
        .arg(config.order_by.as_deref().unwrap_or_default())
        .arg(LOOK);
    for work in works {
        call.arg(work.id.to_string())
            .arg(work.entry.id.to_string())
            .arg(work.order.as_deref().unwrap_or_default());
    }
    let unexpected =
        || redis::RedisError::from((redis::ErrorKind::UnexpectedReturnType, "order script"));
    loop {
        let answer = ORDER.run(link, &call).await?;
        let mut answer = reply::array(answer).ok_or_else(unexpected)?.into_iter();
        let more = answer.next().as_ref().and_then(reply::number);
        if more.ok_or_else(unexpected)? == 1 {
            continue;
        }
        let turns = answer.map(|turn| match reply::text(turn)?.as_str() {
            "go" => Some(Turn::Go),
            "wait" => Some(Turn::Wait),
            "gone" => Some(Turn::Gone),
            _ => None,
        });
        return turns.collect::<Option<_>>().ok_or_else(unexpected);
    }
}
