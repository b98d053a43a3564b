//! The life of a replica's figures: pushed now and then, at the end once more, then taken back.

use std::time::Duration;

use maestro_streams::CancellationToken;
use maestro_streams::backoff::{Pauses, about, up_to};
use metrics::{Counter, counter};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::names::{Names, Whose};
use crate::process;
use crate::sink::{PushError, Sink};

/// The longest wait after many failures, unless the interval itself is longer.
const LONGEST: Duration = Duration::from_mins(5);
/// Observations are kept one by one until they are sorted into their buckets, which must not wait for a target that is away.
const SORTING: Duration = Duration::from_secs(5);

pub(crate) struct Pusher {
    handle: PrometheusHandle,
    names: Names,
    interval: Duration,
    linger: Duration,
    arrived: Counter,
    failed: Counter,
    /// Since the last one that arrived.
    failures: u32,
}

impl Pusher {
    /// To be made after the recorder was installed.
    pub(crate) fn new(
        handle: PrometheusHandle,
        names: Names,
        interval: Duration,
        linger: Duration,
    ) -> Self {
        Self {
            handle,
            names,
            interval,
            linger,
            arrived: counter!("maestro_metrics_pushes_total", "outcome" => "ok"),
            failed: counter!("maestro_metrics_pushes_total", "outcome" => "failed"),
            failures: 0,
        }
    }

    /// Pushes until `stop` fires, then once more, and takes it back.
    pub(crate) async fn run(mut self, sink: &Sink, stop: CancellationToken) {
        let mut pauses = Pauses::new(self.interval, LONGEST.max(self.interval));
        // Replicas that began together do not push together.
        let mut next = Instant::now() + up_to(self.interval);
        let mut sorting = interval(SORTING);
        sorting.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = sorting.tick() => self.handle.run_upkeep(),
                () = sleep_until(next) => {
                    // Never given up half-way: it could arrive after the last one was taken back.
                    let pushed = self.push(sink).await;
                    let wait = if self.told(pushed) {
                        pauses.reset();
                        about(self.interval)
                    } else {
                        pauses.next_pause()
                    };
                    next = Instant::now() + wait;
                }
            }
        }
        self.end(sink).await;
    }

    async fn push(&self, sink: &Sink) -> Result<(), PushError> {
        process::measure();
        let text = self.handle.render();
        sink.put(&self.names, Whose::Replica, text).await
    }

    /// Whether it arrived. An outage is told once when it begins and once when it ends.
    fn told(&mut self, pushed: Result<(), PushError>) -> bool {
        match pushed {
            Ok(()) => {
                self.arrived.increment(1);
                if self.failures > 0 {
                    tracing::info!(failures = self.failures, "the metrics arrive again");
                }
                self.failures = 0;
                true
            }
            Err(error) => {
                self.failed.increment(1);
                self.failures = self.failures.saturating_add(1);
                if self.failures == 1 {
                    tracing::warn!(%error, "the metrics do not arrive; trying again, and saying no more of it until they do");
                } else {
                    tracing::debug!(%error, failures = self.failures, "the metrics do not arrive");
                }
                false
            }
        }
    }

    async fn end(mut self, sink: &Sink) {
        let pushed = self.push(sink).await;
        if self.told(pushed) && !self.linger.is_zero() {
            tracing::info!(linger = ?self.linger, "the last metrics are left to be read");
            tokio::time::sleep(self.linger).await;
        }
        if let Err(error) = sink.delete(&self.names, Whose::Replica).await {
            tracing::warn!(%error, "the metrics were not taken back: their last values stay at the target");
        }
    }
}

#[cfg(test)]
#[path = "pusher_tests.rs"]
mod tests;
