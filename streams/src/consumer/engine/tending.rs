//! Leases, recovery, take-over, retries that are due, housekeeping: what comes back from each tick.

use std::time::Duration;

use tokio::time::Instant;

use super::{Engine, Recovery, TendingEnded, as_measure};
use crate::backoff::about;
use crate::consumer::breaker::State;
use crate::consumer::name;
use crate::consumer::upkeep::{Found, GroupState, Housekept, Tend, housekeep};
use crate::consumer::work::Work;
use crate::{EntryId, Handler};

impl<H: Handler> Engine<H> {
    pub(super) fn tend(&mut self, now: Instant) {
        if self.tending.is_some() || now < self.next_tend {
            return;
        }
        self.beat();
        let Some(mut link) = self.link.clone() else {
            return;
        };
        let stopping = self.stopping.is_some();
        let recover = self.recover.as_ref().filter(|_| !stopping);
        let recover = recover.map(|recovery| recovery.counts);
        let due = self.config.lease / 4;
        let whole = recover.is_some() || self.fence.is_stale();
        let held = self
            .held
            .iter()
            .filter(|(_, held)| !held.lost && (whole || now.duration_since(held.leased) >= due));
        let token = match (self.fence.wants_another(), self.fence.is_stale()) {
            (true, _) => "new",
            (false, true) => "",
            (false, false) => self.fence.token(),
        };
        let tend = Tend {
            consumer: self.consumer.clone(),
            held: held.map(|(id, _)| *id).collect(),
            whole,
            token: token.to_owned(),
            want: if stopping || self.has_suspects() || self.breaker.state() != State::Closed {
                0
            } else {
                let free = self.config.concurrency.saturating_sub(self.held.len());
                free.min(self.config.batch)
            },
            suspects: match (self.has_suspects(), self.held.is_empty()) {
                (true, _) => -1,
                (false, true) => 1,
                (false, false) => 0,
            },
            recover,
        };
        let housekeeping = now >= self.next_housekeeping;
        if housekeeping {
            self.next_housekeeping = now + about(self.config.housekeeping);
        }
        let period = self.config.upkeep.min(self.config.lease / 6);
        self.next_tend = now + about(period);
        let (config, keys, consumer) = (
            self.config.clone(),
            self.keys.clone(),
            self.consumer.clone(),
        );
        let up = now.saturating_duration_since(self.began);
        self.tending = Some(Box::pin(async move {
            let about = name::about(&config.version, config.concurrency, up);
            let housekept = if housekeeping {
                Some(housekeep(&mut link, &config, &keys, &consumer, &about).await)
            } else {
                None
            };
            let tended = tend.run(&mut link, &config, &keys).await;
            (tend, now, tended, housekept)
        }));
    }

    pub(super) fn tended(&mut self, (tend, asked, tended, housekept): TendingEnded) {
        match housekept {
            None => {}
            Some(Ok(housekept)) => self.housekept(housekept),
            Some(Err(error)) => self.link_failed(&error),
        }
        let tended = match tended {
            Ok(tended) => tended,
            Err(error) => return self.link_failed(&error),
        };
        let now = Instant::now();
        for id in &tend.held {
            if let Some(held) = self.held.get_mut(id) {
                held.leased = asked;
            }
        }
        for id in tended.lost {
            if let Some(held) = self.held.get_mut(&id)
                && !held.lost
            {
                held.lost = true;
                if held.committing {
                    // The answer says what became of it.
                    continue;
                }
                held.cancelled.cancel();
                self.meters.fenced.increment(1);
                tracing::warn!(stream = %self.keys.name(), entry = %id, "the lease was lost; the handler is told to stop");
                self.drop_if_idle(id);
            }
        }
        self.learn(&tend, asked, tended.token);
        if tended.vanished > 0 {
            self.meters.vanished.increment(tended.vanished);
            tracing::error!(stream = %self.keys.name(), entries = tended.vanished, "pending entries no longer exist: somebody trimmed or deleted what was not handled yet");
        }
        let mut found = 0;
        for (entry, count, kind) in tended.found {
            if self.held.contains_key(&entry.id) {
                continue;
            }
            match kind {
                Found::Own => self.meters.recovered.increment(1),
                Found::Taken => {
                    self.meters.taken_over.increment(1);
                    tracing::info!(stream = %self.keys.name(), entry = %entry.id, deliveries = count, "taken over");
                }
            }
            found += 1;
            self.slots.take(1);
            self.receive(entry, count, false);
        }
        if found > 0 {
            // A read that is under way, or another answer, may bring the same once more.
            self.fence.pass();
            self.doubt();
        }
        // What is overdue and did not move (a full memory, say) waits for the next tick.
        if let Some(due_in) = tended.due_in
            && (tended.moved > 0 || due_in > Duration::ZERO)
        {
            // Replicas need not all come at the same moment.
            let jitter = crate::backoff::up_to(Duration::from_millis(10));
            self.next_tend = self.next_tend.min(now + due_in + jitter);
        }
        if tend.recover.is_some() && found >= 1000 {
            // There may be more.
            self.next_tend = now;
        } else if tend.recover.is_some()
            && let Some(Recovery {
                go_on: Some(go_on), ..
            }) = self.recover.take()
        {
            // The reader may have gone; then another one will ask.
            let _ = go_on.send(());
        }
    }

    /// What the fence token covers after a tick.
    fn learn(&mut self, tend: &Tend, asked: Instant, token: String) {
        if tend.token == token && !token.is_empty() {
            return;
        }
        if !tend.whole {
            return self.doubt();
        }
        // Everything in hand was looked up, except what came (or came again) while the answer was on its way.
        if self.fence.learn(token) {
            for held in self.held.values_mut() {
                held.trusted = false;
            }
        }
        for id in &tend.held {
            if let Some(held) = self.held.get_mut(id)
                && held.since <= asked
            {
                held.trusted = true;
            }
        }
        if self.held.values().any(|held| !held.trusted) {
            self.doubt();
        }
    }

    /// The fence token does not cover what is in hand: everything is looked up at once. With a full memory there may be no token;
    /// then each commit looks up what it needs.
    pub(super) fn doubt(&mut self) {
        self.fence.doubt();
        if !self.fence.token().is_empty() {
            self.next_tend = Instant::now();
        }
    }

    /// A message that was lost while it waited for its turn or for its commit.
    pub(super) fn drop_if_idle(&mut self, id: EntryId) {
        let waits = |work: &Work| work.id == id;
        let before = self.finished.len();
        self.finished.retain(|item| !waits(&item.work));
        if self.finished.len() < before {
            self.release(&[id]);
        }
    }

    pub(super) fn housekept(&mut self, housekept: Housekept) {
        for consumer in housekept.deleted {
            self.meters.consumers_deleted.increment(1);
            tracing::info!(stream = %self.keys.name(), group = %self.config.group, %consumer, "a dead consumer is deleted");
        }
        self.meters.trimmed.increment(housekept.trimmed);
        for group in housekept.groups {
            if group.name == self.config.group {
                let backlog = group.lag.map(|lag| lag + group.pending);
                let backlog = backlog.and_then(|n| usize::try_from(n).ok());
                if let Some(backlog) = backlog {
                    self.meters.backlog.set(as_measure(backlog));
                }
            } else {
                self.report_abandoned(&group);
            }
        }
    }

    /// A group that nobody reads keeps the stream from being trimmed: somebody should know.
    pub(super) fn report_abandoned(&mut self, group: &GroupState) {
        let waiting = group.pending + group.lag.unwrap_or(0);
        if group.consumers > 0 || waiting == 0 {
            self.reported.remove(&group.name);
        } else if self.reported.insert(group.name.clone()) {
            tracing::warn!(stream = %self.keys.name(), group = %group.name, waiting, "a group has messages and no consumer: the stream cannot be trimmed past them; start a worker or delete the group");
        }
    }

    pub(super) fn beat(&self) {
        let oldest = self.held.values().filter_map(|held| held.running).min();
        self.pulse.beat(
            self.keys.is_urgent(),
            self.link.is_some(),
            oldest,
            self.held.len(),
        );
    }
}
