//! Whether the same failure was seen lately.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Mutex;
use std::time::Duration;

use maestro_streams::Tally;

/// What was seen of a fingerprint within its window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The message that opened the window.
    pub first: String,
    /// The how-manieth message with this fingerprint this one is, from 1.
    pub position: u64,
}

/// The memory of failures cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// Remembers which failures were seen.
///
/// Recording a message again changes nothing and answers the same, so that a message that is delivered a second time
/// does not take itself for a repeat and suppress its own heal.
pub trait Recurrence: Send + Sync + 'static {
    /// Records that a message has a fingerprint. The window begins with the first message, and ends `window` later.
    fn record(
        &self,
        fingerprint: &str,
        message: &str,
        window: Duration,
    ) -> impl Future<Output = Result<Seen, Unavailable>> + Send;
}

/// In Redis, for all triage workers together.
impl Recurrence for Tally {
    async fn record(
        &self,
        fingerprint: &str,
        message: &str,
        window: Duration,
    ) -> Result<Seen, Unavailable> {
        let stream = maestro_protocol::Stream::Errors.name();
        let count = Self::record(self, stream, fingerprint, message, window)
            .await
            .map_err(|error| Unavailable(error.to_string()))?;
        Ok(Seen {
            first: count.first,
            position: count.position,
        })
    }
}

/// In this process, for tests and for trying things out. The window never ends.
#[derive(Debug, Default)]
pub struct InMemory {
    seen: Mutex<HashMap<String, Vec<String>>>,
}

impl Recurrence for InMemory {
    async fn record(
        &self,
        fingerprint: &str,
        message: &str,
        _: Duration,
    ) -> Result<Seen, Unavailable> {
        let mut seen = self
            .seen
            .lock()
            .map_err(|error| Unavailable(error.to_string()))?;
        let messages = seen.entry(fingerprint.to_owned()).or_default();
        let at = messages
            .iter()
            .position(|known| known == message)
            .unwrap_or_else(|| {
                messages.push(message.to_owned());
                messages.len() - 1
            });
        Ok(Seen {
            first: messages[0].clone(),
            position: at as u64 + 1,
        })
    }
}
