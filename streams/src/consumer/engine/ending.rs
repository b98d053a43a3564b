//! The end: what runs is finished, the rest handed back.

use std::time::Duration;

use tokio::time::Instant;

use super::{Engine, Stopping};
use crate::consumer::upkeep::leave;
use crate::{EntryId, Handler};

impl<H: Handler> Engine<H> {
    pub(super) fn stop(&mut self) {
        let now = Instant::now();
        let last = (self.config.grace / 10).min(Duration::from_secs(1));
        self.stopping = Some(Stopping {
            cancel_at: now + self.config.grace,
            abort_at: now + self.config.grace + last,
            give_up_at: now + self.config.grace + last + self.config.response_timeout,
            cancelled: false,
            aborted: false,
        });
        tracing::info!(stream = %self.keys.name(), in_hand = self.held.len(), grace = ?self.config.grace, "stopping");
        self.drop_unstarted();
        if let Some(mut link) = self.link.clone() {
            // What was not begun need not wait for what is running.
            let keep: Vec<EntryId> = self.held.keys().copied().collect();
            let (config, keys, consumer) = (
                self.config.clone(),
                self.keys.clone(),
                self.consumer.clone(),
            );
            if !keep.is_empty() {
                tokio::spawn(async move {
                    // The last hand-over, after the handlers have ended, repeats this one.
                    drop(leave(&mut link, &config, &keys, &consumer, &keep).await);
                });
            }
        }
    }

    pub(super) fn drop_unstarted(&mut self) {
        let ready = self.ready.drain(..).map(|work| work.id);
        let unchecked = self.unchecked.drain(..).map(|work| work.id);
        let unordered = self.unordered.drain(..).map(|work| work.id);
        let suspects = self.suspects.drain(..).map(|work| work.id);
        let ids: Vec<EntryId> = ready
            .chain(unordered)
            .chain(unchecked)
            .chain(suspects)
            .collect();
        self.release(&ids);
    }

    pub(super) fn stop_step(&mut self, now: Instant) {
        let Some(stopping) = &mut self.stopping else {
            return;
        };
        if !stopping.cancelled && now >= stopping.cancel_at {
            stopping.cancelled = true;
            for held in self.held.values() {
                held.cancelled.cancel();
            }
        }
        if !stopping.aborted && now >= stopping.abort_at {
            stopping.aborted = true;
            self.running.abort_all();
        }
    }

    /// Whether Redis has had its last chance to take the last outcomes.
    pub(super) fn overdue(&self) -> bool {
        let now = Instant::now();
        self.stopping
            .as_ref()
            .is_some_and(|stopping| stopping.aborted && now >= stopping.give_up_at)
    }

    pub(super) async fn leave(&mut self) {
        self.beat();
        let (stream, group) = (self.keys.name().clone(), &self.config.group);
        let Some(link) = &mut self.link else {
            tracing::warn!(%stream, %group, "Redis is not reachable; what is in hand will be taken over after a lease");
            return;
        };
        match leave(link, &self.config, &self.keys, &self.consumer, &[]).await {
            Ok(handed_back) => tracing::info!(%stream, %group, handed_back, "left the group"),
            Err(error) => {
                tracing::warn!(%stream, %group, %error, "could not leave the group in order; what is in hand will be taken over after a lease");
            }
        }
    }
}
