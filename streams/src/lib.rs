//! How it travels: a Redis Streams runtime with leases, fenced commits, retries and dead letters.
//! A [`Consumer`] turns each message of a stream into one [`Outcome`] through a [`Handler`], exactly once in effect.
//! [`Publisher`], [`Admin`], [`Tail`], [`Tally`] and [`Projection`] are for those who stand outside; none of it knows what the messages mean.

mod admin;
pub mod backoff;
mod clock;
mod config;
mod consumer;
mod endpoint;
mod entry;
mod error;
mod fields;
mod handler;
mod keys;
mod link;
mod outcome;
mod pool;
mod projection;
mod publisher;
mod reply;
mod script;
mod tail;
mod tally;

pub use admin::{
    Admin, ConsumerStatus, DeadEntry, Flow, GroupFlow, GroupStatus, Held, LaneStatus, Replica,
    StreamStatus,
};
pub use clock::{Clock, SystemClock};
pub use config::{CheckFirst, ConsumerConfig, RateLimit};
pub use consumer::{Consumer, Progress, ProgressError, Published, Pulse};
pub use endpoint::{Endpoint, InvalidUrl};
pub use entry::{Entry, EntryId, InvalidEntryId};
pub use error::Error;
pub use fields::Fields;
pub use handler::{Delivery, Handler, Inspection};
pub use keys::Keys;
pub use outcome::{DeadLetter, Outcome, Outgoing};
pub use projection::{Projection, Replaced};
pub use publisher::Publisher;
pub use tail::{From as TailFrom, Tail};
pub use tally::{Count, Tally};

pub use bytes::Bytes;
pub use tokio_util::sync::CancellationToken;
