//! The triage worker: classifies an error, drops repeats, decides what can be healed.
//!
//! [`Triage`] takes each reported error, of any kind and from any producer. It reads a [`Failure`] out of its texts,
//! determines kind and severity, gives it a fingerprint, asks a [`Recurrence`] whether the same was seen lately,
//! and decides. What it decides is always published with the reason; a heal is requested where one makes sense.
//!
//! Failures that differ only in the test are triaged each on its own: each test has to be shown to pass again.
//! Finding the one cause of many of them is a later step, and one for the heal worker, which sees the code.

pub mod failure;
pub mod fingerprint;
pub mod healable;
pub mod kind;
pub mod recurrence;
pub mod severity;
mod stable;
mod triage;

pub use failure::Failure;
pub use recurrence::{InMemory, Recurrence, Seen};
pub use triage::{Triage, WINDOW};
