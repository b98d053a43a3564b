//! The memory of all heal workers together, in Redis.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use maestro_protocol::{Stream, decode_on};
use maestro_streams::{Endpoint, Entry, EntryId, Error, Projection, Replaced};

use crate::event::Event;
use crate::history::History;
use crate::known::Known;
use crate::reputation::Reputation;

/// For how long what is known of a failure is kept after the last result about it.
pub const KEPT: Duration = Duration::from_hours(24 * 180);
/// Results that are taken in at a time.
const PAGE: usize = 100;
/// Pages that somebody who wants to know something reads at most; the rest is for those who have time.
const PAGES: usize = 50;
/// The hash with the strategies' reputation. No fingerprint is called so.
const STRATEGIES: &str = "strategies";

/// The memory cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// Remembers.
pub trait Recall: Send + Sync + 'static {
    /// What is known of a failure.
    ///
    /// # Errors
    /// When the memory cannot be asked now.
    fn recall(&self, fingerprint: &str) -> impl Future<Output = Result<Known, Unavailable>> + Send;
}

/// Knows nothing: for trying things out.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoMemory;

impl Recall for NoMemory {
    async fn recall(&self, _: &str) -> Result<Known, Unavailable> {
        Ok(Known::default())
    }
}

/// In Redis: `{automation:results}:history` has the id of the last result that was taken in, `{automation:results}:history:<fingerprint>`
/// a hash for each failure, `{automation:results}:history:strategies` the strategies' reputation. Clones share connections.
#[derive(Debug, Clone)]
pub struct Memory {
    projection: Projection,
}

impl Memory {
    /// The memory of the fleet with this prefix.
    ///
    /// # Errors
    /// When the endpoint or the prefix is none.
    pub fn new(endpoint: &Endpoint, prefix: &str) -> Result<Self, Error> {
        let stream = Stream::Results.name();
        Projection::new(endpoint, prefix, stream, "history").map(|projection| Self { projection })
    }

    /// Takes in what results there are, at most this many pages of a hundred; `true` when nothing is left. Several may do it at once: each
    /// result is taken in once.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn catch_up(&self, pages: usize) -> Result<bool, Error> {
        for _ in 0..pages {
            let from = self.projection.place().await?;
            let entries = self.projection.entries(from, PAGE).await?;
            let Some(last) = entries.last().map(|entry| entry.id) else {
                return Ok(true);
            };
            // Whoever was faster has done it: on from there.
            self.take_in(from, last, &entries).await?;
        }
        Ok(false)
    }

    async fn take_in(
        &self,
        from: Option<EntryId>,
        to: EntryId,
        entries: &[Entry],
    ) -> Result<bool, Error> {
        let events: Vec<(String, Event)> = entries.iter().filter_map(event).collect();
        let names: BTreeSet<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
        let mut keys: Vec<&str> = names.into_iter().collect();
        let mut histories: BTreeMap<&str, History> = BTreeMap::new();
        let mut reputation = Reputation::default();
        // Where nothing was taken in, what lies about is left from before and counts no more.
        if from.is_some() && !keys.is_empty() {
            keys.push(STRATEGIES);
            let read = self.projection.read(&keys).await?;
            keys.pop();
            if let Some(fields) = read.last() {
                reputation = Reputation::read(fields);
            }
            histories = keys
                .iter()
                .copied()
                .zip(read.iter().map(History::read))
                .collect();
        }
        let before = reputation.clone();
        for (name, event) in &events {
            histories
                .entry(name.as_str())
                .or_default()
                .fold(event, &mut reputation);
        }
        let mut written: Vec<Replaced> = histories
            .iter()
            .map(|(name, history)| replaced(name, history.fields()))
            .collect();
        if reputation != before {
            written.push(replaced(STRATEGIES, reputation.fields()));
        }
        self.projection.advance(from, to, &written).await
    }

    async fn look(&self, fingerprint: &str) -> Result<Known, Error> {
        self.catch_up(PAGES).await?;
        let read = self.projection.read(&[fingerprint, STRATEGIES]).await?;
        let mut read = read.iter();
        Ok(Known {
            history: read.next().map(History::read).unwrap_or_default(),
            reputation: read.next().map(Reputation::read).unwrap_or_default(),
        })
    }
}

impl Recall for Memory {
    async fn recall(&self, fingerprint: &str) -> Result<Known, Unavailable> {
        self.look(fingerprint)
            .await
            .map_err(|error| Unavailable(error.to_string()))
    }
}

fn replaced(key: &str, fields: Vec<(maestro_streams::Bytes, maestro_streams::Bytes)>) -> Replaced {
    Replaced {
        key: key.to_owned(),
        fields,
        kept: KEPT,
    }
}

/// What an entry says; nothing where it cannot be read: others can write to the stream too.
fn event(entry: &Entry) -> Option<(String, Event)> {
    let fields = entry
        .fields
        .iter()
        .map(|(name, value)| (name.as_ref(), value.as_ref()));
    let decoded = decode_on(Stream::Results, fields).ok()?;
    let id = decoded
        .envelope
        .id
        .clone()
        .unwrap_or_else(|| entry.id.to_string());
    Event::of(&decoded, &id, entry.id.ms)
}
