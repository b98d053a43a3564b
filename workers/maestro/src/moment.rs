//! A time of the past, as people give it.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

use crate::config::Span;

/// A time, given as one (RFC 3339) or as an age: `90m`, `24h`, `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) Timestamp);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(age) = age(text) {
            let then = Timestamp::now().checked_sub(age);
            return Ok(Self(then.unwrap_or(Timestamp::UNIX_EPOCH)));
        }
        text.parse().map(Self).map_err(|_| {
            "expected an age such as `24h` or `7d`, or a time such as `2026-07-01T00:00:00Z`"
                .to_owned()
        })
    }
}

/// A day of an age has 24 hours.
fn age(text: &str) -> Option<SignedDuration> {
    if let Some(days) = text.strip_suffix('d') {
        return days
            .parse::<u32>()
            .ok()
            .map(|days| SignedDuration::from_hours(i64::from(days) * 24));
    }
    let span = text.parse::<Span>().ok()?;
    Some(SignedDuration::try_from(span.0).unwrap_or(SignedDuration::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_an_age_or_a_time() {
        let time: Moment = "2026-07-01T02:00:00+02:00".parse().unwrap();
        assert_eq!(time.0.to_string(), "2026-07-01T00:00:00Z");
        for (age, hours) in [("24h", 24), ("7d", 168)] {
            let age: Moment = age.parse().unwrap();
            assert_eq!(
                Timestamp::now().duration_since(age.0).as_secs() / 3600,
                hours
            );
        }
        assert!("yesterday".parse::<Moment>().is_err());
    }
}
