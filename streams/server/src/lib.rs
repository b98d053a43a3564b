//! A private redis-server child process, for the embedded default and for tests.
//! [`Server`] starts one on a socket or a loopback port of its own, waits until it answers, and takes it down with itself.
//! It speaks to the child in raw bytes only, so that it needs no Redis client.

mod address;
mod builder;
mod error;
mod probe;
mod server;
mod spawn;

pub use address::Listen;
pub use builder::{Builder, Fsync};
pub use error::Error;
pub use server::Server;
