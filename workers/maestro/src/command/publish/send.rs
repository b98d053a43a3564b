//! Messages on their way to Redis, many in one round trip.

use std::collections::BTreeSet;
use std::fmt;

use maestro_streams::{EntryId, Publisher};
use serde_json::json;

use super::{Publish, lane};
use crate::fault::Fault;
use crate::fleet::connection;
use crate::message::Draft;
use crate::output::{Output, Progress};
use crate::session::Session;

/// A round trip carries no more messages, and no more bytes, than this.
const MAX_MESSAGES: usize = 500;
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// The most complaints that are told one by one.
const MAX_COMPLAINTS: u64 = 20;

/// Checks messages, gathers them, sends them, and prints their ids.
pub(super) struct Sender<'a> {
    session: &'a Session,
    command: &'a Publish,
    /// Made when the first message goes out: what is wrong with a message shows without Redis, too.
    publisher: Option<Publisher>,
    /// The streams that something went to, each once.
    streams: BTreeSet<String>,
    output: Output,
    waiting: Vec<Draft>,
    waiting_bytes: usize,
    sent: usize,
    complaints: u64,
    progress: Progress,
}

impl<'a> Sender<'a> {
    pub(super) fn new(session: &'a Session, command: &'a Publish) -> Self {
        Self {
            session,
            command,
            publisher: None,
            streams: BTreeSet::new(),
            output: session.output,
            waiting: Vec::new(),
            waiting_bytes: 0,
            sent: 0,
            complaints: 0,
            progress: session.output.progress(),
        }
    }

    /// Takes a message; `place` says where it came from.
    pub(super) async fn send(
        &mut self,
        draft: Draft,
        place: &dyn fmt::Display,
    ) -> Result<(), Fault> {
        if !self.command.no_validate {
            draft
                .check()
                .map_err(|refusal| Fault::data(format!("{place}: {}", refusal.detail)))?;
        }
        let bytes = draft.bytes();
        if self.waiting.len() == MAX_MESSAGES || self.waiting_bytes + bytes > MAX_BYTES {
            self.flush().await?;
        }
        self.waiting_bytes += bytes;
        self.waiting.push(draft);
        Ok(())
    }

    /// Sends what waits, and warns if it went where nobody reads.
    pub(super) async fn finish(&mut self) -> Result<(), Fault> {
        self.flush().await?;
        self.progress.wipe();
        if self.command.urgent
            && let Some(warning) = lane::unread(self.session, &self.streams).await
        {
            self.remark(&warning);
        }
        Ok(())
    }

    /// Tells of a message that is left out.
    pub(super) fn complain(&mut self, fault: &Fault) {
        self.complaints += 1;
        match self.complaints {
            ..=MAX_COMPLAINTS => self.output.fault(fault),
            n if n == MAX_COMPLAINTS + 1 => self.output.remark("… further ones are only counted"),
            _ => {}
        }
    }

    pub(super) fn remark(&self, text: &str) {
        self.output.remark(text);
    }

    async fn flush(&mut self) -> Result<(), Fault> {
        let batch = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        if batch.is_empty() {
            return Ok(());
        }
        if self.command.dry_run {
            return batch
                .iter()
                .try_for_each(|draft| self.output.json_line(&draft.shown(self.command.urgent)));
        }
        let publisher = match &mut self.publisher {
            Some(publisher) => publisher,
            none => none.insert(connection::publisher(self.session)?),
        };
        let messages: Vec<_> = batch
            .iter()
            .map(Draft::outgoing)
            .map(|message| message.urgent(self.command.urgent))
            .collect();
        let ids = publisher.publish(&messages).await.map_err(|error| {
            let fault = connection::fault(&error);
            match self.sent {
                0 => fault,
                sent => fault.next(format!(
                    "{sent} messages were published before; publishing all again is harmless for those with an id"
                )),
            }
        })?;
        self.sent += ids.len();
        for (draft, entry) in batch.iter().zip(ids) {
            self.print(draft, entry)?;
        }
        self.streams
            .extend(batch.into_iter().map(|draft| draft.stream));
        self.progress.say(&format!("{} published", self.sent));
        Ok(())
    }

    fn print(&self, draft: &Draft, entry: EntryId) -> Result<(), Fault> {
        let entry = entry.to_string();
        let id = draft.field("id").unwrap_or(&entry);
        if self.command.output.is_json() {
            self.output.json_line(&json!({
                "id": id,
                "correlationid": draft.field("correlationid").unwrap_or(id),
                "stream": draft.stream,
                "urgent": self.command.urgent,
                "entry": entry,
                "subject": draft.field("subject"),
            }))
        } else {
            self.output.line(id)
        }
    }
}
