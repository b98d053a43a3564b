//! What a worker says before it is done: through the stream runtime, or into a record for tests.

use std::collections::HashSet;
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use maestro_protocol::{Envelope, Refusal};
use maestro_streams::{Delivery, Outgoing, ProgressError, Published};
use tracing::{debug, info};

use crate::meters;
use crate::outcome::Outcome;
use crate::reply::{Reply, named};
use crate::typed::{deduplication_key, since};

/// The longest key of something that is said.
const MAX_KEY_BYTES: usize = 256;

/// Why something was not said. An [`Outcome`] can be made of it, for a worker that has nothing better to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsaid {
    /// The message is another worker's by now, or this one ends: stop. Whatever is returned changes nothing, and leaves whatever
    /// was begun to the one who handles the message next.
    #[error("the message is no longer this worker's")]
    Lost,
    /// The key or the reply is one that no reader would take.
    #[error("what was to be said cannot be published: {detail}")]
    Unfit {
        /// Why, one sentence.
        detail: String,
    },
    /// Redis does not take it, for a reason that does not pass by waiting.
    #[error("what was to be said was not taken: {detail}")]
    Refused {
        /// Why, one sentence.
        detail: String,
    },
}

impl Unsaid {
    fn unfit(detail: &dyn Display) -> Self {
        Self::Unfit {
            detail: detail.to_string(),
        }
    }
}

impl From<Refusal> for Unsaid {
    fn from(refusal: Refusal) -> Self {
        Self::unfit(&refusal)
    }
}

impl From<Unsaid> for Outcome {
    /// What is unfit will be so the next time: it is refused. The rest comes again.
    fn from(unsaid: Unsaid) -> Self {
        match unsaid {
            Unsaid::Unfit { .. } => Self::refuse(unsaid.to_string()),
            Unsaid::Lost | Unsaid::Refused { .. } => Self::Retry {
                reason: unsaid.to_string(),
            },
        }
    }
}

/// Whose a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The message's that is being handled.
    Cause,
    /// Every message's of the stream.
    Stream,
}

/// Where it is said.
#[derive(Clone)]
pub(crate) enum Voice {
    Live(Arc<Live>),
    Record(Record),
}

/// Says it through the stream runtime.
pub(crate) struct Live {
    pub(crate) delivery: Delivery,
    pub(crate) cause: Envelope,
    pub(crate) worker: &'static str,
}

/// What a worker said in a test.
#[derive(Clone, Default)]
pub(crate) struct Record {
    shared: Arc<Mutex<Recorded>>,
    cause: usize,
}

#[derive(Default)]
struct Recorded {
    said: Vec<(String, Reply)>,
    /// With the number of the message that they belong to, or none.
    keys: HashSet<(Option<usize>, String)>,
    causes: usize,
}

/// `Cause` keys become the last part of an id: they must not be taken for another's, nor for the number of a reply.
fn check(scope: Scope, key: &str) -> Result<(), Unsaid> {
    let fits = match scope {
        Scope::Cause => key.starts_with(char::is_alphabetic) && !key.contains('/'),
        Scope::Stream => !key.is_empty(),
    };
    let expected = match scope {
        Scope::Cause => "a word that begins with a letter and contains no `/`",
        Scope::Stream => "not empty",
    };
    if fits && key.len() <= MAX_KEY_BYTES && !key.contains(char::is_control) {
        Ok(())
    } else {
        Err(Unsaid::unfit(&format_args!(
            "its key must be {expected}, and has at most {MAX_KEY_BYTES} bytes, but it is {key:?}"
        )))
    }
}

/// The id's last part for each of several replies under one key; one reply has the key itself.
fn numbered(key: &str, several: bool) -> impl Iterator<Item = String> {
    (0..).map(move |number: usize| {
        if several {
            format!("{key}.{number}")
        } else {
            key.to_owned()
        }
    })
}

impl Voice {
    /// Says these under one key: all or none, once. `several` distinguishes a list of one from one.
    pub(crate) async fn say(
        &self,
        (scope, key): (Scope, &str),
        replies: Vec<Reply>,
        several: bool,
        now: Timestamp,
    ) -> Result<(), Unsaid> {
        check(scope, key)?;
        match self {
            Self::Live(live) => live.say((scope, key), &replies, several, now).await,
            Self::Record(record) => record.say((scope, key), replies),
        }
    }
}

impl Live {
    async fn say(
        &self,
        (scope, key): (Scope, &str),
        replies: &[Reply],
        several: bool,
        now: Timestamp,
    ) -> Result<(), Unsaid> {
        let outgoing = replies.iter().zip(numbered(key, several));
        let outgoing = outgoing.map(|(reply, part)| {
            let envelope = match scope {
                Scope::Cause => Envelope::caused_by(&self.cause, part, self.worker, now),
                Scope::Stream => Envelope::said_once(&self.cause, part, self.worker, now),
            };
            reply.outgoing(envelope, self.delivery.urgent)
        });
        let outgoing = outgoing.collect::<Result<Vec<Outgoing>, Refusal>>()?;
        let published = self
            .delivery
            .publish(&self.runtime_key(scope, key), outgoing)
            .await;
        let id = self.cause.id.as_deref().unwrap_or_default();
        let correlation = self.cause.correlation().unwrap_or_default();
        let (worker, detail) = (self.worker, named(replies));
        match published {
            Ok(Published::Now) => {
                let age = since(self.delivery.entry.id.ms, now);
                for reply in replies {
                    meters::said(reply.message(), age);
                }
                info!(worker, id, correlation, key, detail, "said");
            }
            Ok(Published::Already) => debug!(worker, id, correlation, key, detail, "said before"),
            Err(ProgressError::Lost) => return Err(Unsaid::Lost),
            Err(ProgressError::Unfit(error)) => return Err(Unsaid::unfit(&error)),
            Err(error) => {
                let detail = error.to_string();
                return Err(Unsaid::Refused { detail });
            }
        }
        Ok(())
    }

    /// The key under which the runtime knows it. A message's key is that of its cause and the worker's own, each with its length or in a place
    /// where it ends, so that no two make the same.
    fn runtime_key(&self, scope: Scope, key: &str) -> String {
        let entry = &self.delivery.entry;
        match (scope, deduplication_key(entry)) {
            (Scope::Stream, _) => format!("once {key}"),
            (Scope::Cause, Some(cause)) => format!("by {} {cause} {key}", cause.len()),
            // The two lanes count their entries each for itself.
            (Scope::Cause, None) if self.delivery.urgent => format!("of urgent {} {key}", entry.id),
            (Scope::Cause, None) => format!("of {} {key}", entry.id),
        }
    }
}

impl Record {
    fn say(&self, (scope, key): (Scope, &str), replies: Vec<Reply>) -> Result<(), Unsaid> {
        for reply in &replies {
            // As the real one does.
            reply.outgoing(Envelope::default(), false)?;
        }
        let cause = match scope {
            Scope::Cause => Some(self.cause),
            Scope::Stream => None,
        };
        let mut recorded = self.lock();
        if recorded.keys.insert((cause, key.to_owned())) {
            let said = replies.into_iter().map(|reply| (key.to_owned(), reply));
            recorded.said.extend(said);
        }
        Ok(())
    }

    pub(crate) fn said(&self) -> Vec<(String, Reply)> {
        self.lock().said.clone()
    }

    /// The same record for another message.
    pub(crate) fn another(&self) -> Self {
        let mut recorded = self.lock();
        recorded.causes += 1;
        Self {
            shared: Arc::clone(&self.shared),
            cause: recorded.causes,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Recorded> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
