//! The end of a cleanup of many: nobody knows beforehand how many environments a selector stands for.

use std::collections::BTreeSet;

use maestro_protocol::environment::Phase;
use maestro_protocol::{Message, Stream};
use maestro_streams::{Admin, EntryId};

use super::history;
use crate::results::Found;

/// Which environments a cleanup has touched, and which of them are gone.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    going: BTreeSet<String>,
    pub(super) gone: BTreeSet<String>,
}

impl Sweep {
    /// Takes a result of this cleanup in.
    pub(super) fn take(&mut self, found: &Found) {
        match found.decoded.as_ref().map(|decoded| &decoded.payload) {
            Ok(Message::EnvironmentStatus(status)) if status.phase == Phase::Deleted => {
                self.is_gone(&status.environment);
            }
            Ok(Message::EnvironmentStatus(status))
                if status.phase == Phase::Deleting && !self.gone.contains(&status.environment) =>
            {
                self.going.insert(status.environment.clone());
            }
            Ok(Message::EnvironmentDeleted(deleted)) => self.is_gone(&deleted.environment),
            _ => {}
        }
    }

    fn is_gone(&mut self, environment: &str) {
        self.going.remove(environment);
        self.gone.insert(environment.to_owned());
    }

    /// Whether everything that was begun is done.
    pub(super) fn is_clean(&self) -> bool {
        self.going.is_empty()
    }
}

/// The last result there was when the cleanup's stream had nothing more to do; `None` while it has, or cannot be asked.
///
/// What a worker says is appended in one step with its acknowledgement, so every answer stands before that result.
pub(super) async fn settled(admin: &Admin, asked: EntryId) -> Option<EntryId> {
    let states = admin.status(&[Stream::Cleanup.name()]).await.ok()?;
    let state = states.first()?;
    let group = Stream::Cleanup.group()?;
    let group = state.groups.iter().find(|known| known.group == group)?;
    let is_idle = group.last_delivered >= asked && group.backlog() == Some(0) && state.delayed == 0;
    if is_idle {
        history::end(admin).await.ok()
    } else {
        None
    }
}
