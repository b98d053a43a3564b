//! A model of the commit and takeover protocol, checked exhaustively: every order in which a worker, the rest of the fleet, their requests
//! and their faults can meet at one stream is tried, and after each step it is asked what must never be so.
//!
//! Start with [`Rules`]: the protocol of the scripts and the engine of `streams`, one sentence each. [`Redis`] is the state that the scripts
//! share, with the scripts; [`Worker`] is what one process believes; [`World`] puts them together and names the steps; [`search`]
//! tries them all. `tests/protocol.rs` shows that the protocol holds, and that without any one of its rules it does not.
//!
//! [`Turns`] is a model of its own: the messages of one ordering key. So is [`Lanes`]: the urgent lane and the other one of a worker. Each has its
//! rules beside it and its tests in `tests/turns.rs` and `tests/lanes.rs`.
//!
//! There is no clock. A worker that takes no step is frozen, a lease may run out at any moment, a reply may take for
//! ever: whatever holds here holds for every length of a lease, a pause or a delay.
//!
//! Left out: retries and dead letters (other effects of the same commit), the deduplication window, the two parts that a commit
//! and a word along the way have in a cluster, and whatever Redis itself loses.

mod lanes;
mod redis;
mod rules;
pub mod search;
mod turns;
mod worker;
mod world;

pub use lanes::{LaneRules, LaneStep, Lanes, Queues};
pub use redis::Redis;
pub use rules::{Publishing, Rules};
pub use turns::{Moment, TurnRules, TurnStep, Turns};
pub use worker::{Request, Worker};
pub use world::{Scenario, Step, World};

/// A set of entries of the stream: bit `n` is the entry `n`.
pub type Entries = u8;

/// A worker, and its consumer name.
pub type Consumer = usize;

/// A fence token; 0 is none.
pub type Token = u8;

/// At most so many entries.
pub const MOST_ENTRIES: usize = 2;
/// So many consumer names.
pub const CONSUMERS: usize = 2;

/// The entries in a set.
pub(crate) fn each(entries: Entries) -> impl Iterator<Item = usize> {
    (0..MOST_ENTRIES).filter(move |entry| entries & (1 << entry) != 0)
}

/// The subsets of a set, the empty one included.
pub(crate) fn subsets(entries: Entries) -> impl Iterator<Item = Entries> {
    (0..=entries).filter(move |subset| subset & !entries == 0)
}
