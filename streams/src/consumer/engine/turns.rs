//! Messages with the same ordering key are handled one after the other, whichever replicas they came to.

use std::time::Duration;

use redis::RedisResult;
use tokio::time::Instant;

use super::{Asked, Engine};
use crate::consumer::turn::{Turn, ask};
use crate::consumer::work::Work;
use crate::{Entry, Handler};

/// The pause after a question that Redis refused to answer, which it does with a full memory.
const PAUSE: Duration = Duration::from_millis(100);

impl<H: Handler> Engine<H> {
    /// Whose turn is it?
    pub(super) fn ask_for_turns(&mut self, now: Instant) {
        if self.unordered.is_empty() || self.asking.is_some() {
            return;
        }
        if self.ask_from.is_some_and(|from| now < from) {
            return;
        }
        self.ask_from = None;
        let Some(mut link) = self.link.clone() else {
            return;
        };
        let size = self.unordered.len().min(self.config.batch);
        self.unordered.sort_unstable_by_key(|work| work.id);
        let works: Vec<Work> = self.unordered.drain(..size).collect();
        let (config, keys, consumer) = (
            self.config.clone(),
            self.keys.clone(),
            self.consumer.clone(),
        );
        self.asking = Some(Box::pin(async move {
            let turns = ask(&mut link, &config, &keys, &consumer, &works).await;
            (works, turns)
        }));
    }

    pub(super) fn asked(&mut self, (works, turns): Asked) {
        let turns: RedisResult<Vec<Turn>> = turns;
        let turns = match turns {
            Ok(turns) => turns,
            Err(error) => {
                // Asking again changes nothing, but what was parked may be in other hands by then.
                self.fence.renew();
                self.unordered.extend(works);
                self.ask_from = Some(Instant::now() + PAUSE);
                return self.link_failed(&error);
            }
        };
        for (mut work, turn) in works.into_iter().zip(turns) {
            match turn {
                Turn::Go => {
                    work.had_its_turn = true;
                    self.admit(work);
                }
                // Whoever has the turn now will hand over the message with its own commit.
                Turn::Wait | Turn::Gone => self.release(&[work.id]),
            }
        }
    }

    /// Messages whose turn has come with a commit of ours.
    pub(super) fn handed_over(&mut self, entries: Vec<Entry>, trusted: bool) {
        if self.stopping.is_some() {
            // Not in hand, so they are handed back with the rest.
            return;
        }
        for entry in entries {
            self.slots.take(1);
            self.receive(entry, 1, trusted);
        }
    }

    /// May be handled, as far as other messages are concerned.
    pub(super) fn admit(&mut self, work: Work) {
        if work.mark.is_some() {
            self.unchecked.push(work);
        } else {
            self.line_up(work);
        }
    }
}
