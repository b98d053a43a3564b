//! What a commit costs, and what the alternatives would cost. `commit --help` says what there is to choose.

use std::fmt::Write as _;
use std::io::Write as _;

use clap::Parser;
use maestro_bench::commit::{self, Cost};

/// Measures the ways to commit a batch of 256 results on a private redis-server: the chosen one, and others that differ in one thing.
#[derive(Debug, Parser)]
#[command(
    name = "commit",
    after_help = "Example: commit --messages 50000 --rounds 1"
)]
struct Options {
    /// How many messages each way commits in each round
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    messages: u64,
    /// How often each way has its turn; the medians count
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// As JSON and not as a table
    #[arg(long)]
    json: bool,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let (messages, rounds) = (options.messages.try_into()?, options.rounds.try_into()?);
    let mut err = std::io::stderr();
    let costs = commit::run(messages, rounds, |cost| {
        // Progress for whoever watches; nobody may be there.
        let _ = writeln!(err, "{:>6.2} µs  {}", cost.redis_cpu_us, cost.variant);
    })?;
    let text = if options.json {
        serde_json::to_string_pretty(&costs)? + "\n"
    } else {
        table(&costs)
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

fn table(costs: &[Cost]) -> String {
    let mut text = String::from(
        "µs a message, batches of 256: processor time of redis-server, and from sending to the answer

|                                             | Redis | round trip | Redis, everysec | round trip |
|:--------------------------------------------|------:|-----------:|----------------:|-----------:|
",
    );
    let with_file = costs.iter().filter(|cost| cost.append_only);
    for (cost, filed) in costs.iter().zip(with_file) {
        let _ = writeln!(
            text,
            "| {:<43} | {:>5.2} | {:>10.2} | {:>15.2} | {:>10.2} |",
            cost.variant,
            cost.redis_cpu_us,
            cost.round_trip_us,
            filed.redis_cpu_us,
            filed.round_trip_us
        );
    }
    text
}
