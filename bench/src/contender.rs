//! Who takes part, and what each of them promises.

use clap::ValueEnum;

pub mod bare;
pub mod observed;
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
/// What the concurrency of the runtime is raised to, from 16: four batches, of which one is read, one in hand, and one commits.
pub const CONCURRENCY: usize = 4 * BATCH;

/// One of those that are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Contender {
    /// A pipelined loop without any guarantee
    Bare,
    /// The same loop with one atomic script for each batch
    Script,
    /// That loop with two connections: it reads the next batch while the last one commits
    Script2,
    /// The runtime with all guarantees, concurrency 1024
    Runtime,
    /// The runtime with nothing changed, concurrency 16
    RuntimeDefault,
    /// The runtime as `Runtime`, watched: metrics recorded and written, a line logged for each message
    Observed,
    /// apalis-redis
    Apalis,
    /// sea-streamer-redis on all cores, as its documentation has it
    SeaStreamer,
    /// sea-streamer-redis on one thread
    #[value(name = "sea-streamer-1")]
    SeaStreamer1,
}

/// Where it shows that all messages are acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The group of the stream has nothing pending.
    Pending,
    /// The set of what is done holds them all.
    DoneSet,
    /// As [`Self::Pending`], but only when it has ended: it acknowledges in the background, once a second.
    AtTheEnd,
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
            Self::Observed => "observed",
            Self::Apalis => "apalis",
            Self::SeaStreamer => "sea-streamer",
            Self::SeaStreamer1 => "sea-streamer-1",
        }
    }

    /// What it is and what it promises, in one line.
    pub fn about(self) -> &'static str {
        match self {
            Self::Bare => {
                "redis crate, batches of 256: XREADGROUP, then XADDs and one XACK in a pipeline; no guarantee, doubles after a crash"
            }
            Self::Script => {
                "the same, but one script a batch (SET NX PX, XADD, XACK); no fence, lease, retry or reconnection"
            }
            Self::Script2 => {
                "the same on two connections: the next batch is read while the last one commits"
            }
            Self::Runtime => {
                "maestro_streams::Consumer, every default guarantee on, only concurrency raised from 16 to 1024"
            }
            Self::RuntimeDefault => "maestro_streams::Consumer with nothing changed",
            Self::Observed => {
                "runtime, and metrics recorded and written to a file each 15 s, and a log line a message at the default level, 200 a second written"
            }
            Self::Apalis => {
                "apalis-redis 1.0: batches of 256, concurrency 512, no task locks, no events; at least once"
            }
            Self::SeaStreamer => {
                "sea-streamer-redis 0.5: batches of 256, AutoCommit::Rolling, all cores as in its examples; at least once"
            }
            Self::SeaStreamer1 => {
                "the same on one thread, which its documentation does not mention"
            }
        }
    }

    /// Whether it lives in the program of the peers.
    pub fn is_peer(self) -> bool {
        matches!(self, Self::Apalis | Self::SeaStreamer | Self::SeaStreamer1)
    }

    /// Where it shows that all messages are acknowledged.
    pub fn settled(self) -> Settled {
        match self {
            Self::Apalis => Settled::DoneSet,
            Self::SeaStreamer | Self::SeaStreamer1 => Settled::AtTheEnd,
            _ => Settled::Pending,
        }
    }
}
