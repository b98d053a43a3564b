//! What came to a stream since the last look.

use maestro_protocol::Stream;
use maestro_streams::{Admin, Entry, EntryId};

use crate::fault::Fault;
use crate::fleet::connection;

/// Entries of one round trip; one may have a mebibyte.
const PAGE: usize = 100;

/// One lane of a stream, read again and again.
#[derive(Debug, Clone)]
pub(super) struct News {
    pub(super) stream: Stream,
    urgent: bool,
    seen: EntryId,
    /// How many are read in one look; of more, the oldest are left out.
    most: usize,
}

impl News {
    pub(super) fn new(stream: Stream, urgent: bool, most: usize) -> Self {
        Self {
            stream,
            urgent,
            seen: EntryId::ZERO,
            most,
        }
    }

    /// The entries that nobody has looked at, oldest first.
    pub(super) async fn next(&mut self, admin: &Admin) -> Result<Vec<Entry>, Fault> {
        let mut new = Vec::new();
        let mut before = None;
        // Whoever looks for the first time, or seldom, need not read pages of what was seen already.
        let page = if self.seen == EntryId::ZERO {
            PAGE
        } else {
            PAGE / 4
        };
        loop {
            let page_of = admin.newest(self.stream.name(), self.urgent, before, page);
            let found = page_of.await.map_err(|error| connection::fault(&error))?;
            before = found.last().map(|entry| entry.id);
            let count = found.len();
            new.extend(found.into_iter().take_while(|entry| entry.id > self.seen));
            let reached = before.is_none_or(|oldest| oldest <= self.seen);
            if reached || count < page || new.len() >= self.most {
                break;
            }
        }
        new.truncate(self.most);
        new.reverse();
        if let Some(newest) = new.last() {
            self.seen = newest.id;
        }
        Ok(new)
    }
}
