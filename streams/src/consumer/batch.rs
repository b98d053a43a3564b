use std::collections::HashSet;

use redis::{Cmd, Pipeline, RedisResult};

use super::call::Before;
use super::work::{Finished, Resolution};
use crate::link::Link;
use crate::publisher::{MAX_FIELDS, append, append_to_each};
use crate::script::COMMIT;
use crate::{ConsumerConfig, Entry, EntryId, Keys, Outgoing, reply};

/// Enough bytes for one commit; larger ones would keep Redis from its other clients for milliseconds.
const ENOUGH_BYTES: usize = 4 * 1024 * 1024;
/// So few entries are looked up in any case: that costs next to nothing, and notices an `XCLAIM` by hand too.
const FEW: usize = 8;

/// The outcomes of one commit, and the command that commits them.
pub(super) struct Batch {
    pub(super) items: Vec<Finished>,
    call: Cmd,
    /// What cannot go through the script: messages for other slots of a cluster, and dead letters of thousands of fields. They
    /// are appended first; a crash in between appends them again.
    before: Vec<Before>,
    /// The fence's, at the time.
    pub(super) epoch: u64,
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

/// The answer to a commit.
pub(super) struct Committed {
    /// In the order of the batch's items.
    pub(super) verdicts: Vec<Verdict>,
    /// Whether the fence token was the one that Redis has.
    pub(super) trusted: bool,
    /// Messages that waited for their turn, and are in this consumer's hands now.
    pub(super) handed: Vec<Entry>,
}

impl Committer<'_> {
    /// Takes from `finished` what fits into one commit; `None` if there is nothing. `trusted` says which messages the fence
    /// token covers; with another one in the batch Redis looks them all up.
    pub(super) fn batch(
        &self,
        finished: &mut Vec<Finished>,
        (token, epoch): (&str, u64),
        trusted: impl Fn(EntryId) -> bool,
    ) -> Option<Batch> {
        let mut items = self.take(finished);
        if items.is_empty() {
            return None;
        }
        // The script compares a range of the own pending entries with this order.
        items.sort_unstable_by_key(|item| item.work.id);
        let resent = items.iter().any(|item| item.resent);
        let covered = !resent && items.iter().all(|item| trusted(item.work.id));
        let trusting = covered && items.len() > FEW;
        // Without a token the commit also revokes the one that an earlier sending carries, should that arrive after all.
        let token = if resent { "" } else { token };
        let (call, before) = self.call(&items, token, !trusting);
        Some(Batch {
            items,
            call,
            before,
            epoch,
        })
    }

    /// The first that fit; of two messages with one key only one, since the second must find the mark of the first.
    fn take(&self, finished: &mut Vec<Finished>) -> Vec<Finished> {
        let mut marks = HashSet::with_capacity(finished.len().min(self.config.batch));
        let (mut count, mut bytes, mut twice) = (0, 0, Vec::new());
        for (at, item) in finished.iter().enumerate() {
            if at - twice.len() >= self.config.batch || bytes > ENOUGH_BYTES {
                break;
            }
            count = at + 1;
            if item.work.mark.is_some_and(|mark| !marks.insert(mark)) {
                twice.push(at);
            } else {
                bytes += weight(item);
            }
        }
        if twice.is_empty() && count == finished.len() {
            return std::mem::take(finished);
        }
        let mut items: Vec<_> = finished.drain(..count).collect();
        let later = twice.iter().rev().map(|at| items.remove(*at));
        let later: Vec<_> = later.collect();
        finished.splice(0..0, later.into_iter().rev());
        items
    }
}

impl Batch {
    /// Commits. After an error it is unknown whether it happened; committing again is harmless if everything is looked up, since what
    /// is no longer pending is fenced.
    pub(super) async fn commit(&self, link: &mut Link) -> RedisResult<Committed> {
        self.append_before(link).await?;
        let answer = COMMIT.run(link, &self.call).await?;
        let unexpected =
            || redis::RedisError::from((redis::ErrorKind::UnexpectedReturnType, "commit script"));
        let mut answer = reply::array(answer).ok_or_else(unexpected)?.into_iter();
        let trusted = answer.next().as_ref().and_then(reply::number);
        let trusted = trusted.ok_or_else(unexpected)? == 1;
        let handed = answer
            .next()
            .and_then(reply::array)
            .ok_or_else(unexpected)?;
        let handed = handed.into_iter().map(|entry| reply::entry(entry)?.ok());
        let handed = handed.collect::<Option<_>>().ok_or_else(unexpected)?;
        let mut verdicts = vec![Verdict::Committed; self.items.len()];
        for exception in answer {
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
        Ok(Committed {
            verdicts,
            trusted,
            handed,
        })
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
        append_to_each(link, few).await
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
