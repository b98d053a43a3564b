use std::collections::HashSet;

use bytes::Bytes;
use redis::{Cmd, Pipeline, RedisResult};

use super::work::{Finished, Resolution, Work};
use crate::admin::millis;
use crate::clock::rfc3339;
use crate::link::Link;
use crate::publisher::{MAX_FIELDS, append, append_together};
use crate::script::{APPEND, COMMIT};
use crate::{ConsumerConfig, DeadLetter, Keys, Outgoing, reply};

/// Enough bytes for one commit; larger ones would keep Redis from its other clients for milliseconds.
const ENOUGH_BYTES: usize = 4 * 1024 * 1024;
/// Lua passes at most about 8000 values to a function (`LUAI_MAXCSTACK`).
const MOST_ARGUMENTS: usize = 7_500;

/// The outcomes of one commit, and the command that commits them.
pub(super) struct Batch {
    pub(super) items: Vec<Finished>,
    call: Cmd,
    /// What cannot go through the script: messages for other slots of a cluster, and dead letters of thousands of fields. They
    /// are appended first; a crash in between appends them again.
    before: Vec<(String, Outgoing)>,
}

/// Who commits, and how.
pub(super) struct Committer<'a> {
    pub(super) config: &'a ConsumerConfig,
    pub(super) keys: &'a Keys,
    pub(super) consumer: &'a str,
    pub(super) is_cluster: bool,
    pub(super) now_ms: u64,
}

/// What became of an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Committed,
    Fenced,
    Duplicate,
    /// Redis refused a part of it, and nothing of it happened.
    Refused(String),
}

impl Committer<'_> {
    /// Takes from `finished` what fits into one commit; `None` if there is nothing.
    pub(super) fn batch(&self, finished: &mut Vec<Finished>) -> Option<Batch> {
        let mut marks = HashSet::new();
        let (mut items, mut later) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        for item in finished.drain(..) {
            // Two messages with one key: the second one must find the mark of the first.
            let twice = item.work.mark.is_some_and(|mark| !marks.insert(mark));
            if twice || items.len() >= self.config.batch || bytes > ENOUGH_BYTES {
                later.push(item);
            } else {
                bytes += weight(&item);
                items.push(item);
            }
        }
        *finished = later;
        if items.is_empty() {
            return None;
        }
        // The script compares a range of the own pending entries with this order.
        items.sort_unstable_by_key(|item| item.work.id);
        let (call, before) = self.call(&items);
        Some(Batch {
            items,
            call,
            before,
        })
    }

    fn call(&self, items: &[Finished]) -> (Cmd, Vec<(String, Outgoing)>) {
        let (seen, delayed, dead) = (self.keys.seen(), self.keys.delayed(), self.keys.dead());
        let mut outgoing_keys: Vec<String> = Vec::new();
        let mut before = Vec::new();
        let mut records = Records::with_capacity(items.len() * 24);
        for item in items {
            let start = records.begin();
            match &item.resolution {
                Resolution::Done(messages) => {
                    self.outgoing(messages, &mut records, &mut outgoing_keys, &mut before);
                    records.end(start, b"o");
                }
                Resolution::Retry(wait) => {
                    records.number(millis(*wait));
                    records.fields(item.work.waiting(item.work.deliveries));
                    records.end(start, b"r");
                }
                Resolution::Return(wait) => {
                    records.number(millis(*wait));
                    records.fields(item.work.waiting(item.work.deliveries - 1));
                    records.end(start, b"r");
                }
                Resolution::NotBefore(due) => {
                    records.number(*due);
                    records.fields(item.work.waiting(item.work.deliveries - 1));
                    records.end(start, b"l");
                }
                Resolution::Dead(letter) => {
                    let fields = self.dead_letter(&item.work, letter);
                    let kind: &[u8] = if fields.len() * 2 > MOST_ARGUMENTS {
                        before.push((dead.clone(), whole(fields)));
                        b"o"
                    } else {
                        records.number(fields.len() as u64 * 2);
                        records.fields(fields.into_iter());
                        b"d"
                    };
                    self.outgoing(&letter.also, &mut records, &mut outgoing_keys, &mut before);
                    records.end(start, kind);
                }
                Resolution::Duplicate => records.end(start, b"x"),
            }
        }
        let mut keys = vec![self.keys.stream(), &seen, &delayed, &dead];
        keys.extend(outgoing_keys.iter().map(String::as_str));
        let mut call = COMMIT.call(&keys);
        call.arg(&self.config.group)
            .arg(self.consumer)
            .arg(items.len())
            .arg(millis(self.config.dedup_window))
            .arg(self.config.concurrency * 2 + 1000);
        for item in items {
            call.arg(item.work.id.to_string());
        }
        for item in items {
            match (&item.resolution, item.work.mark) {
                (Resolution::Done(_) | Resolution::Dead(_), Some(mark)) => call.arg(&mark.0[..]),
                _ => call.arg(""),
            };
        }
        for value in &records.0 {
            call.arg(value.as_ref());
        }
        (call, before)
    }

    fn outgoing(
        &self,
        messages: &[Outgoing],
        records: &mut Records,
        keys: &mut Vec<String>,
        before: &mut Vec<(String, Outgoing)>,
    ) {
        for message in messages {
            let key = format!("{}{}", self.config.prefix, message.stream);
            if self.is_cluster && key != self.keys.stream() {
                before.push((key, message.clone()));
                continue;
            }
            let index = keys.iter().position(|known| *known == key);
            let index = index.unwrap_or_else(|| {
                keys.push(key);
                keys.len() - 1
            });
            // KEYS counts from 1, and four keys of the stream's own come first.
            records.number(index as u64 + 5);
            records.number(message.fields.len() as u64 * 2);
            records.fields(message.fields.iter().cloned());
        }
    }

    fn dead_letter(&self, work: &Work, letter: &DeadLetter) -> Vec<(Bytes, Bytes)> {
        let text = |name: &'static str, value: &str| {
            (
                Bytes::from_static(name.as_bytes()),
                Bytes::from(value.to_owned()),
            )
        };
        let fields = work.entry.fields.iter();
        let mut fields: Vec<_> = fields.map(|(n, v)| (n.clone(), v.clone())).collect();
        fields.extend([
            text("deadreason", &letter.reason),
            text("deaddetail", &letter.detail),
            text("deadstream", self.keys.name()),
            text("deadid", &work.entry.id.to_string()),
            text("deadgroup", &self.config.group),
            text("deadconsumer", self.consumer),
            text("deaddeliveries", &work.deliveries.to_string()),
            text("deadtime", &rfc3339(self.now_ms)),
        ]);
        if let Some(mark) = work.mark {
            // What a replay has to forget.
            fields.push(text("deadmark", &mark.hex()));
        }
        fields
    }
}

impl Batch {
    /// Commits. After an error it is unknown whether it happened; committing again is harmless, since what is no
    /// longer pending is fenced.
    pub(super) async fn commit(&self, link: &mut Link) -> RedisResult<Vec<Verdict>> {
        self.append_before(link).await?;
        let exceptions = COMMIT.run(link, &self.call).await?;
        let unexpected =
            || redis::RedisError::from((redis::ErrorKind::UnexpectedReturnType, "commit script"));
        let mut verdicts = vec![Verdict::Committed; self.items.len()];
        for exception in reply::array(exceptions).ok_or_else(unexpected)? {
            let mut parts = reply::array(exception).ok_or_else(unexpected)?.into_iter();
            let index = parts.next().as_ref().and_then(reply::number);
            let what = parts.next().and_then(reply::text).ok_or_else(unexpected)?;
            let index = index.and_then(|n| usize::try_from(n).ok()?.checked_sub(1));
            let verdict = index.and_then(|n| verdicts.get_mut(n));
            *verdict.ok_or_else(unexpected)? = match what.as_str() {
                "fenced" => Verdict::Fenced,
                "duplicate" => Verdict::Duplicate,
                other => Verdict::Refused(other.trim_start_matches("error ").to_owned()),
            };
        }
        Ok(verdicts)
    }
}

impl Batch {
    async fn append_before(&self, link: &mut Link) -> RedisResult<()> {
        let (few, many): (Vec<_>, Vec<_>) = self
            .before
            .iter()
            .partition(|(_, message)| message.fields.len() <= MAX_FIELDS);
        // Those of thousands of fields, one by one.
        for (key, message) in many {
            let mut pipeline = Pipeline::new();
            append(&mut pipeline, key, message);
            pipeline.exec_async(link).await?;
        }
        let mut keys: Vec<&str> = few.iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        for wanted in keys {
            let of_key = few.iter().filter(|(key, _)| key == wanted);
            let call = append_together(wanted, of_key.map(|(_, message)| message));
            APPEND.run(link, &call).await?;
        }
        Ok(())
    }
}

/// The arguments of the script's records.
struct Records(Vec<Bytes>);

impl Records {
    fn with_capacity(n: usize) -> Self {
        Self(Vec::with_capacity(n))
    }

    /// Leaves room for the record's kind and length.
    fn begin(&mut self) -> usize {
        self.0.extend([Bytes::new(), Bytes::new()]);
        self.0.len()
    }

    fn end(&mut self, start: usize, kind: &[u8]) {
        let length = self.0.len() - start;
        self.0[start - 2] = Bytes::copy_from_slice(kind);
        self.0[start - 1] = Bytes::from(length.to_string());
    }

    fn number(&mut self, number: u64) {
        self.0.push(Bytes::from(number.to_string()));
    }

    fn fields(&mut self, fields: impl Iterator<Item = (Bytes, Bytes)>) {
        for (name, value) in fields {
            self.0.push(name);
            self.0.push(value);
        }
    }
}

fn whole(fields: Vec<(Bytes, Bytes)>) -> Outgoing {
    Outgoing {
        stream: String::new(),
        fields,
    }
}

/// About how many bytes an outcome sends.
fn weight(item: &Finished) -> usize {
    let messages = |messages: &[Outgoing]| messages.iter().map(Outgoing::byte_len).sum();
    match &item.resolution {
        Resolution::Done(out) => messages(out),
        Resolution::Dead(letter) => {
            let also: usize = messages(&letter.also);
            item.work.entry.fields.byte_len() + also
        }
        Resolution::Retry(_) | Resolution::Return(_) | Resolution::NotBefore(_) => {
            item.work.entry.fields.byte_len()
        }
        Resolution::Duplicate => 0,
    }
}
