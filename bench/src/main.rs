//! The benchmark program: the runtime beside its rivals. `relay --help` says what there is to choose.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use clap::Parser as _;
use maestro_bench::machine::Machine;
use maestro_bench::options::{Hidden, Options, Output};
use maestro_bench::report::{self, Report, Settings};
use maestro_bench::{latency, relay, worker};

/// As in `maestro` itself, so that every contender has what the fleet has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    match &options.hidden {
        Some(Hidden::Worker { contender, url }) => worker::work(*contender, url),
        Some(Hidden::Producer { url, rate, n }) => worker::produce(url, *rate, *n),
        None if options.linear => lengths(&options),
        None => measure(&options),
    }
}

fn measure(options: &Options) -> anyhow::Result<()> {
    let settings = Settings {
        messages: usize::try_from(options.messages())?,
        append_only: options.appendonly,
    };
    let mut err = std::io::stderr();
    let mut contenders = options.contenders();
    let peers = worker::peers_program();
    if peers.is_none() && contenders.iter().any(|contender| contender.is_peer()) {
        contenders.retain(|contender| !contender.is_peer());
        let _ = writeln!(
            err,
            "the peers are not built, so they are left out; make bench builds them"
        );
    }
    let rounds = usize::try_from(options.rounds)?;
    let relayed = relay::run(
        &contenders,
        settings.messages,
        rounds,
        settings.append_only,
        peers.as_deref(),
        |turn| {
            // Progress for whoever watches; nobody may be there.
            let _ = writeln!(
                err,
                "round {}: {:<15} {:>8.0} messages/s",
                turn.round, turn.contender, turn.figures.messages_per_second
            );
        },
    )?;
    let latencies = if options.latency_seconds == 0 {
        Vec::new()
    } else {
        latency::run(
            rounds,
            &options.latency_rates,
            options.latency_seconds,
            settings.append_only,
            |turn| {
                let _ = writeln!(
                    err,
                    "at {}/s: {:<15} p99 {:>8.0} µs",
                    turn.rate, turn.contender, turn.to_result.p99_us
                );
            },
        )?
    };
    let report = Report::new(relayed, latencies, settings, Machine::look()?);
    let json = serde_json::to_string_pretty(&report)? + "\n";
    if let Some(directory) = &options.write {
        keep(directory, "relay", &json, &report.table())?;
    }
    show(options.output, &json, &report.table())
}

fn lengths(options: &Options) -> anyhow::Result<()> {
    let messages = usize::try_from(options.messages())?;
    let mut err = std::io::stderr();
    let steps = relay::linear(messages, options.appendonly, |step| {
        let _ = writeln!(err, "{} messages: {:.1} s", step.messages, step.seconds);
    })?;
    let (json, table) = (
        serde_json::to_string_pretty(&steps)? + "\n",
        report::lengths_table(&steps),
    );
    if let Some(directory) = &options.write {
        keep(directory, "linear", &json, &table)?;
    }
    show(options.output, &json, &table)
}

fn keep(directory: &Path, name: &str, json: &str, table: &str) -> anyhow::Result<()> {
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(directory.join(format!("{name}.json")), json))
        .and_then(|()| fs::write(directory.join(format!("{name}.md")), table))
        .with_context(|| format!("unable to write the results to {}", directory.display()))
}

fn show(output: Output, json: &str, table: &str) -> anyhow::Result<()> {
    let text = match output {
        Output::Text => table,
        Output::Json => json,
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}
