//! Handlers run, and what they return becomes a resolution.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Engine, TURN};
use crate::backoff::full_jitter;
use crate::consumer::attempt::{Attempt, Ended};
use crate::consumer::breaker::State;
use crate::consumer::work::{Finished, Resolution, Work};
use crate::publisher::check;
use crate::{DeadLetter, Delivery, Error, Handler, Keys, Outcome, Outgoing, Progress};

impl<H: Handler> Engine<H> {
    pub(super) fn start(&mut self) -> bool {
        let began = Instant::now();
        if self.is_in_quarantine() {
            return false;
        }
        self.blocked = false;
        while !self.ready.is_empty() {
            if self.stopping.is_some() {
                self.drop_unstarted();
                self.pass.wants_nothing();
                return false;
            }
            if let State::Open { until } = self.breaker.state() {
                let wait = until.saturating_duration_since(began);
                let works = std::mem::take(&mut self.ready);
                self.pass.wants_nothing();
                self.put_back(works, wait);
                return false;
            }
            self.drop_lost();
            if self.ready.is_empty() {
                break;
            }
            if !self.pass.enter() {
                self.blocked = true;
                return false;
            }
            if !self.breaker.admit() {
                self.pass.leave();
                return false;
            }
            self.set_gate();
            match self.ready.pop_front() {
                Some(work) => self.handle(work),
                None => self.pass.leave(),
            }
            if began.elapsed() > TURN {
                return true;
            }
        }
        if self.ready.is_empty() {
            // They may have been lost since they had to wait.
            self.pass.wants_nothing();
        }
        if self.ready.is_empty() && self.stopping.is_none() && !self.suspects.is_empty() {
            self.return_suspects(began);
            self.start_suspect();
        }
        false
    }

    /// Not now, which counts as no delivery.
    pub(super) fn put_back(&mut self, works: VecDeque<Work>, wait: Duration) {
        let returned = works.into_iter();
        let returned = returned.map(|work| Finished::new(work, Resolution::Return(wait)));
        self.finished.extend(returned);
    }

    /// What was lost while it waited for its turn is not begun.
    pub(super) fn drop_lost(&mut self) {
        while let Some(work) = self.ready.front()
            && self.held.get(&work.id).is_none_or(|held| held.lost)
        {
            let id = work.id;
            self.ready.pop_front();
            self.release(&[id]);
        }
    }

    pub(super) fn handle(&mut self, work: Work) {
        let waited = self.clock.now_ms().saturating_sub(work.id.ms);
        self.meters
            .wait_seconds
            .record(Duration::from_millis(waited));
        let cancelled = match self.held.get_mut(&work.id) {
            Some(held) => {
                held.running = Some(Instant::now());
                held.cancelled.clone()
            }
            None => CancellationToken::new(),
        };
        let delivery = Delivery {
            stream: self.keys.name().clone(),
            urgent: self.keys.is_urgent(),
            entry: work.entry.clone(),
            deliveries: work.deliveries,
            cancelled,
            progress: Progress::new(self.line.clone(), work.id),
        };
        let handler = self.handler.clone();
        let mut attempt = Attempt::new(async move { handler.handle(delivery).await });
        if self.pace.is_inline() {
            // If it has to wait for something, a task of its own polls it again, with a waker that wakes.
            let mut context = Context::from_waker(Waker::noop());
            if let Poll::Ready(ended) = Pin::new(&mut attempt).poll(&mut context) {
                self.ended(work, ended);
                return;
            }
        }
        self.running.spawn(async move { (work, attempt.await) });
    }

    pub(super) fn joined(&mut self, ended: Result<(Work, Ended), tokio::task::JoinError>) {
        match ended {
            Ok((work, ended)) => self.ended(work, ended),
            // Aborted at the end of the grace period, and handed back.
            Err(_) => self.pass.leave(),
        }
    }

    pub(super) fn ended(&mut self, work: Work, (outcome, took): Ended) {
        self.pass.leave();
        self.pace.record(took);
        self.meters.handler_seconds.record(took);
        let outcome = outcome.unwrap_or_else(|said| Outcome::Retry {
            reason: format!("the handler panicked: {said}"),
            after: None,
        });
        if !matches!(outcome, Outcome::Unavailable { .. }) && self.breaker.succeeded() {
            self.meters.breaker_open.set(0.0);
            tracing::info!(stream = %self.keys.name(), "the dependency is available again");
            self.set_gate();
        }
        if let Outcome::Unavailable { dependency, detail } = &outcome {
            let wait = self.breaker.failed(Instant::now());
            self.set_gate();
            self.meters.breaker_open.set(1.0);
            tracing::warn!(stream = %self.keys.name(), entry = %work.entry.id, correlationid = work.correlation(), %dependency, %detail, ?wait, "a dependency is unavailable; not fetching");
        }
        match self.held.get_mut(&work.id) {
            Some(held) if !held.lost => held.running = None,
            _ => {
                self.release(&[work.id]);
                return;
            }
        }
        let resolution = match outcome {
            Outcome::Done(messages) => match self.unfit(&messages) {
                None => Resolution::Done(messages),
                Some(letter) => Resolution::Dead(letter),
            },
            Outcome::Retry { reason, after } => self.again(&work, &reason, after),
            Outcome::Dead(mut letter) => {
                if let Some(unfit) = self.unfit(&letter.also) {
                    tracing::error!(stream = %self.keys.name(), entry = %work.entry.id, detail = %unfit.detail, "a dead letter's companions cannot be published");
                    letter.also.clear();
                }
                Resolution::Dead(letter)
            }
            Outcome::Unavailable { .. } => {
                let wait = match self.breaker.state() {
                    State::Open { until } => until.saturating_duration_since(Instant::now()),
                    State::Closed | State::HalfOpen { .. } => Duration::ZERO,
                };
                Resolution::Return(wait)
            }
        };
        self.finished.push(Finished::new(work, resolution));
    }

    /// Why these messages cannot be published, if they cannot. The handler would return the same again, so it is not asked.
    pub(super) fn unfit(&self, messages: &[Outgoing]) -> Option<DeadLetter> {
        messages.iter().find_map(|message| {
            let fits = check(message, self.config.max_entry_bytes);
            let fits =
                fits.and_then(|()| Keys::new(&self.config.prefix, &message.stream).map(drop));
            let error = fits.err()?;
            let reason = match error {
                Error::TooLarge { .. } => "oversized",
                _ => "refused",
            };
            let detail = format!("the handler's outcome cannot be published: {error}");
            Some(DeadLetter::new(reason, detail))
        })
    }

    /// Another delivery, or none if there were enough.
    pub(super) fn again(&self, work: &Work, reason: &str, after: Option<Duration>) -> Resolution {
        if work.deliveries >= self.config.max_deliveries {
            return Resolution::Dead(DeadLetter::new(
                "exhausted",
                format!(
                    "delivered {} times; the last time: {reason}",
                    work.deliveries
                ),
            ));
        }
        let (base, cap) = (self.config.retry_base, self.config.retry_cap);
        let wait = after.unwrap_or_else(|| full_jitter(base, cap, work.deliveries));
        tracing::info!(stream = %self.keys.name(), entry = %work.entry.id, correlationid = work.correlation(), deliveries = work.deliveries, %reason, ?wait, "to be retried");
        Resolution::Retry(wait)
    }
}
