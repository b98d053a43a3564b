//! A span of time as people write it: `30s`, `1h 30m`, `500ms`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Deserializer, de};

/// A span of time, never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span(pub(crate) Duration);

impl Span {
    pub(crate) const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected =
            || format!("expected a span of time such as `30s` or `1h 30m`, but found `{text}`");
        let signed: SignedDuration = text.parse().map_err(|_| expected())?;
        Duration::try_from(signed).map(Self).map_err(|_| expected())
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SignedDuration::try_from(self.0) {
            Ok(signed) => write!(f, "{signed:#}"),
            Err(_) => write!(f, "{} s", self.0.as_secs()),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
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
    fn a_span_is_read_as_people_write_it() {
        assert_eq!("30s".parse(), Ok(Span::seconds(30)));
        assert_eq!("1h 30m".parse(), Ok(Span::seconds(5400)));
        assert_eq!("500ms".parse(), Ok(Span(Duration::from_millis(500))));
        assert_eq!(Span::seconds(5400).to_string(), "1h 30m");
        for bad in ["", "30", "-5s", "soon", "1 fortnight"] {
            let sentence = bad.parse::<Span>().expect_err(bad);
            assert!(
                sentence.starts_with("expected a span of time such as `30s`"),
                "{sentence}"
            );
        }
    }
}
