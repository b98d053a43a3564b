//! The crash suite: real worker processes, real Redis servers, and faults from a printed seed. Afterwards what stands in Redis
//! must be exactly one effect for each published message, or a dead letter with the reason.

mod campaign;
mod check;
mod fault;
mod fleet;
mod ground;
mod leftovers;
mod load;
mod lot;
mod measure;
mod names;
mod order;
mod place;
mod producer;
mod proxy;
mod report;
mod worker;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand, ValueEnum};

use campaign::{Plan, say};
use ground::{Cluster, Single, Watched};
use report::Report;
use worker::WorkerOptions;

/// Kills, freezes, cuts and restarts a fleet and its Redis, and counts what was lost or doubled.
#[derive(Debug, Parser)]
#[command(
    name = "crash",
    args_conflicts_with_subcommands = true,
    after_help = "Example: crash --scenario server --duration 10m --seed 7"
)]
struct Options {
    #[command(subcommand)]
    worker: Option<Part>,
    /// The faults and the pauses between them follow from this number; a new one unless told
    #[arg(long)]
    seed: Option<u64>,
    /// How long each scenario publishes and suffers, for example 90s, 10m or 1h
    #[arg(long, default_value = "1m", value_parser = duration)]
    duration: Duration,
    /// How long it goes on between two checks
    #[arg(long, default_value = "20s", value_parser = duration)]
    round: Duration,
    /// Where to suffer
    #[arg(long, value_enum, default_value_t = Where::All)]
    scenario: Where,
    /// Cheap messages a second, beside those that take time
    #[arg(long, default_value_t = 4000)]
    rate: u32,
    /// How many times as long a take-over and a hand-over may take as they should; more than 1 on a busy machine
    #[arg(long, default_value_t = 1.0)]
    slack: f64,
    /// The server's program, for example valkey-server
    #[arg(long, default_value = "redis-server")]
    server: PathBuf,
    /// What to print in the end
    #[arg(long, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Write the result to this file as well, as JSON
    #[arg(long)]
    record: Option<PathBuf>,
    /// Keep the workers' logs in this directory (the variable `CRASH_LOG` says what they log, for example `maestro_streams=info`)
    #[arg(long)]
    logs: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// One worker process
    #[command(hide = true)]
    Worker(WorkerOptions),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Where {
    /// The times of take-over and hand-over, with no other faults
    Times,
    /// One server
    Server,
    /// A master and its replica behind three Sentinels
    Sentinel,
    /// A cluster of three masters with a replica each
    Cluster,
    /// All of them, one after another
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    Table,
    /// For machines
    Json,
}

fn duration(text: &str) -> Result<Duration, String> {
    let at = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let number: u64 = number.parse().map_err(|_| "expected 90s, 10m or 1h")?;
    match unit {
        "s" | "" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_mins(number)),
        "h" => Ok(Duration::from_hours(number)),
        _ => Err("expected 90s, 10m or 1h".to_owned()),
    }
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    // A worker has one processor, as it would have in a container.
    let mut runtime = match options.worker {
        Some(_) => tokio::runtime::Builder::new_current_thread(),
        None => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.enable_all().build().context("a runtime")?;
    let is_well = runtime.block_on(async {
        match options.worker {
            Some(Part::Worker(worker)) => worker::run(worker).await.map(|()| true),
            None => Box::pin(suite(options)).await,
        }
    })?;
    std::process::exit(i32::from(!is_well));
}

/// What the server's program says about itself.
fn version(program: &Path) -> anyhow::Result<String> {
    let said = std::process::Command::new(program)
        .arg("--version")
        .output();
    let said = said.with_context(|| format!("unable to run {}", program.display()))?;
    Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
}

/// Runs what was asked for, and says whether all was well.
async fn suite(options: Options) -> anyhow::Result<bool> {
    let seed = options
        .seed
        .unwrap_or_else(|| u64::from(std::process::id()));
    say(&format!("seed {seed}"));
    let plan = Plan {
        seed,
        duration: options.duration,
        round: options.round,
        rate: options.rate,
        logs: options.logs,
    };
    let mut report = Report {
        seed,
        lease_ms: u64::try_from(names::LEASE.as_millis())?,
        redis: version(&options.server)?,
        processors: std::thread::available_parallelism().map_or(0, usize::from),
        ..Report::default()
    };
    let server = options.server.as_path();
    let is_wanted = |place| [place, Where::All].contains(&options.scenario);
    if is_wanted(Where::Times) {
        report
            .measured(Box::pin(measure::measure(server, options.slack, plan.logs.as_ref())).await?);
    }
    if is_wanted(Where::Server) {
        report.add(Box::pin(campaign::run(Single::start(server).await?, &plan)).await?);
    }
    if is_wanted(Where::Sentinel) {
        report.add(Box::pin(campaign::run(Watched::start(server).await?, &plan)).await?);
    }
    if is_wanted(Where::Cluster) {
        report.add(Box::pin(campaign::run(Cluster::start(server).await?, &plan)).await?);
    }
    let json = serde_json::to_string_pretty(&report)? + "\n";
    if let Some(file) = &options.record {
        std::fs::write(file, &json)
            .with_context(|| format!("unable to write {}", file.display()))?;
    }
    let text = match options.output {
        Output::Table => report.render(),
        Output::Json => json,
    };
    std::io::stdout().write_all(text.as_bytes())?;
    if !report.violations.is_empty() {
        say(&format!("violated; to repeat it: --seed {seed}"));
    }
    Ok(report.violations.is_empty())
}
