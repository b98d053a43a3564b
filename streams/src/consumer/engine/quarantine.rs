//! A message that was in the hands of a worker that was lost is handled alone, so that it takes nobody with it if it is the cause.

use tokio::time::Instant;

use super::Engine;
use crate::Handler;
use crate::consumer::breaker::State;
use crate::consumer::work::Work;

impl<H: Handler> Engine<H> {
    /// Puts a message in the queue that it belongs to.
    pub(super) fn line_up(&mut self, work: Work) {
        if work.deliveries_here >= self.config.quarantine_from {
            self.meters.quarantined.increment(1);
            tracing::warn!(stream = %self.keys.name(), entry = %work.entry.id, correlationid = work.correlation(), deliveries = work.deliveries, "handled alone: it was in the hands of a worker that was lost");
            self.suspects.push_back(work);
            self.set_gate();
        } else {
            self.ready.push_back(work);
        }
    }

    /// Whether a message is being handled alone. What comes in meanwhile waits.
    pub(super) fn is_in_quarantine(&mut self) -> bool {
        if let Some(id) = self.alone
            && !self.held.contains_key(&id)
        {
            self.alone = None;
            self.set_gate();
            // There may be another one, and nothing else is in hand.
            self.next_tend = Instant::now();
        }
        self.alone.is_some()
    }

    /// Begins with the next suspect when everything else is committed.
    pub(super) fn start_suspect(&mut self) {
        while let Some(work) = self.suspects.front()
            && self.held.get(&work.id).is_none_or(|held| held.lost)
        {
            let id = work.id;
            self.suspects.pop_front();
            self.release(&[id]);
        }
        if self.held.len() > self.suspects.len() || self.suspects.is_empty() {
            return;
        }
        if !self.pass.enter_alone() {
            self.blocked = true;
            return;
        }
        if !self.breaker.admit() {
            self.pass.leave();
            return;
        }
        if let Some(work) = self.suspects.pop_front() {
            self.alone = Some(work.id);
            self.handle(work);
        }
        self.set_gate();
    }

    /// Whether one is to be handled alone, or is being.
    pub(super) fn has_suspects(&self) -> bool {
        self.alone.is_some() || !self.suspects.is_empty()
    }

    /// How much may be fetched: nothing while a suspect waits or runs.
    pub(super) fn set_gate(&self) {
        let at_most = if self.has_suspects() {
            0
        } else {
            self.breaker.gate()
        };
        self.slots.set_gate(at_most);
    }

    /// While a dependency is down they are put back like everything else.
    pub(super) fn return_suspects(&mut self, now: Instant) {
        if let State::Open { until } = self.breaker.state() {
            let works = std::mem::take(&mut self.suspects);
            self.put_back(works, until.saturating_duration_since(now));
            self.set_gate();
        }
    }
}
