use redis::RedisError;

use crate::endpoint::InvalidUrl;
use crate::{Endpoint, link};

/// Why an operation on the streams failed: what was tried, and on what.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL cannot be used.
    #[error(transparent)]
    Url(#[from] InvalidUrl),
    /// A stream's name cannot be used as a key with a hash tag.
    #[error(
        "the stream name {name:?} is empty or contains braces, which mark a hash tag in Redis Cluster: choose another one"
    )]
    StreamName {
        /// The name, with its prefix.
        name: String,
    },
    /// A setting cannot work.
    #[error("the setting {member} of the consumer of {stream:?} must be {expected}")]
    Config {
        /// Whose.
        stream: String,
        /// Which.
        member: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// No connection.
    #[error("unable to reach Redis at {endpoint}")]
    Connect {
        /// Where; the password is masked.
        endpoint: String,
        /// Why not.
        #[source]
        source: RedisError,
    },
    /// A certificate, ours or the server's, is not accepted.
    #[error(
        "no encrypted connection to Redis at {endpoint}: {detail} (the URL's option ca names the authority to trust, cert and key our own certificate)"
    )]
    Certificate {
        /// Where; the password is masked.
        endpoint: String,
        /// What is wrong with it.
        detail: String,
    },
    /// All pooled connections are in use, or none could be made.
    #[error("no connection to Redis at {endpoint} from the pool: {detail}")]
    Pool {
        /// Where; the password is masked.
        endpoint: String,
        /// Why not.
        detail: String,
    },
    /// A command failed.
    #[error("unable to {tried} {key:?}")]
    Command {
        /// What was tried, to be followed by the key.
        tried: &'static str,
        /// On which key.
        key: String,
        /// What Redis or the connection said.
        #[source]
        source: RedisError,
    },
    /// Redis answered something that the command's documentation does not foresee.
    #[error("unexpected answer when trying to {tried} {key:?}")]
    Answer {
        /// What was tried, to be followed by the key.
        tried: &'static str,
        /// On which key.
        key: String,
    },
    /// A message that consumers would refuse is not published.
    #[error(
        "a message for {stream:?} has {what}, the limit is {limit}: publish a reference to the content instead of the content"
    )]
    TooLarge {
        /// For which stream.
        stream: String,
        /// How much of what.
        what: String,
        /// How much is allowed.
        limit: usize,
    },
    /// Redis does not store an entry without fields.
    #[error("a message for {stream:?} has no fields")]
    Empty {
        /// For which stream.
        stream: String,
    },
    /// There is no such dead letter.
    #[error("no dead letter {id} of {stream:?}: it may have been replayed or dropped meanwhile")]
    NoDeadLetter {
        /// Of which stream.
        stream: String,
        /// Which.
        id: crate::EntryId,
    },
}

impl Error {
    /// No connection: because of a certificate, or for another reason.
    pub(crate) fn connecting(endpoint: &Endpoint, source: RedisError) -> Self {
        let endpoint = endpoint.to_string();
        match link::refused(&source) {
            Some(detail) => Self::Certificate { endpoint, detail },
            None => Self::Connect { endpoint, source },
        }
    }

    pub(crate) fn command(tried: &'static str, key: &str) -> impl FnOnce(RedisError) -> Self {
        move |source| Self::Command {
            tried,
            key: key.to_owned(),
            source,
        }
    }

    pub(crate) fn answer(tried: &'static str, key: &str) -> impl FnOnce() -> Self {
        move || Self::Answer {
            tried,
            key: key.to_owned(),
        }
    }
}
