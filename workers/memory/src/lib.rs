//! What is remembered of failures and of their heals, so that workers need no state of their own.
//!
//! Everything here is derived from the results stream, the audit trail: [`Event`] is what one result says, [`History`] what all of
//! them say of one failure, [`Reputation`] what people made of each strategy's patches. [`Memory`] keeps both in Redis, each result counted
//! once. [`Known`] is what a heal is told, and [`confidence()`] what it makes of it.

mod change;
mod confidence;
mod event;
mod history;
mod known;
mod memory;
mod reputation;
mod unnamed;

pub use change::change;
pub use confidence::{ELSEWHERE, MOST, OWN, confidence};
pub use event::{Event, Judgement};
pub use history::{GRACE, History, Tried};
pub use known::Known;
pub use memory::{KEPT, Memory, NoMemory, Recall, Unavailable};
pub use reputation::Reputation;
pub use unnamed::unnamed;
