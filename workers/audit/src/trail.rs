//! The whole trail, read page by page and merged by time: no more than a page of each key is held.

use std::collections::VecDeque;

use jiff::Timestamp;
use maestro_protocol::Stream;
use maestro_streams::{Admin, Entry, EntryId, Error};

use crate::row::{Part, Row};

/// How many entries one round trip brings.
const PAGE: usize = 200;

/// Which rows.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Of these streams.
    pub streams: Vec<Stream>,
    /// What came into Redis at this time or later.
    pub since: Option<Timestamp>,
    /// What came into Redis before this time. Without it: what stands there when the reading begins.
    pub until: Option<Timestamp>,
}

/// Rows of several streams with their urgent lanes and their dead letters, in the order in which they came into Redis.
#[derive(Debug)]
pub struct Trail {
    admin: Admin,
    sources: Vec<Source>,
    read: u64,
}

#[derive(Debug)]
struct Source {
    stream: Stream,
    part: Part,
    page: VecDeque<Entry>,
    after: Option<EntryId>,
    /// The last one that is wanted.
    last: EntryId,
    is_at_end: bool,
}

fn milliseconds(time: Timestamp) -> u64 {
    u64::try_from(time.as_millisecond()).unwrap_or(0)
}

/// The id before every id of this millisecond.
fn just_before(ms: u64) -> Option<EntryId> {
    ms.checked_sub(1).map(|ms| EntryId { ms, seq: u64::MAX })
}

impl Trail {
    /// The rows of this selection. What comes after the reading has begun is left out, so that it ends.
    pub async fn open(admin: Admin, selection: &Selection) -> Result<Self, Error> {
        let after = selection.since.map(milliseconds).and_then(just_before);
        let mut sources = Vec::new();
        for stream in &selection.streams {
            for part in Part::ALL {
                let Some(newest) = newest(&admin, *stream, part).await? else {
                    continue;
                };
                let last = match selection.until {
                    None => Some(newest),
                    Some(until) => just_before(milliseconds(until)).map(|id| id.min(newest)),
                };
                sources.extend(last.map(|last| Source {
                    stream: *stream,
                    part,
                    page: VecDeque::new(),
                    after,
                    last,
                    is_at_end: false,
                }));
            }
        }
        Ok(Self {
            admin,
            sources,
            read: 0,
        })
    }

    /// How many rows were read.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// The next row; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Row>, Error> {
        for source in &mut self.sources {
            source.fill(&self.admin).await?;
        }
        let oldest = self
            .sources
            .iter_mut()
            .filter(|source| !source.page.is_empty())
            .min_by_key(|source| source.page.front().map(|entry| entry.id));
        let Some(source) = oldest else {
            return Ok(None);
        };
        let entry = source.page.pop_front();
        self.read += 1;
        Ok(entry.map(|entry| Row::of(source.stream, source.part, &entry)))
    }
}

impl Source {
    async fn fill(&mut self, admin: &Admin) -> Result<(), Error> {
        if !self.page.is_empty() || self.is_at_end {
            return Ok(());
        }
        let page = page(admin, self.stream, self.part, self.after).await?;
        let is_full = page.len() == PAGE;
        self.after = page.last().map(|entry| entry.id).or(self.after);
        self.page = page
            .into_iter()
            .take_while(|entry| entry.id <= self.last)
            .collect();
        self.is_at_end = !is_full || self.after >= Some(self.last);
        Ok(())
    }
}

async fn page(
    admin: &Admin,
    stream: Stream,
    part: Part,
    after: Option<EntryId>,
) -> Result<Vec<Entry>, Error> {
    let name = stream.name();
    match part {
        Part::Dead => {
            let letters = admin.dead_letters(name, after, PAGE).await?;
            Ok(letters.into_iter().map(|letter| letter.entry).collect())
        }
        _ => admin.oldest(name, part == Part::Urgent, after, PAGE).await,
    }
}

async fn newest(admin: &Admin, stream: Stream, part: Part) -> Result<Option<EntryId>, Error> {
    let name = stream.name();
    Ok(match part {
        Part::Dead => admin.newest_dead_letter(name).await?,
        _ => admin
            .newest(name, part == Part::Urgent, None, 1)
            .await?
            .first()
            .map(|entry| entry.id),
    })
}
