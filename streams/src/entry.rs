use std::fmt;
use std::str::FromStr;

use crate::Fields;

/// The id of a stream entry: the server's milliseconds since 1970, and a sequence number within that millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EntryId {
    /// Milliseconds since 1970, of the server's clock.
    pub ms: u64,
    /// Number within the millisecond.
    pub seq: u64,
}

impl EntryId {
    /// The id before every entry.
    pub const ZERO: Self = Self { ms: 0, seq: 0 };

    /// This id and the number of one of its outcomes, `<ms>-<seq>/<n>`: what an outgoing message's own id is
    /// derived from, so that a repeated hand-over of the same outcome can be told by its receiver.
    pub fn derive(&self, n: usize) -> String {
        format!("{self}/{n}")
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// A text that is no entry id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no stream entry id (expected milliseconds-sequence, for example 1718000000000-0)"
)]
pub struct InvalidEntryId(pub String);

impl FromStr for EntryId {
    type Err = InvalidEntryId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (ms, seq) = text.split_once('-').unwrap_or((text, "0"));
        match (ms.parse(), seq.parse()) {
            (Ok(ms), Ok(seq)) => Ok(Self { ms, seq }),
            _ => Err(InvalidEntryId(text.to_owned())),
        }
    }
}

/// One stream entry. A message that came back after a retry keeps the id of its first delivery here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its id.
    pub id: EntryId,
    /// What it carries.
    pub fields: Fields,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text_and_orders_like_the_stream() {
        let id: EntryId = "1718000000000-7".parse().unwrap();
        assert_eq!(id.to_string(), "1718000000000-7");
        assert_eq!(id.derive(2), "1718000000000-7/2");
        assert!(id < "1718000000001-0".parse().unwrap());
        assert_eq!("12".parse::<EntryId>().unwrap(), EntryId { ms: 12, seq: 0 });
        assert!("a-b".parse::<EntryId>().is_err());
        assert!("".parse::<EntryId>().is_err());
    }
}
