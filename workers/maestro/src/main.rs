//! The `maestro` command: runs the workers, publishes, watches, shows, applies.
//!
//! [`cli`] is the command line, [`command`] has one file for each command, [`config`] says what is in force,
//! [`fleet`] is where Redis and the workers come in, and [`output`] is the one place that writes to the terminal.

mod cli;
mod command;
mod config;
mod decision;
mod exit;
mod fault;
mod fleet;
mod hex;
mod logging;
mod lookup;
mod message;
mod moment;
mod output;
mod patch;
mod results;
mod session;
mod verdict;

use std::process::ExitCode;

use clap::FromArgMatches;

use crate::cli::Cli;
use crate::config::{Layers, Settings};
use crate::fault::Outcome;
use crate::output::Output;
use crate::session::Session;

/// A relayed message is about forty small allocations, half of them redis's; this allocator makes them a third cheaper than glibc's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let matches = cli::definition().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let output = Output::new(cli.global.color);
    match run(cli, &matches, output) {
        Ok(exit) => exit.into(),
        Err(fault) => {
            output.fault(&fault);
            fault.exit.into()
        }
    }
}

fn run(cli: Cli, matches: &clap::ArgMatches, output: Output) -> Outcome {
    let mut innermost = matches;
    while let Some((_, inner)) = innermost.subcommand() {
        innermost = inner;
    }
    let layers = Layers::gather(&cli.global, &cli.command.worker_flags(), innermost)?;
    let settings = Settings::of(&layers, std::env::var("REDIS_URL").ok())?;
    logging::start(&settings, output, cli.command.default_log())?;
    cli.command.run(Session { settings, output })
}
