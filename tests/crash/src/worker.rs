//! One worker process: the hidden subcommand `worker`. It consumes every stream of the suite until SIGTERM.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use maestro_streams::{
    CancellationToken, Clock as _, Consumer, DeadLetter, Delivery, Endpoint, Entry, Handler,
    Inspection, Outcome, Outgoing, SystemClock,
};
use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::load::{Fate, Job, Kind};
use crate::names::{self, CAUSE, EFFECTS, HOP, KEY, NOT_BEFORE, WORD};

/// What a worker process is told.
#[derive(Debug, Clone, Args)]
pub(crate) struct WorkerOptions {
    /// Where Redis is
    #[arg(long)]
    url: Endpoint,
    /// Its name, in effects and in the group
    #[arg(long)]
    name: String,
    /// The lease, in milliseconds
    #[arg(long)]
    lease_ms: u64,
    /// The streams to read
    #[arg(long, value_delimiter = ',')]
    streams: Vec<String>,
    /// Where messages that are held leave a trace, so that only the first to have one holds it
    #[arg(long)]
    holds: Option<PathBuf>,
}

/// Runs until SIGTERM, or until whoever started it is gone (its end of standard input closes).
pub(crate) async fn run(options: WorkerOptions) -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_env("CRASH_LOG"))
        .with_writer(std::io::stderr)
        .init();
    let mut term = signal(SignalKind::terminate()).context("SIGTERM")?;
    let lease = Duration::from_millis(options.lease_ms);
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    for stream in &options.streams {
        let handler = Act {
            name: options.name.as_str().into(),
            lease,
            holds: options.holds.clone(),
        };
        let mut config = names::config(stream, lease);
        config.name = Some(options.name.clone());
        let consumer = Consumer::new(options.url.clone(), config, handler)?;
        running.spawn(consumer.run(stop.clone()));
    }
    tokio::spawn(async {
        let mut nothing = [0];
        // Nobody writes: this ends with the suite.
        drop(tokio::io::stdin().read(&mut nothing).await);
        std::process::exit(1);
    });
    tokio::spawn({
        let stop = stop.clone();
        async move {
            term.recv().await;
            stop.cancel();
        }
    });
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(())
}

/// What a message asks for is done.
struct Act {
    name: Arc<str>,
    lease: Duration,
    holds: Option<PathBuf>,
}

fn text<'a>(entry: &'a Entry, field: &str) -> &'a str {
    entry.fields.get_str(field).unwrap_or("")
}

impl Act {
    /// One message that names the published one, with an id that follows from its cause. `began` is when its handler did.
    fn effect(&self, stream: &str, delivery: &Delivery, began: u64) -> Outgoing {
        self.message(stream, delivery, "0", began)
    }

    fn message(&self, stream: &str, delivery: &Delivery, part: &str, began: u64) -> Outgoing {
        let entry = &delivery.entry;
        let cause = match text(entry, CAUSE) {
            "" => entry.id.to_string(),
            cause => cause.to_owned(),
        };
        let message = Outgoing::new(stream)
            .field("id", format!("{}/{part}", text(entry, "id")))
            .field("of", text(entry, "of").to_owned())
            .field("by", self.name.as_bytes().to_vec())
            .field("deliveries", delivery.deliveries.to_string())
            .field(CAUSE, cause)
            .field("from", began.to_string())
            .field("to", SystemClock.now_ms().to_string());
        match text(entry, KEY) {
            // What is brought about has its turns too.
            key if stream == HOP && !key.is_empty() => message.field(KEY, key.to_owned()),
            _ => message,
        }
    }

    /// Whether no worker has had it in hand before. Deliveries do not tell: a hand-over does not count as one.
    fn is_first(&self, job: Job) -> bool {
        let trace = self.holds.as_ref().map(|holds| holds.join(job.to_string()));
        trace.is_some_and(|trace| std::fs::File::create_new(trace).is_ok())
    }

    async fn act(&self, job: Job, delivery: &Delivery) -> Outcome {
        let (fate, first) = (job.fate(), delivery.deliveries <= 1);
        let began = SystemClock.now_ms();
        if job.speaks() {
            let word = self.message(EFFECTS, delivery, WORD, began);
            let said = delivery.publish(&job.to_string(), vec![word]).await;
            if let Err(error) = said {
                return Outcome::Retry {
                    reason: error.to_string(),
                    after: None,
                };
            }
        }
        match job.kind {
            Kind::Retry if delivery.deliveries <= job.retries() => {
                return Outcome::Retry {
                    reason: "not yet".to_owned(),
                    after: None,
                };
            }
            Kind::Dead => {
                if let Fate::Dead(reason) = fate {
                    return Outcome::Dead(DeadLetter::new(reason, "as it was asked for"));
                }
            }
            Kind::Panic => assert!(!first && fate == Fate::Effect, "as it was asked for"),
            Kind::Fatal if first || fate != Fate::Effect => std::process::abort(),
            // Neither does it hear that it is to end.
            Kind::Hold if self.is_first(job) => std::future::pending().await,
            _ => {}
        }
        let nap = job.nap(self.lease);
        if !nap.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(nap) => {}
                () = delivery.cancelled.cancelled() => {}
            }
        }
        let stream = if job.is_chained() { HOP } else { EFFECTS };
        Outcome::Done(vec![self.effect(stream, delivery, began)])
    }
}

impl Handler for Act {
    fn inspect(&self, entry: &Entry) -> Inspection {
        let due = text(entry, NOT_BEFORE).parse().unwrap_or(0);
        Inspection::not_before(due).key(text(entry, "id"))
    }

    fn key(&self, entry: &Entry) -> Option<String> {
        Some(text(entry, "id").to_owned())
    }

    async fn handle(&self, delivery: Delivery) -> Outcome {
        match &*delivery.stream {
            HOP => {
                let began = SystemClock.now_ms();
                Outcome::Done(vec![self.effect(EFFECTS, &delivery, began)])
            }
            // In a cluster what goes to another stream may be sent twice, and the receiver's deduplication makes it one. What
            // the receiver does to its own stream's keys is one atomic step there too, and a dead letter is such a thing.
            EFFECTS => Outcome::Dead(DeadLetter::new("settled", "it counts")),
            _ => match text(&delivery.entry, "of").parse() {
                Ok(job) => self.act(job, &delivery).await,
                Err(_) => Outcome::Dead(DeadLetter::new("unknown", "no id of the suite")),
            },
        }
    }
}
