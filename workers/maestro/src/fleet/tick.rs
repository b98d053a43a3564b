//! The clock of the cleanup worker: every so often one replica, and only one, asks for a sweep.

use std::time::Duration;

use jiff::Timestamp;
use maestro_protocol::environment::CleanupRequested;
use maestro_protocol::{Envelope, Message, Stream, encode};
use maestro_streams::{CancellationToken, Endpoint, Publisher, Tally};
use tokio::time::MissedTickBehavior;

use super::connection;
use crate::config::Settings;
use crate::fault::Fault;
use crate::message::Draft;

/// Who asks, as the source of the message.
const SOURCE: &str = "maestro/cleanup?tick";

/// The clock of one replica.
pub(crate) struct Tick {
    tally: Tally,
    publisher: Publisher,
    interval: Duration,
    replica: String,
}

impl Tick {
    pub(crate) fn new(settings: &Settings, endpoint: &Endpoint) -> Result<Self, Fault> {
        let prefix = &settings.prefix.value;
        let fault = |error| connection::fault(&error);
        Ok(Self {
            tally: Tally::new(endpoint, prefix.clone()).map_err(fault)?,
            publisher: Publisher::new(endpoint, prefix.clone()).map_err(fault)?,
            interval: settings.environments.sweep_interval.value.0,
            replica: format!(
                "{}-{}",
                std::process::id(),
                Timestamp::now().as_nanosecond()
            ),
        })
    }

    /// Ticks until it is told to stop. While Redis is away nothing is asked for, and nothing is made up for later.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                asked = self.ask() => if let Err(error) = asked {
                    tracing::warn!(%error, "no sweep was asked for");
                },
            }
        }
    }

    /// The first one to come in each interval asks. Should two ask for the same interval, the id is the same.
    async fn ask(&self) -> Result<(), maestro_streams::Error> {
        let stream = Stream::Cleanup.name();
        // A little shorter than the interval, so that its end and the next tick do not race.
        let window = self.interval.mul_f32(0.9);
        let count = self
            .tally
            .record(stream, "tick", &self.replica, window)
            .await?;
        if !(count.is_new && count.position == 1) {
            return Ok(());
        }
        let now = Timestamp::now();
        let interval = i128::try_from(self.interval.as_millis())
            .unwrap_or(1)
            .max(1);
        let number = i128::from(now.as_millisecond()) / interval;
        let envelope = Envelope {
            id: Some(format!("sweep-{interval}-{number}")),
            source: Some(SOURCE.to_owned()),
            time: Some(now),
            ..Envelope::default()
        };
        let sweep = Message::from(CleanupRequested {
            expired: Some(true),
            ..CleanupRequested::default()
        });
        let Ok(fields) = encode(&envelope, &sweep) else {
            return Ok(());
        };
        let draft = Draft {
            stream: stream.to_owned(),
            fields,
        };
        self.publisher.publish(&[draft.outgoing()]).await.map(drop)
    }
}
