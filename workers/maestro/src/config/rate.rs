//! A rate as people write it: `10/s`, `30/m`, `100/h burst 20`.

use std::fmt;
use std::str::FromStr;

use maestro_streams::RateLimit;
use serde::{Deserialize, Deserializer, de};

/// The most messages, of a rate and of a burst.
const MOST: u32 = 1_000_000;

/// How fast a kind of worker may go, all replicas together; by default as fast as it can.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rate(Option<Limit>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limit {
    /// Messages in each unit.
    count: u32,
    unit: Unit,
    burst: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Second,
    Minute,
    Hour,
}

impl Unit {
    const fn seconds(self) -> u32 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3600,
        }
    }

    const fn letter(self) -> char {
        match self {
            Self::Second => 's',
            Self::Minute => 'm',
            Self::Hour => 'h',
        }
    }
}

impl Rate {
    /// As the runtime takes it; `None` if there is no limit.
    pub(crate) fn limit(self) -> Option<RateLimit> {
        self.0.map(|limit| RateLimit {
            per_second: f64::from(limit.count) / f64::from(limit.unit.seconds()),
            burst: limit.burst,
        })
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        read(text).ok_or_else(|| {
            format!(
                "expected a rate such as `10/s`, `30/m`, `100/h burst 20` or `off`, but found `{text}`"
            )
        })
    }
}

fn read(text: &str) -> Option<Rate> {
    let number = |text: &str| {
        let number = text.parse().ok()?;
        (1..=MOST).contains(&number).then_some(number)
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let (rate, burst) = match words.as_slice() {
        ["off"] => return Some(Rate(None)),
        [rate] => (rate, None),
        [rate, "burst", burst] => (rate, Some(number(burst)?)),
        _ => return None,
    };
    let (count, unit) = rate.split_once('/')?;
    let count = number(count)?;
    let unit = match unit {
        "s" => Unit::Second,
        "m" => Unit::Minute,
        "h" => Unit::Hour,
        _ => return None,
    };
    Some(Rate(Some(Limit {
        count,
        unit,
        // What a second brings: fewer would cost a round trip for each message, more would be noticed as a wave.
        burst: burst.unwrap_or_else(|| count.div_ceil(unit.seconds())),
    })))
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("off"),
            Some(Limit { count, unit, burst }) => {
                write!(f, "{count}/{} burst {burst}", unit.letter())
            }
        }
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_as_people_write_it_and_shown_so_that_it_can_be_read_again() {
        for (text, shown, per_second, burst) in [
            ("10/s", "10/s burst 10", 10.0, 10),
            ("30/m", "30/m burst 1", 0.5, 1),
            ("7200/h burst 20", "7200/h burst 20", 2.0, 20),
        ] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!(rate.to_string(), shown);
            assert_eq!(shown.parse(), Ok(rate));
            assert_eq!(rate.limit(), Some(RateLimit { per_second, burst }));
        }
        assert_eq!("off".parse(), Ok(Rate::default()));
        assert_eq!(Rate::default().limit(), None);
        for bad in [
            "",
            "10",
            "/s",
            "0/s",
            "10/d",
            "-1/s",
            "1.5/s",
            "10/s burst",
            "10/s burst 0",
            "2000000/s",
            "10/s 20",
        ] {
            let sentence = bad.parse::<Rate>().expect_err(bad);
            assert!(
                sentence.ends_with(&format!("but found `{bad}`")),
                "{sentence}"
            );
        }
    }
}
