//! What came of a message.

use crate::reply::Reply;

/// What came of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It was handled. The replies and the acknowledgement are committed together.
    Done(Vec<Reply>),
    /// It failed for a cause that may pass. It comes again after a back-off, and counts as a delivery.
    Retry {
        /// Why, one sentence.
        reason: String,
    },
    /// It will never succeed. It goes to the dead letters as `refused`.
    Refuse {
        /// Why, and what its producer can do, one sentence.
        detail: String,
        /// What is said in the same step, a result that says so for example. Their ids are `<cause id>/refused.<n>`, from 0: if the dead
        /// letter is replayed, its replies are other messages.
        also: Vec<Reply>,
    },
    /// Something that the worker needs is down. The message waits without spending a delivery.
    Unavailable {
        /// What is down, for example `kubernetes`.
        dependency: String,
        /// How that showed, one sentence.
        detail: String,
    },
}

impl Outcome {
    /// A refusal with nothing else to say.
    pub fn refuse(detail: impl Into<String>) -> Self {
        Self::Refuse {
            detail: detail.into(),
            also: Vec::new(),
        }
    }
}
