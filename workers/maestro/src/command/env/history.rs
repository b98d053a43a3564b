//! What the streams tell of environments, read from their end, a page at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use maestro_protocol::environment::EnvironmentRequested;
use maestro_protocol::{Message, Stream, decode_as};
use maestro_streams::{Admin, DeadEntry, Entry, EntryId};

use crate::fault::Fault;
use crate::fleet::connection;
use crate::results::Found;

/// Entries of a page: a result may have a mebibyte.
const PAGE: usize = 100;

/// One stream from its end to its beginning.
pub(super) struct Pages<'a> {
    admin: &'a Admin,
    stream: Stream,
    urgent: bool,
    before: Option<EntryId>,
    is_over: bool,
}

impl<'a> Pages<'a> {
    pub(super) fn new(admin: &'a Admin, stream: Stream, urgent: bool) -> Self {
        Self {
            admin,
            stream,
            urgent,
            before: None,
            is_over: false,
        }
    }

    /// The next page, newest first; `None` at the stream's beginning.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Entry>>, Fault> {
        if self.is_over {
            return Ok(None);
        }
        let page = self
            .admin
            .newest(self.stream.name(), self.urgent, self.before, PAGE)
            .await
            .map_err(|error| connection::fault(&error))?;
        self.is_over = page.len() < PAGE;
        self.before = page.last().map(|entry| entry.id);
        Ok(Some(page))
    }
}

/// The last entry of the environments' results; what comes after it is new.
pub(super) async fn end(admin: &Admin) -> Result<EntryId, Fault> {
    let newest = admin
        .newest(Stream::EnvironmentResults.name(), false, None, 1)
        .await
        .map_err(|error| connection::fault(&error))?;
    Ok(newest.first().map(|entry| entry.id).unwrap_or_default())
}

/// A result of the environments.
pub(super) fn result(entry: Entry) -> Found {
    Found::new(Arc::from(Stream::EnvironmentResults.name()), entry)
}

/// The environment that a result is about.
pub(crate) fn environment(found: &Found) -> Option<&str> {
    match &found.decoded.as_ref().ok()?.payload {
        Message::EnvironmentStatus(status) => Some(&status.environment),
        Message::EnvironmentTested(tested) => Some(&tested.environment),
        Message::EnvironmentExtended(extended) => Some(&extended.environment),
        Message::EnvironmentDeleted(deleted) => Some(&deleted.environment),
        _ => None,
    }
}

/// A request for an environment as it stands in its stream.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) entry: EntryId,
    /// `None` where the worker will not be able to read it either.
    pub(super) payload: Option<EnvironmentRequested>,
}

/// The id of the environment that an entry asks for, and the request.
pub(super) fn request(entry: &Entry) -> (String, Request) {
    let fields = || {
        let fields = entry.fields.iter();
        fields.map(|(name, value)| (name.as_ref(), value.as_ref()))
    };
    let id = entry.fields.get_str("id").filter(|id| !id.is_empty());
    let id = id.map_or_else(|| entry.id.to_string(), str::to_owned);
    let decoded = decode_as::<EnvironmentRequested>(fields());
    let request = Request {
        entry: entry.id,
        payload: decoded.ok().map(|decoded| decoded.payload),
    };
    (id, request)
}

/// The dead letters among the requests, by the id of the environment that will not be; the newest of each.
pub(super) async fn dead(admin: &Admin) -> Result<BTreeMap<String, DeadEntry>, Fault> {
    let mut all = BTreeMap::new();
    let mut after = None;
    loop {
        let page = admin
            .dead_letters(Stream::Provision.name(), after, PAGE)
            .await
            .map_err(|error| connection::fault(&error))?;
        after = page.last().map(|dead| dead.id);
        let is_last = page.len() < PAGE;
        for mut dead in page {
            let id = dead_id(&dead).to_owned();
            // What was asked for is of no use here, and may be long.
            dead.entry.fields = ["deadreason", "deaddetail"]
                .into_iter()
                .filter_map(|name| Some((name, dead.entry.fields.get_str(name)?.to_owned())))
                .collect();
            all.insert(id, dead);
        }
        if is_last {
            return Ok(all);
        }
    }
}

/// The id of the message that was set aside: its own, else that of its entry.
pub(super) fn dead_id(dead: &DeadEntry) -> &str {
    let fields = &dead.entry.fields;
    let own = fields.get_str("id").filter(|id| !id.is_empty());
    own.or_else(|| fields.get_str("deadid")).unwrap_or_default()
}
