//! What a worker may know of the world while it handles a message, and what it may say before it is done.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::reply::Reply;
use crate::voice::{Live, Record, Scope, Unsaid, Voice};

/// What a worker may know of the world while it handles a message, and what it may say before it is done. Clones are the same.
#[derive(Clone)]
pub struct Context {
    clock: Arc<dyn Clock>,
    cancelled: CancellationToken,
    deliveries: u64,
    voice: Voice,
}

impl Context {
    /// The context of one delivery, for tests: what is said is kept, for [`Context::said`] to tell.
    pub fn new(clock: Arc<dyn Clock>, cancelled: CancellationToken, deliveries: u64) -> Self {
        Self {
            clock,
            cancelled,
            deliveries,
            voice: Voice::Record(Record::default()),
        }
    }

    /// The context of a first delivery at a time that stands still, for tests.
    pub fn at(now: Timestamp) -> Self {
        Self::new(Arc::new(now), CancellationToken::new(), 1)
    }

    pub(crate) fn live(clock: Arc<dyn Clock>, live: Arc<Live>) -> Self {
        Self {
            clock,
            cancelled: live.delivery.cancelled.clone(),
            deliveries: live.delivery.deliveries.into(),
            voice: Voice::Live(live),
        }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Cancelled when the worker is to stop or has lost the message.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// How often the message was delivered, this time included.
    pub fn deliveries(&self) -> u64 {
        self.deliveries
    }

    /// Says something at once, while the message is still being handled. It stands in its stream when this returns, before the replies of
    /// the outcome and whatever the outcome will be.
    ///
    /// It is said once for each `key` (`ready`, say: a word that begins with a letter, without `/`), in whichever delivery of this message
    /// comes first to it; when it was said before, this does nothing and is no error. So a worker that is handed the message of a lost
    /// one runs through the same calls again. The id is `<cause id>/<key>`, everything else as in a reply.
    /// While Redis is away this waits.
    ///
    /// # Errors
    /// See [`Unsaid`]; after [`Unsaid::Lost`] the worker should stop at once.
    pub async fn say(&self, key: &str, reply: Reply) -> Result<(), Unsaid> {
        self.speak(Scope::Cause, key, vec![reply], false).await
    }

    /// As [`Context::say`], for several that belong together: all of them are said or none. Their ids are `<cause id>/<key>.<n>`, from 0.
    ///
    /// # Errors
    /// As [`Context::say`].
    pub async fn say_all(&self, key: &str, replies: Vec<Reply>) -> Result<(), Unsaid> {
        self.speak(Scope::Cause, key, replies, true).await
    }

    /// As [`Context::say`], once for all messages of this worker's stream: for a fact that two messages may come upon ("environment
    /// with uid 7 is deleted"). The id is `key` itself, the source `maestro/<worker>?once`, so that it is the same message
    /// whoever says it. For as long as ids are remembered (`delivery.dedup_window`), so the key should name a thing that does not
    /// come again.
    ///
    /// # Errors
    /// As [`Context::say`]; the key may be any text.
    pub async fn say_once(&self, key: &str, reply: Reply) -> Result<(), Unsaid> {
        self.speak(Scope::Stream, key, vec![reply], false).await
    }

    async fn speak(
        &self,
        scope: Scope,
        key: &str,
        replies: Vec<Reply>,
        several: bool,
    ) -> Result<(), Unsaid> {
        if self.cancelled.is_cancelled() {
            return Err(Unsaid::Lost);
        }
        let now = self.now();
        self.voice.say((scope, key), replies, several, now).await
    }

    /// For tests: what was said, with its keys, in order. A real delivery's context does not remember, and tells nothing.
    pub fn said(&self) -> Vec<(String, Reply)> {
        match &self.voice {
            Voice::Record(record) => record.said(),
            Voice::Live(_) => Vec::new(),
        }
    }

    /// For tests: the context of another message of the same stream. What is said in either stands in one record; keys of
    /// [`Context::say_once`] are the same keys, those of [`Context::say`] are others.
    #[must_use]
    pub fn another(&self) -> Self {
        let voice = match &self.voice {
            Voice::Record(record) => Voice::Record(record.another()),
            Voice::Live(live) => Voice::Live(Arc::clone(live)),
        };
        Self {
            cancelled: CancellationToken::new(),
            voice,
            ..self.clone()
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("now", &self.now())
            .field("cancelled", &self.cancelled.is_cancelled())
            .field("deliveries", &self.deliveries)
            .finish_non_exhaustive()
    }
}
