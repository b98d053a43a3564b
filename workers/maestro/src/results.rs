//! The results streams, read by people: every decision of the fleet, oldest first.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use maestro_protocol::{Decoded, Message, Refusal, Stream, decode_on};
use maestro_streams::{Entry, EntryId, Tail, TailFrom};

use crate::fault::Fault;
use crate::fleet::connection;
use crate::session::Session;

/// The streams that hold results.
pub(crate) const STREAMS: [Stream; 2] = [Stream::Results, Stream::EnvironmentResults];

/// Entries that were trimmed after they were counted never come.
const STALLED: Duration = Duration::from_secs(1);

/// One result.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) stream: Arc<str>,
    pub(crate) entry: Entry,
    /// The message, or why it cannot be read.
    pub(crate) decoded: Result<Decoded<Message>, Refusal>,
}

impl Found {
    pub(crate) fn new(stream: Arc<str>, entry: Entry) -> Self {
        let fields = || {
            entry
                .fields
                .iter()
                .map(|(name, value)| (name.as_ref(), value.as_ref()))
        };
        let decoded = match stream.parse::<Stream>() {
            Ok(known) => decode_on(known, fields()),
            Err(_) => maestro_protocol::decode(fields()),
        };
        Self {
            stream,
            entry,
            decoded,
        }
    }

    /// A field of the envelope.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.entry.fields.get_str(name)
    }

    /// The message's id: its own, else the entry's.
    pub(crate) fn id(&self) -> String {
        self.field("id")
            .map_or_else(|| self.entry.id.to_string(), str::to_owned)
    }

    /// Whether it belongs to the flow of this name.
    pub(crate) fn is_of(&self, correlation: &str) -> bool {
        match self.field("correlationid") {
            Some(own) => own == correlation,
            None => self.id() == correlation,
        }
    }
}

/// Reads results: those that there are, or for ever.
#[derive(Debug)]
pub(crate) struct Reader {
    tail: Tail,
    /// How many entries of each stream there were at the start; `None` if reading goes on for ever.
    left: Option<HashMap<String, u64>>,
}

impl Reader {
    /// Every result that there is.
    pub(crate) async fn history(session: &Session) -> Result<Self, Fault> {
        let names = STREAMS.map(Stream::name);
        let status = connection::admin(session)?
            .status(&names)
            .await
            .map_err(|error| connection::fault(&error))?;
        let left = status
            .into_iter()
            .map(|one| (one.stream, one.length))
            .collect();
        Ok(Self {
            tail: open(session, &STREAMS, TailFrom::Beginning).await?,
            left: Some(left),
        })
    }

    /// Every result after `from`, and those to come.
    pub(crate) async fn follow(session: &Session, from: TailFrom) -> Result<Self, Fault> {
        Self::follow_on(session, &STREAMS, from).await
    }

    /// The same for some of the streams.
    pub(crate) async fn follow_on(
        session: &Session,
        streams: &[Stream],
        from: TailFrom,
    ) -> Result<Self, Fault> {
        Ok(Self {
            tail: open(session, streams, from).await?,
            left: None,
        })
    }

    /// The next one; `None` at the end of the history.
    pub(crate) async fn next(&mut self) -> Option<Found> {
        let Some(left) = &mut self.left else {
            let (stream, entry) = self.tail.next().await?;
            return Some(Found::new(stream, entry));
        };
        if left.values().all(|count| *count == 0) {
            return None;
        }
        let (stream, entry) = tokio::time::timeout(STALLED, self.tail.next())
            .await
            .ok()
            .flatten()?;
        if let Some(count) = left.get_mut(stream.as_ref()) {
            *count = count.saturating_sub(1);
        }
        Some(Found::new(stream, entry))
    }
}

async fn open(session: &Session, streams: &[Stream], from: TailFrom) -> Result<Tail, Fault> {
    let names: Vec<&str> = streams.iter().map(|stream| stream.name()).collect();
    let endpoint = connection::endpoint(session)?;
    Tail::open(&endpoint, &session.settings.prefix.value, &names, from)
        .await
        .map_err(|error| connection::fault(&error))
}

/// The id before every entry of that age.
pub(crate) fn before(age: Duration) -> EntryId {
    let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0);
    let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    EntryId {
        ms: now.saturating_sub(age),
        seq: 0,
    }
}
