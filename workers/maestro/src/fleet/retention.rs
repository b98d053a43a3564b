//! The results streams have no worker that would trim them: every process of the fleet does it, once a minute.
//!
//! Each replica does it rather than one that was elected: asking who it is would cost the same round trip as the trimming, which is idempotent.

use std::time::Duration;

use maestro_streams::{Admin, CancellationToken, Endpoint};
use tokio::time::MissedTickBehavior;

use super::connection;
use crate::config::Settings;
use crate::fault::Fault;
use crate::results;

/// How often.
const INTERVAL: Duration = Duration::from_mins(1);

/// What is kept, and for how long.
pub(crate) struct Retention {
    admin: Admin,
    time: Duration,
}

impl Retention {
    /// `None` if results are kept for ever.
    pub(crate) fn new(settings: &Settings, endpoint: &Endpoint) -> Result<Option<Self>, Fault> {
        let Some(time) = settings.trail.retention() else {
            return Ok(None);
        };
        let admin = Admin::new(endpoint, settings.prefix.value.clone())
            .map_err(|error| connection::fault(&error))?;
        Ok(Some(Self { admin, time }))
    }

    /// Trims until it is told to stop. While Redis is away nothing is trimmed, and nothing is made up for later.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.trim() => {}
            }
        }
    }

    async fn trim(&self) {
        for stream in results::STREAMS {
            match self.admin.retain(stream.name(), self.time).await {
                Ok(0) => {}
                Ok(trimmed) => tracing::info!(%stream, trimmed, "old results went"),
                Err(error) => tracing::warn!(%stream, %error, "old results could not be trimmed"),
            }
        }
    }
}
