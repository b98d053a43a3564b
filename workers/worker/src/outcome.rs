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
    },
    /// Something that the worker needs is down. The message waits without spending a delivery.
    Unavailable {
        /// What is down, for example `kubernetes`.
        dependency: String,
        /// How that showed, one sentence.
        detail: String,
    },
}
