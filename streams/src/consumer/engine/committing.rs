//! Outcomes are committed, many at once. While one batch is on its way a full one may follow it, so that Redis need not wait for us.

use redis::RedisResult;
use tokio::time::Instant;

use super::{Engine, as_measure, is_passing};
use crate::consumer::batch::{Batch, Committed, Committer, Verdict};
use crate::consumer::work::{Finished, Resolution};
use crate::{EntryId, Handler};

impl<H: Handler> Engine<H> {
    pub(super) fn commit(&mut self, now: Instant) {
        if self.finished.is_empty() || !self.may_send() {
            return;
        }
        if let Some(from) = self.commit_from {
            if now < from {
                return;
            }
            self.commit_from = None;
        }
        let Some(mut link) = self.link.clone() else {
            return;
        };
        let committer = Committer {
            config: &self.config,
            keys: &self.keys,
            consumer: &self.consumer,
            is_cluster: self.endpoint.is_cluster(),
            now_ms: self.clock.now_ms(),
        };
        // After a lost reply it is not known what is still pending, until another token was learned.
        let doubtful = self.fence.wants_another();
        let trusted = |id| !doubtful && self.held.get(&id).is_some_and(|held| held.trusted);
        let batch = committer.batch(&mut self.finished, self.fence.present(), trusted);
        let Some(batch) = batch else {
            return;
        };
        for item in &batch.items {
            if let Some(held) = self.held.get_mut(&item.work.id) {
                held.committing = true;
            }
        }
        self.committing.push(async move {
            let result = batch.commit(&mut link).await;
            (batch, result)
        });
    }

    /// A second batch follows only if it is full: two small ones would cost Redis more than one. And only while all goes well, so
    /// that what had no answer is settled before more is sent.
    fn may_send(&self) -> bool {
        match self.committing.len() {
            0 => true,
            1 => self.finished.len() >= self.config.batch && !self.fence.wants_another(),
            _ => false,
        }
    }

    pub(super) fn committed(&mut self, batch: Batch, result: RedisResult<Committed>) {
        let Committed {
            verdicts,
            trusted,
            handed,
        } = match result {
            Ok(committed) => committed,
            Err(error) => {
                // It may have happened all the same. What is no longer pending will be fenced.
                self.fence.renew();
                let again = batch.items.into_iter().filter_map(|item| self.revive(item));
                let again = again.map(|item| Finished {
                    resent: true,
                    ..item
                });
                let again: Vec<_> = again.collect();
                self.finished.splice(0..0, again);
                self.commit_from = Some(Instant::now() + self.commit_pauses.next_pause());
                self.link_failed(&error);
                return;
            }
        };
        if !trusted {
            self.doubt();
        }
        let covered = trusted && self.fence.covers(batch.epoch);
        let mut released = Vec::with_capacity(verdicts.len());
        let mut refused_all = !verdicts.is_empty();
        let mut committed = 0;
        for (item, verdict) in batch.items.into_iter().zip(verdicts) {
            match verdict {
                Verdict::Refused(error) => {
                    self.refused(item, &error);
                    continue;
                }
                Verdict::Committed => committed += self.tell(&item),
                Verdict::Duplicate => {
                    self.meters.duplicates.increment(1);
                    tracing::debug!(stream = %self.keys.name(), entry = %item.work.entry.id, correlationid = item.work.correlation(), "a duplicate");
                }
                // After a lost reply this is what an outcome that did take effect looks like.
                Verdict::Fenced if item.resent => {}
                Verdict::Fenced => {
                    self.meters.fenced.increment(1);
                    tracing::warn!(stream = %self.keys.name(), entry = %item.work.entry.id, correlationid = item.work.correlation(), "fenced: another consumer owns it now, or its turn was given anew");
                }
            }
            refused_all = false;
            released.push(item.work.id);
        }
        self.meters.committed.increment(committed);
        if !refused_all {
            self.commit_pauses.reset();
        }
        self.release(&released);
        self.handed_over(handed, covered);
    }

    /// An outcome that was not committed can be committed again, unless its message was lost meanwhile.
    fn revive(&mut self, item: Finished) -> Option<Finished> {
        let id = item.work.id;
        let held = self.held.get_mut(&id)?;
        held.committing = false;
        if held.lost {
            self.release(&[id]);
            return None;
        }
        Some(item)
    }

    /// One line for each outcome that took effect; 1 if it was "done".
    pub(super) fn tell(
        &mut self,
        Finished {
            work, resolution, ..
        }: &Finished,
    ) -> u64 {
        let (stream, entry, correlationid) = (self.keys.name(), work.entry.id, work.correlation());
        match resolution {
            Resolution::Done(messages) => {
                tracing::debug!(%stream, %entry, correlationid, messages = messages.len(), "done");
                return 1;
            }
            Resolution::Dead(letter) => {
                self.meters.dead.increment(1);
                tracing::warn!(%stream, %entry, correlationid, reason = %letter.reason, detail = %letter.detail, "dead-lettered");
            }
            Resolution::Retry(wait) => {
                self.meters.retried.increment(1);
                self.next_tend = self.next_tend.min(Instant::now() + *wait);
            }
            Resolution::Return(wait) => {
                self.meters.returned.increment(1);
                self.next_tend = self.next_tend.min(Instant::now() + *wait);
            }
            Resolution::NotBefore(_) => {
                tracing::debug!(%stream, %entry, correlationid, "not yet due");
            }
            Resolution::Duplicate => {
                self.meters.duplicates.increment(1);
                tracing::debug!(%stream, %entry, correlationid, "a duplicate, not handled");
            }
        }
        0
    }

    /// Redis did not accept a part of an outcome, so nothing of it happened.
    pub(super) fn refused(&mut self, item: Finished, error: &str) {
        let Some(Finished {
            work, resolution, ..
        }) = self.revive(item)
        else {
            return;
        };
        tracing::error!(stream = %self.keys.name(), entry = %work.entry.id, correlationid = work.correlation(), %error, "Redis refused an outcome");
        let resolution = match resolution {
            // A name that is taken by another type, a missing permission: no other attempt of the same will do better.
            Resolution::Done(_) if !is_passing(error) => self.again(
                &work,
                &format!("its outcome cannot be published: {error}"),
                None,
            ),
            Resolution::Dead(mut letter) if !is_passing(error) && !letter.also.is_empty() => {
                letter.also.clear();
                Resolution::Dead(letter)
            }
            resolution => {
                self.commit_from = Some(Instant::now() + self.commit_pauses.next_pause());
                resolution
            }
        };
        self.finished.push(Finished::new(work, resolution));
    }

    /// No longer in hand.
    pub(super) fn release(&mut self, ids: &[EntryId]) {
        let gone = ids.iter().filter(|id| self.held.remove(id).is_some());
        let gone = gone.count();
        self.slots.give(gone);
        self.meters.in_flight.set(as_measure(self.held.len()));
    }
}
