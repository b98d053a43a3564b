//! Runs the healing engine over the corpus: real packages of Python and Node whose own tests fail on a current interpreter, and
//! planted bugs that must be refused. Every answer that offers a repair is checked by a second, independent run
//! on a clean copy. Needs the package index.

mod case;
mod own;
mod prepare;
mod table;
mod verify;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use maestro_heal::{Healer, SandboxChoice, Settings};
use maestro_protocol::heal::Verdict;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use case::Case;
use table::Row;

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
    /// All cases, also those that need a strategy which this version has not
    #[arg(long)]
    all: bool,
    /// Do not name the failing test in the request: the whole command is the target
    #[arg(long)]
    unnamed: bool,
    /// Cases at a time
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Write every answer as JSON to this file
    #[arg(long)]
    json: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Arc::new(Options::parse());
    let archives = options.work.join("sdist");
    let trees = options.work.join("trees");
    std::fs::create_dir_all(&archives)?;
    std::fs::create_dir_all(&trees)?;
    let work = options.work.canonicalize()?;
    let healer = Arc::new(Healer::new(Settings {
        roots: vec![work.clone()],
        work: work.join("work"),
        cache: work.join("cache"),
        sandbox: SandboxChoice::Required,
        ..Settings::default()
    })?);
    let cases: Vec<Case> = case::all()?
        .into_iter()
        .filter(|case| {
            if options.only.is_empty() {
                options.all || case.is_in_reach()
            } else {
                options.only.contains(&case.id)
            }
        })
        .collect();
    let slots = Arc::new(Semaphore::new(options.jobs.max(1)));
    let total = cases.len();
    let mut running = tokio::task::JoinSet::new();
    for (place, case) in cases.into_iter().enumerate() {
        let (healer, slots, options, archives, trees) = (
            Arc::clone(&healer),
            Arc::clone(&slots),
            Arc::clone(&options),
            archives.clone(),
            work.join(&trees),
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
) -> anyhow::Result<(maestro_protocol::heal::HealCompleted, Option<bool>)> {
    let root = prepare::prepare(case, archives, trees).await?;
    let request = case.request(&root, !options.unnamed);
    let answer = healer.heal(&request, CancellationToken::new()).await?;
    let offered = matches!(answer.verdict, Verdict::Healed | Verdict::Proposed);
    let green = if offered {
        Some(verify::turns_green(healer, request, &answer, &root, case.is_flaky()).await?)
    } else {
        None
    };
    Ok((answer, green))
}
