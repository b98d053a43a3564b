//! Runs the healing engine over the corpus: real packages of Python and Node whose own tests fail on a current interpreter, and
//! planted bugs that must be refused. Every answer that offers a repair is checked by a second, independent run
//! on a clean copy. Needs the package index.

mod case;
mod own;
mod prepare;
mod side_by_side;
mod table;
mod verify;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use maestro_heal::{Healer, SandboxChoice, Settings};
use maestro_protocol::heal::Verdict;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use case::{Case, Set};
use table::{Outcome, Row};

/// Runs the healing engine over the corpus, and counts.
#[derive(Debug, Parser)]
#[command(
    after_help = "Example: maestro-corpus --work /tmp/corpus --only cachetools-collections,seed-addict-update"
)]
struct Options {
    /// Where packages, environments and copies are kept; a second run finds them there
    #[arg(long)]
    work: PathBuf,
    /// Only these cases, by id, with commas between
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Only the cases of one set
    #[arg(long, value_enum)]
    set: Option<Set>,
    /// All cases, also those that need a strategy which this version has not
    #[arg(long)]
    all: bool,
    /// Do not name the failing test in the request: the whole command is the target
    #[arg(long)]
    unnamed: bool,
    /// Cases at a time
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Count no verdicts: heal the cases one after another and `--jobs` at a time, in so many turns, and say what they cost one another
    #[arg(long, value_name = "ROUNDS")]
    side_by_side: Option<u32>,
    /// Write every answer as JSON to this file
    #[arg(long)]
    json: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Arc::new(Options::parse());
    std::fs::create_dir_all(&options.work)?;
    let work = options.work.canonicalize()?;
    let (archives, trees) = (work.join("sdist"), work.join("trees"));
    std::fs::create_dir_all(&archives)?;
    std::fs::create_dir_all(&trees)?;
    let healer = Arc::new(Healer::new(Settings {
        roots: vec![work.clone()],
        work: work.join("work"),
        cache: work.join("cache"),
        sandbox: SandboxChoice::Required,
        ..Settings::default()
    })?);
    let cases: Vec<Case> = case::all()?
        .into_iter()
        .filter(|case| options.set.is_none_or(|set| case.set == set))
        .filter(|case| {
            if options.only.is_empty() {
                options.all || case.is_in_reach()
            } else {
                options.only.contains(&case.id)
            }
        })
        .collect();
    if let Some(rounds) = options.side_by_side {
        let mut requests = Vec::new();
        for case in &cases {
            let root = prepare::prepare(case, &archives, &trees).await?;
            requests.push(case.request(&root, !options.unnamed));
        }
        let text = side_by_side::measure(&healer, &requests, options.jobs, rounds).await?;
        std::io::stdout().write_all(text.as_bytes())?;
        return Ok(());
    }
    let slots = Arc::new(Semaphore::new(options.jobs.max(1)));
    let total = cases.len();
    let mut running = tokio::task::JoinSet::new();
    for (place, case) in cases.into_iter().enumerate() {
        let (healer, slots, options, archives, trees) = (
            Arc::clone(&healer),
            Arc::clone(&slots),
            Arc::clone(&options),
            archives.clone(),
            trees.clone(),
        );
        running.spawn(async move {
            let _slot = slots.acquire_owned().await;
            let answer = one(&case, &healer, &options, &archives, &trees)
                .await
                .map_err(|error| format!("{error:#}"));
            let row = Row::new(&case, answer);
            let _ = writeln!(
                std::io::stderr(),
                "{:>2}/{total} {} {}",
                place + 1,
                if row.right { "+" } else { "-" },
                row.id
            );
            (place, row)
        });
    }
    let mut rows = running.join_all().await;
    rows.sort_by_key(|(place, _)| *place);
    let rows: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
    if let Some(file) = &options.json {
        std::fs::write(file, serde_json::to_string_pretty(&rows)?)?;
    }
    std::io::stdout().write_all(table::render(&rows).as_bytes())?;
    // A false heal is the one thing that may never happen.
    std::process::exit(i32::from(rows.iter().any(|row| row.false_heal)));
}

async fn one(
    case: &Case,
    healer: &Healer,
    options: &Options,
    archives: &std::path::Path,
    trees: &std::path::Path,
) -> anyhow::Result<Outcome> {
    let root = prepare::prepare(case, archives, trees).await?;
    let request = case.request(&root, !options.unnamed);
    let began = Instant::now();
    let answer = healer.heal(&request, CancellationToken::new()).await?;
    let took = began.elapsed();
    let offered = matches!(answer.verdict, Verdict::Healed | Verdict::Proposed);
    let green = if offered {
        // What the heal looked at is not what its patch is tried on.
        let clean = prepare::prepare(case, archives, &trees.join("clean")).await?;
        let request = case.request(&clean, !options.unnamed);
        Some(verify::turns_green(healer, request, &answer, &clean, case.is_flaky()).await?)
    } else {
        None
    };
    Ok(Outcome {
        answer,
        green,
        took,
    })
}
