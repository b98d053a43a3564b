//! What is said: the `CloudEvents` envelope, every message type of the eight streams, their validation
//! and their published schemas. Knows no Redis, no async runtime and no Kubernetes: it turns the fields of
//! a stream entry into typed messages and back.

pub mod error;
pub mod heal;
pub mod project;
pub mod stream;
