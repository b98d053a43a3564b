//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::contender::Contender;

/// Measures the relay: N waiting messages of 300 bytes, each read, looked at, answered with a result of 150 bytes and acknowledged;
/// by the runtime and by its rivals, one after the other, on a private redis-server.
#[derive(Debug, Parser)]
#[command(
    name = "relay",
    after_help = "Example: relay --messages 100000 --rounds 1 --only bare,runtime"
)]
pub struct Options {
    /// How many messages; 300000 unless told
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub messages: Option<u64>,
    /// How often each contender has its turn; the medians count
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    pub rounds: u64,
    /// Only these, with commas between
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub only: Vec<Contender>,
    /// Without apalis-redis and sea-streamer-redis
    #[arg(long)]
    pub no_peers: bool,
    /// How long latency is measured for each contender at each rate in each round; 0: not at all
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub latency_seconds: u64,
    /// At how many messages per second latency is measured; the ratio is taken at 1000
    #[arg(long, value_name = "RATES", value_delimiter = ',', default_values_t = [1000, 10_000], value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub latency_rates: Vec<u64>,
    /// Let redis-server write an append-only file (appendfsync everysec); without this there is none
    #[arg(long)]
    pub appendonly: bool,
    /// Only the runtime, over a hundredth, a tenth and all of N (10 million unless told): does its cost grow with the stream?
    #[arg(long)]
    pub linear: bool,
    /// What goes to standard output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub output: Output,
    /// Write relay.json and relay.md into this directory
    #[arg(long, value_name = "DIRECTORY")]
    pub write: Option<PathBuf>,
    /// What only this program itself calls
    #[command(subcommand)]
    pub hidden: Option<Hidden>,
}

/// What goes to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A table
    Text,
    /// Everything, for programs
    Json,
}

/// The other processes of a run.
#[derive(Debug, Subcommand)]
pub enum Hidden {
    /// One contender
    #[command(hide = true)]
    Worker {
        /// Which one
        contender: Contender,
        /// The redis-server
        url: String,
    },
    /// The producer of the open loop
    #[command(hide = true)]
    Producer {
        /// The redis-server
        url: String,
        /// Messages per second
        rate: u64,
        /// How many messages
        n: u64,
    },
}

impl Options {
    /// How many messages, told or not.
    pub fn messages(&self) -> u64 {
        let default = if self.linear { 10_000_000 } else { 300_000 };
        self.messages.unwrap_or(default)
    }

    /// Who takes part, in the order of their turns.
    pub fn contenders(&self) -> Vec<Contender> {
        let wanted = |contender: &Contender| {
            (self.only.is_empty() || self.only.contains(contender))
                && !(self.no_peers && contender.is_peer())
        };
        Contender::value_variants()
            .iter()
            .copied()
            .filter(wanted)
            .collect()
    }
}
