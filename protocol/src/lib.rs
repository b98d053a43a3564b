//! What is said: the `CloudEvents` envelope, every message type of the eight streams, their validation
//! and their published schemas. Knows no Redis, no async runtime and no Kubernetes: it turns the fields of
//! a stream entry into typed messages and back.
//!
//! Everything turns around [`Message`], the payloads of all types, and [`Envelope`], the attributes that
//! travel beside one. [`decode_on`] reads an entry of a stream, [`decode()`] an entry of any, [`encode()`] writes
//! one. What cannot be read is a [`Refusal`]: the reason by which it is dead-lettered, and one sentence.

pub mod asyncapi;
pub mod check;
mod constraint;
pub mod decode;
pub mod encode;
pub mod envelope;
pub mod environment;
pub mod error;
mod expectation;
pub mod finding;
pub mod heal;
pub mod message;
pub mod path;
pub mod project;
pub mod refusal;
mod rfc3339;
pub mod schema;
pub mod stream;
pub mod trace;
pub mod validation;
pub mod violation;

pub use asyncapi::asyncapi;
pub use decode::{Decoded, decode, decode_as, decode_on};
pub use encode::{encode, encode_forwarding};
pub use envelope::Envelope;
pub use message::{Inbound, Message, Payload};
pub use refusal::{DeadReason, Refusal};
pub use schema::schemas;
pub use stream::Stream;
pub use trace::TraceParent;
pub use violation::Violation;

/// The most bytes that a message may have: the sum of its fields' names and values.
pub const MAX_MESSAGE_BYTES: usize = 1024 * 1024;
