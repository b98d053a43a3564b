use std::fmt;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::{Clock, ConsumerConfig, Endpoint, Error, Handler, Keys, SystemClock};

mod attempt;
mod batch;
mod breaker;
mod call;
mod control;
mod engine;
mod fence;
mod flights;
mod meters;
mod name;
mod pace;
mod progress;
mod pulse;
mod rate;
mod reader;
mod slots;
mod turn;
mod turnstile;
mod upkeep;
mod work;

pub use progress::{Progress, ProgressError, Published};
pub use pulse::Pulse;

/// Handles the messages of one stream for one group, each exactly once in effect, until it is told to stop.
pub struct Consumer<H> {
    endpoint: Endpoint,
    config: ConsumerConfig,
    keys: Keys,
    name: String,
    handler: Arc<H>,
    clock: Arc<dyn Clock>,
    pulse: Pulse,
}

impl<H> fmt::Debug for Consumer<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("endpoint", &self.endpoint)
            .field("name", &self.name)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl<H: Handler> Consumer<H> {
    /// A consumer that connects when it runs. Fails if the configuration cannot work.
    pub fn new(endpoint: Endpoint, config: ConsumerConfig, handler: H) -> Result<Self, Error> {
        config.validate()?;
        Ok(Self {
            keys: Keys::new(&config.prefix, &config.stream)?,
            name: config.name.clone().unwrap_or_else(name::unique),
            endpoint,
            config,
            handler: Arc::new(handler),
            clock: Arc::new(SystemClock),
            pulse: Pulse::default(),
        })
    }

    /// Another clock for "not before" and for the times written into dead letters.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// This consumer's name in its group.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A view for a liveness probe, valid while and after it runs.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// Runs until `shutdown` fires, then finishes what is in hand within the grace period, hands back the rest so that
    /// another replica may take it at once, and leaves the group.
    ///
    /// # Errors
    /// An outage of Redis is none, it is waited for. Only wrong credentials at the start end it.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        engine::run(self, shutdown).await
    }
}
