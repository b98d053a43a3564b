use redis::RedisResult;
use redis::aio::ConnectionLike;

use crate::backoff::Pauses;
use crate::link::Link;
use crate::script::{APPEND, COMMIT, ENSURE, HOUSEKEEP, LEAVE, ORDER, SEEN, TEND, ensure_call};
use crate::{ConsumerConfig, Endpoint, Keys, reply};
use std::time::Duration;

/// The first and the longest nominal pause between attempts to reconnect.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(20);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// The pause before Sentinel is asked again for a master that takes writes.
pub(super) const BETWEEN_MASTERS: Duration = Duration::from_millis(500);

/// A connection for everything but the blocking read, with the scripts loaded and the group in place.
/// Also says whether the group had to be created.
pub(super) async fn open(
    endpoint: &Endpoint,
    config: &ConsumerConfig,
    keys: &Keys,
) -> RedisResult<(Link, Option<String>)> {
    let mut link = Link::open(endpoint, config.response_timeout).await?;
    if endpoint.is_cluster() {
        APPEND.load(&mut link).await?;
    }
    for lua in [&COMMIT, &TEND, &HOUSEKEEP, &LEAVE, &ORDER, &SEEN] {
        lua.load(&mut link).await?;
    }
    let created = ensure_group(&mut link, keys, &config.group).await?;
    Ok((link, created))
}

/// As [`open`], as often as it takes.
pub(super) async fn reopen(
    endpoint: Endpoint,
    config: ConsumerConfig,
    keys: Keys,
) -> (Link, Option<String>) {
    let mut pauses = Pauses::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        match open(&endpoint, &config, &keys).await {
            Ok(opened) => return opened,
            Err(error) => {
                let wait = pauses.next_pause();
                tracing::warn!(stream = %keys.name(), %endpoint, %error, ?wait, "Redis is not usable; trying again");
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// Creates the group if it is missing; says from where if so.
pub(super) async fn ensure_group(
    link: &mut (impl ConnectionLike + Send),
    keys: &Keys,
    group: &str,
) -> RedisResult<Option<String>> {
    let call = ensure_call(keys, group);
    let from = ENSURE.run(link, &call).await?;
    Ok(reply::text(from).filter(|from| !from.is_empty()))
}

/// Whether the group or the whole stream is gone.
pub(super) fn is_group_lost(error: &redis::RedisError) -> bool {
    // UNBLOCKED: the key was deleted under a blocking read.
    error
        .code()
        .is_some_and(|code| code == "NOGROUP" || code == "UNBLOCKED")
        || error.to_string().contains("NOGROUP")
}
