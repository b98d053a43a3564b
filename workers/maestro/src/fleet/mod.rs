//! Where Redis and the workers come in.
//!
//! [`home`] is the directory in which `maestro up` keeps its Redis, [`connection`] finds Redis for every other command,
//! [`embedded`] runs a Redis of its own, [`workers`] runs the workers, and [`heartbeat`] says that they are alive.

pub(crate) mod connection;
pub(crate) mod embedded;
mod environments;
mod heal;
pub(crate) mod heartbeat;
pub(crate) mod home;
mod remembering;
mod retention;
pub(crate) mod roster;
pub(crate) mod runtime;
pub(crate) mod signals;
pub(crate) mod telemetry;
mod tick;
pub(crate) mod workers;
