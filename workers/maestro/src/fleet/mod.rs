//! Where Redis and the workers come in.
//!
//! [`home`] is the directory in which `maestro up` keeps its Redis, [`connection`] finds Redis for every other command,
//! [`embedded`] runs a Redis of its own, and [`workers`] runs the workers.

pub(crate) mod connection;
pub(crate) mod embedded;
mod environments;
mod heal;
pub(crate) mod home;
pub(crate) mod runtime;
pub(crate) mod signals;
pub(crate) mod telemetry;
mod tick;
pub(crate) mod workers;
