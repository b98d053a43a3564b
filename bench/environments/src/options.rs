//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures how fast environments come and go on a control plane of its own, beside kubectl and beside the API server alone.
#[derive(Debug, Parser)]
#[command(
    name = "environments",
    after_help = "Example: environments --rounds 3 --environments 50"
)]
pub(crate) struct Options {
    /// How often each measurement of one environment is made; the medians count
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) rounds: u16,
    /// How many environments at once
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) environments: u16,
    /// How many replicas of each worker share them
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) replicas: u16,
    /// What goes to standard output
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) output: Output,
    /// Write environments.json and environments.md into this directory
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) write: Option<PathBuf>,
}

/// What goes to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Tables
    Text,
    /// Everything, for programs
    Json,
}
