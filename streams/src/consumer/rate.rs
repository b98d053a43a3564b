use std::time::Duration;

use redis::RedisResult;

use crate::link::Link;
use crate::script::RATE;
use crate::{ConsumerConfig, Keys, RateLimit, reply};

/// The permits of one reader, from a rate that the whole fleet shares.
#[derive(Debug)]
pub(super) struct Permits {
    /// Taken, not used, and to be given back with the next question.
    unused: usize,
    /// The last read found nothing: ask for one only, so that an idle replica keeps no permits from a busy one.
    idle: bool,
}

impl Default for Permits {
    fn default() -> Self {
        Self {
            unused: 0,
            idle: true,
        }
    }
}

/// How many messages may be read now, or when to ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Granted {
    Read(usize),
    Wait(Duration),
}

impl Permits {
    pub(super) async fn take(
        &mut self,
        link: &mut Link,
        config: &ConsumerConfig,
        keys: &Keys,
        limit: RateLimit,
        count: usize,
    ) -> RedisResult<Granted> {
        let wanted = if self.idle { 1 } else { count };
        let mut call = RATE.call(&[&keys.rate()]);
        call.arg(&config.group)
            .arg(wanted)
            .arg(1e6 / limit.per_second)
            .arg(limit.burst)
            .arg(self.unused);
        let unexpected =
            || redis::RedisError::from((redis::ErrorKind::UnexpectedReturnType, "rate script"));
        let answer = reply::array(RATE.run(link, &call).await?).ok_or_else(unexpected)?;
        let [granted, wait] = answer.as_slice() else {
            return Err(unexpected());
        };
        let granted = reply::number(granted).ok_or_else(unexpected)?;
        let wait = reply::number(wait).ok_or_else(unexpected)?;
        self.unused = 0;
        Ok(match usize::try_from(granted).unwrap_or(0) {
            0 => Granted::Wait(Duration::from_micros(wait)),
            granted => Granted::Read(granted),
        })
    }

    /// What became of the permits.
    pub(super) fn used(&mut self, granted: usize, read: usize) {
        self.unused = granted.saturating_sub(read);
        self.idle = read == 0;
    }
}
