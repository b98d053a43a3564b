use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::{DeadLetter, Entry, EntryId, Fields, Outgoing};

/// A message that came back from waiting carries these two fields; handlers never see them.
const FIRST_ID: &str = "retryof";
const DELIVERIES: &str = "retrydeliveries";

/// What stands for a message's key in the deduplication sets: the first 16 bytes of its SHA-256. Two keys share a mark with a
/// probability of 2⁻¹²⁸, even when somebody tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Mark(pub(super) [u8; 16]);

impl Mark {
    pub(super) fn of(key: &str) -> Self {
        let digest = Sha256::digest(key.as_bytes());
        let mut mark = [0; 16];
        mark.copy_from_slice(&digest[..16]);
        Self(mark)
    }

    pub(super) fn hex(&self) -> String {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |of: u8| char::from(DIGITS[usize::from(of)]);
        let pairs = self
            .0
            .iter()
            .map(|byte| [digit(byte >> 4), digit(byte & 15)]);
        pairs.flatten().collect()
    }
}

/// A message in hand.
#[derive(Debug, Clone)]
pub(super) struct Work {
    /// The entry that is pending, and is to be acknowledged.
    pub(super) id: EntryId,
    /// What the handler sees: the id of the first delivery, and the fields without ours.
    pub(super) entry: Entry,
    /// The how-manieth delivery this is.
    pub(super) deliveries: u32,
    /// How often Redis delivered this very entry: more than once if a worker was lost with it.
    pub(super) deliveries_here: u32,
    pub(super) mark: Option<Mark>,
    /// The ordering key.
    pub(super) order: Option<Bytes>,
    /// It was its turn.
    pub(super) had_its_turn: bool,
}

impl Work {
    /// From an entry that Redis delivered `count` times under its present id. `order_by` names the field with the ordering key.
    pub(super) fn new(entry: Entry, count: u32, order_by: Option<&str>) -> Self {
        let Entry { id, fields } = entry;
        let order = order_by.and_then(|name| fields.get(name));
        let order = order.filter(|key| !key.is_empty());
        let order = order.map(Bytes::copy_from_slice);
        let first = fields.get_str(FIRST_ID).and_then(|text| text.parse().ok());
        let before = fields.get_str(DELIVERIES).and_then(|n| n.parse().ok());
        let (first, before, fields) = match (first, before) {
            (Some(first), Some(before)) => (first, before, fields.without(is_ours)),
            _ => (id, 0, fields),
        };
        Self {
            id,
            entry: Entry { id: first, fields },
            deliveries: count.max(1).saturating_add(before),
            deliveries_here: count,
            mark: None,
            order,
            had_its_turn: false,
        }
    }

    /// The fields with which it waits for another delivery, after `deliveries` that count.
    pub(super) fn waiting(&self, deliveries: u32) -> impl Iterator<Item = (Bytes, Bytes)> + use<> {
        let fields: Fields = self.entry.fields.clone();
        let all: Vec<_> = fields.iter().map(|(n, v)| (n.clone(), v.clone())).collect();
        all.into_iter().chain([
            (
                Bytes::from_static(FIRST_ID.as_bytes()),
                Bytes::from(self.entry.id.to_string()),
            ),
            (
                Bytes::from_static(DELIVERIES.as_bytes()),
                Bytes::from(deliveries.to_string()),
            ),
        ])
    }

    /// For log lines.
    pub(super) fn correlation(&self) -> &str {
        self.entry.fields.get_str("correlationid").unwrap_or("")
    }
}

fn is_ours(name: &[u8]) -> bool {
    name == FIRST_ID.as_bytes() || name == DELIVERIES.as_bytes()
}

/// What is to become of a message.
#[derive(Debug, Clone)]
pub(super) enum Resolution {
    Done(Vec<Outgoing>),
    /// Another delivery after this long.
    Retry(Duration),
    /// Another delivery after this long, and this one did not count.
    Return(Duration),
    /// Another delivery at this time (milliseconds since 1970), and this one did not count.
    NotBefore(u64),
    Dead(DeadLetter),
    /// Its key has taken effect before.
    Duplicate,
}

/// A message with its resolution, on its way to the commit.
#[derive(Debug, Clone)]
pub(super) struct Finished {
    pub(super) work: Work,
    pub(super) resolution: Resolution,
    /// It was sent before and there was no answer: whether it has taken effect is not known.
    pub(super) resent: bool,
}

impl Finished {
    /// Ready for its first commit.
    pub(super) fn new(work: Work, resolution: Resolution) -> Self {
        Self {
            work,
            resolution,
            resent: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_waited_keeps_its_first_id_its_fields_and_its_deliveries() {
        let id = EntryId { ms: 5, seq: 1 };
        let fields: Fields = [("a", "1"), ("b", "2")].into_iter().collect();
        let work = Work::new(
            Entry {
                id,
                fields: fields.clone(),
            },
            2,
            None,
        );
        assert_eq!((work.deliveries, work.entry.id), (2, id));
        let back = Entry {
            id: EntryId { ms: 9, seq: 0 },
            fields: work.waiting(work.deliveries).collect(),
        };
        let again = Work::new(back, 1, None);
        assert_eq!(again.id, EntryId { ms: 9, seq: 0 });
        assert_eq!(again.entry, Entry { id, fields });
        assert_eq!(again.deliveries, 3);
    }

    #[test]
    fn fields_that_only_look_like_ours_are_left_alone() {
        let fields: Fields = [("retryof", "nonsense"), ("retrydeliveries", "1")]
            .into_iter()
            .collect();
        let id = EntryId { ms: 5, seq: 1 };
        let work = Work::new(
            Entry {
                id,
                fields: fields.clone(),
            },
            1,
            None,
        );
        assert_eq!(work.entry.fields, fields);
        assert_eq!(work.deliveries, 1);
    }

    #[test]
    fn marks_are_stable_across_versions() {
        assert_eq!(Mark::of("a").hex(), "ca978112ca1bbdcafac231b39a23dc4d");
    }
}
