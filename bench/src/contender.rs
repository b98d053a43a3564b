//! Who takes part, and what each of them promises.

use clap::ValueEnum;

pub mod bare;
pub mod runtime;
pub mod script;

/// The stream that the relay reads.
pub const JOBS: &str = "jobs";
/// The group it reads for.
pub const GROUP: &str = "workers";
/// The stream it writes.
pub const RESULTS: &str = "results";
/// How many messages the loops take at once, and how many the runtime commits at once by default.
pub const BATCH: usize = 256;
/// What the concurrency of the runtime is raised to, from 16: two batches, one in hand while the other commits.
pub const CONCURRENCY: usize = 2 * BATCH;

/// One of those that are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Contender {
    /// A pipelined loop without any guarantee
    Bare,
    /// The same loop with one atomic script for each batch
    Script,
    /// That loop with two connections: it reads the next batch while the last one commits
    Script2,
    /// The runtime with all guarantees, concurrency 512
    Runtime,
    /// The runtime with nothing changed, concurrency 16
    RuntimeDefault,
}

impl Contender {
    /// As it is named on the command line and in the results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Script => "script",
            Self::Script2 => "script2",
            Self::Runtime => "runtime",
            Self::RuntimeDefault => "runtime-default",
        }
    }

    /// What it does and what it promises, in one line.
    pub fn about(self) -> &'static str {
        match self {
            Self::Bare => {
                "redis crate, batches of 256: XREADGROUP, then a pipeline of XADDs and one XACK; no guarantee, doubles after a crash"
            }
            Self::Script => {
                "the same with one EVALSHA a batch: SET NX PX, XADD, XACK in one step; no lease, retry, take-over or reconnection"
            }
            Self::Script2 => {
                "the same script on two connections: the next batch is read while the last one commits"
            }
            Self::Runtime => {
                "maestro_streams::Consumer, every default guarantee on, concurrency 512, batches of 256"
            }
            Self::RuntimeDefault => {
                "maestro_streams::Consumer with nothing changed: concurrency 16"
            }
        }
    }
}
