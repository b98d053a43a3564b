//! How fast: the *relay* (read a message, look at its fields, publish a result, acknowledge) through the runtime and through
//! its rivals, side by side on a private redis-server. [`relay::run`] measures throughput, [`latency::run`] how long a message takes, [`commit::run`] what
//! the alternatives for a commit cost.
//! Every contender works in a process of its own, so that its processor time and memory can be told from Redis's.

pub mod commit;
pub mod contender;
pub mod figures;
pub mod latency;
pub mod machine;
pub mod message;
pub mod options;
pub mod relay;
mod reply;
pub mod report;
mod store;
mod usage;
pub mod worker;
