//! Messages come in, and are looked at.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Engine, Held, Recovery, as_measure};
use crate::consumer::attempt::said;
use crate::consumer::reader::Event;
use crate::consumer::work::{Finished, Mark, Resolution, Work};
use crate::handler::Verdict as Inspected;
use crate::publisher::MAX_FIELDS;
use crate::{DeadLetter, Entry, Handler};

impl<H: Handler> Engine<H> {
    pub(super) fn event(&mut self, event: Event) {
        match event {
            Event::Connected { go_on } => {
                self.connections += 1;
                // Entries found at the start were delivered to an earlier process of this name; later ones only to a
                // connection that broke, and to no handler.
                self.recover = Some(Recovery {
                    counts: self.connections == 1,
                    go_on: Some(go_on),
                });
                self.next_tend = Instant::now();
            }
            Event::Entries(entries, epoch) => {
                if self.stopping.is_some() {
                    // Not in hand, so it is handed back with the rest.
                    self.slots.give(entries.len());
                    return;
                }
                let trusted = self.fence.covers(epoch);
                if !trusted {
                    self.doubt();
                }
                for entry in entries {
                    self.receive(entry, 1, trusted);
                }
                self.meters.in_flight.set(as_measure(self.held.len()));
            }
        }
    }

    /// Takes a message in hand and looks at it. `trusted`: it is covered by the fence token.
    pub(super) fn receive(&mut self, entry: Entry, count: u32, trusted: bool) {
        let mut work = Work::new(entry, count, self.config.order_by.as_deref());
        if let Some(held) = self.held.get_mut(&work.id) {
            // Found twice: by the reader and by a recovery, or again after the group was made anew.
            self.slots.give(1);
            if !held.lost {
                held.leased = Instant::now();
                return;
            }
            if held.committing {
                // No two commits carry the same entry. If it is still ours when that one is answered, it will be found again.
                return;
            }
        }
        let held = Held {
            cancelled: CancellationToken::new(),
            since: Instant::now(),
            leased: Instant::now(),
            running: None,
            committing: false,
            lost: false,
            trusted,
        };
        self.held.insert(work.id, held);
        match self.inspect(&mut work) {
            None if work.order.is_some() => self.unordered.push(work),
            None => self.admit(work),
            Some(resolution) => self.finished.push(Finished::new(work, resolution)),
        }
    }

    /// What can be said without running the handler.
    pub(super) fn inspect(&self, work: &mut Work) -> Option<Resolution> {
        let dead =
            |reason: &str, detail: String| Some(Resolution::Dead(DeadLetter::new(reason, detail)));
        let fields = &work.entry.fields;
        let (bytes, limit) = (fields.byte_len(), self.config.max_entry_bytes);
        if bytes > limit {
            return dead("oversized", format!("{bytes} bytes, the limit is {limit}"));
        }
        if fields.len() > MAX_FIELDS {
            let n = fields.len();
            return dead(
                "oversized",
                format!("{n} fields, the limit is {MAX_FIELDS}"),
            );
        }
        let exhausted = work.deliveries > self.config.max_deliveries;
        // A message that ends its worker when it is only looked at gets one look less.
        let inspection = if work.deliveries > self.config.max_deliveries + 1 {
            Ok(crate::Inspection {
                key: self.handler.key(&work.entry),
                ..crate::Inspection::handle()
            })
        } else {
            catch_unwind(AssertUnwindSafe(|| self.handler.inspect(&work.entry)))
        };
        let inspection = match inspection {
            Ok(inspection) => inspection,
            Err(panic) => {
                return Some(self.again(
                    work,
                    &format!("the look at it panicked: {}", said(panic.as_ref())),
                    None,
                ));
            }
        };
        work.mark = inspection.key.as_deref().map(Mark::of);
        if exhausted {
            return dead(
                "exhausted",
                format!(
                    "delivered {} times and never finished: it may end the worker that handles it",
                    work.deliveries - 1
                ),
            );
        }
        match inspection.verdict {
            Inspected::Dead { reason, detail } => dead(&reason, detail),
            Inspected::NotBefore { due_ms } if due_ms > self.clock.now_ms() => {
                Some(Resolution::NotBefore(due_ms))
            }
            Inspected::Handle | Inspected::NotBefore { .. } => None,
        }
    }
}
