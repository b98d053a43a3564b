//! One flow: every message of it, in all streams and among the dead letters, in the order in which they came.

use std::sync::Arc;

use jiff::Timestamp;
use maestro_protocol::Stream;
use maestro_streams::{Admin, Entry, EntryId};

use super::news::News;
use super::sample::Detail;
use super::state::{List, Row};
use crate::fault::Fault;
use crate::fleet::connection;
use crate::output::Tone;
use crate::results::Found;
use crate::verdict;

/// How far back each stream is searched.
const HISTORY: usize = 5000;
/// Dead letters of one round trip.
const PAGE: usize = 100;

/// A flow that is followed.
#[derive(Debug)]
pub(super) struct Follower {
    id: String,
    lanes: Vec<News>,
    letters: Vec<(Stream, Option<EntryId>)>,
    rows: Vec<(EntryId, Row)>,
}

impl Follower {
    pub(super) fn new(id: String) -> Self {
        let lanes = Stream::ALL.into_iter().flat_map(|stream| {
            let urgent = stream.group().map(|_| News::new(stream, true, HISTORY));
            std::iter::once(News::new(stream, false, HISTORY)).chain(urgent)
        });
        Self {
            id,
            lanes: lanes.collect(),
            letters: Stream::ALL.map(|stream| (stream, None)).to_vec(),
            rows: Vec::new(),
        }
    }

    /// What is known of it by now.
    pub(super) async fn look(&mut self, admin: &Admin) -> Result<List, Fault> {
        for lane in &mut self.lanes {
            for entry in lane.next(admin).await? {
                if is_of(&entry, &self.id) {
                    self.rows.push((entry.id, row(lane.stream, entry)));
                }
            }
        }
        for (stream, after) in &mut self.letters {
            loop {
                let page = admin.dead_letters(stream.name(), *after, PAGE).await;
                let page = page.map_err(|error| connection::fault(&error))?;
                *after = page.last().map_or(*after, |dead| Some(dead.id));
                let is_last = page.len() < PAGE;
                for dead in page {
                    if is_of(&dead.entry, &self.id) {
                        let text = format!("{}  {}", dead.reason(), dead.detail());
                        let mut row = of(*stream, &dead.entry, "dead letter", &text, Tone::Bad);
                        row.detail.letter = Some((*stream, dead.id));
                        self.rows.push((dead.id, row));
                    }
                }
                if is_last {
                    break;
                }
            }
        }
        self.rows.sort_by_key(|(id, _)| *id);
        let count = self.rows.len();
        Ok(List {
            title: format!("flow {}: {count} messages", self.id),
            rows: self.rows.iter().map(|(_, row)| row.clone()).collect(),
            selected: 0,
            follows: Some(self.id.clone()),
        })
    }
}

fn is_of(entry: &Entry, id: &str) -> bool {
    let is = |name| entry.fields.get_str(name) == Some(id);
    is("correlationid") || is("id")
}

/// A message in one line: when, where, what.
pub(super) fn row(stream: Stream, entry: Entry) -> Row {
    if stream.group().is_none() {
        let found = Found::new(Arc::from(stream.name()), entry);
        let (tone, word, text) = verdict::line(&found);
        return of(stream, &found.entry, &word, &text, tone);
    }
    let field = |name| entry.fields.get_str(name).unwrap_or_default();
    let kind = field("type").trim_start_matches("maestro.");
    let kind = kind
        .rsplit_once(".v")
        .map_or(kind, |(kind, _)| kind)
        .to_owned();
    let text = match (field("subject"), field("id")) {
        ("", id) => id.to_owned(),
        (subject, "") => subject.to_owned(),
        (subject, id) => format!("{subject}  [{id}]"),
    };
    of(stream, &entry, &kind, &text, Tone::Plain)
}

fn of(stream: Stream, entry: &Entry, word: &str, text: &str, tone: Tone) -> Row {
    let time = i64::try_from(entry.id.ms).ok();
    let time = time.and_then(|ms| Timestamp::from_millisecond(ms).ok());
    let time = time.map_or_else(String::new, |time| time.strftime("%H:%M:%S").to_string());
    Row {
        text: format!("{time}  {:<20}{word:<18}{text}", stream.name()),
        tone,
        detail: Detail::of_message(format!("{stream} {}", entry.id), &entry.fields),
    }
}
