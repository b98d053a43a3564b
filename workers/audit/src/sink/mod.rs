//! Appends the results to PostgreSQL as they come.
//!
//! [`Sink`] owns the one connection and writes what [`Appender`]s, one for each consumer, hand to it: as much in one statement as came
//! while the last one was on its way. Only when the database has committed is a message acknowledged in Redis, and a message that is written again
//! changes nothing. While the database is away nothing is read, and no delivery is spent.

mod database;
mod migrate;
mod tls;
mod url;

use std::time::Duration;

use maestro_protocol::Stream;
use maestro_streams::{CheckFirst, ConsumerConfig, DeadLetter, Delivery, Handler, Outcome};
use tokio::sync::{mpsc, oneshot};

use crate::row::{Part, Row};
use database::{Database, Failure};
pub use url::{InvalidUrl, Postgres};

/// The consumer group of the sink.
pub const GROUP: &str = "audit";

/// What the sink reads.
pub const STREAMS: [Stream; 2] = [Stream::Results, Stream::EnvironmentResults];

/// How many rows one statement carries at most.
const BATCH: usize = 500;

/// How many messages are in hand: enough for a statement that waits while one is on its way.
const IN_HAND: usize = 1000;

/// A row that was written has no effect twice, so only the database's patience bounds how often it may come.
const DELIVERIES: u32 = 10_000;

/// The writer. It ends when the last [`Appender`] is gone.
#[derive(Debug)]
pub struct Sink {
    jobs: mpsc::Receiver<Job>,
    database: Database,
}

/// A handler that hands each result to the [`Sink`] and waits until it is committed.
#[derive(Debug, Clone)]
pub struct Appender {
    jobs: mpsc::Sender<Job>,
}

#[derive(Debug)]
struct Job {
    row: Row,
    done: oneshot::Sender<Result<(), Failure>>,
}

impl Sink {
    /// A sink that connects when the first row comes. `prefix` is what tells the rows of tenants apart.
    pub fn new(postgres: Postgres, prefix: impl Into<String>) -> (Self, Appender) {
        let (sender, jobs) = mpsc::channel(IN_HAND);
        let database = Database::new(postgres, prefix.into());
        (Self { jobs, database }, Appender { jobs: sender })
    }

    /// Writes until the last appender is gone.
    pub async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        while self.jobs.recv_many(&mut batch, BATCH).await > 0 {
            let (rows, waiting): (Vec<_>, Vec<_>) =
                batch.drain(..).map(|job| (job.row, job.done)).unzip();
            let written = self.database.append(&rows).await;
            if let Err(Failure::Unfit(_)) = written {
                // One of them is what the database cannot hold: each for itself, so that the others are not held up.
                for (row, done) in rows.into_iter().zip(waiting) {
                    // Nobody waits any more if the consumer has lost its lease.
                    let _ = done.send(self.database.append(&[row]).await);
                }
                continue;
            }
            for done in waiting {
                let _ = done.send(written.clone());
            }
        }
    }
}

impl Appender {
    /// What a consumer of one of [`STREAMS`] needs to know beside how messages are delivered in general. `retention` is for how long the
    /// stream keeps what was written; `None` for ever.
    pub fn configure(delivery: ConsumerConfig, retention: Option<Duration>) -> ConsumerConfig {
        ConsumerConfig {
            concurrency: IN_HAND,
            max_deliveries: DELIVERIES,
            retention: retention.unwrap_or(Duration::MAX),
            order_by: None,
            urgent_lane: false,
            check_first: CheckFirst::Never,
            ..delivery
        }
    }
}

impl Handler for Appender {
    async fn handle(&self, delivery: Delivery) -> Outcome {
        let unavailable = |detail: String| Outcome::Unavailable {
            dependency: "postgresql".to_owned(),
            detail,
        };
        let Ok(stream) = delivery.stream.parse() else {
            let detail = format!("the sink reads no stream {}", delivery.stream);
            return Outcome::Dead(DeadLetter::new("refused", detail));
        };
        let row = Row::of(stream, Part::Entries, &delivery.entry);
        let (done, written) = oneshot::channel();
        if self.jobs.send(Job { row, done }).await.is_err() {
            return unavailable("the sink has ended".to_owned());
        }
        match written.await {
            Ok(Ok(())) => Outcome::Done(Vec::new()),
            Ok(Err(Failure::Away(detail))) => unavailable(detail),
            Ok(Err(Failure::Unfit(detail))) => Outcome::Dead(DeadLetter::new("refused", detail)),
            Err(_) => unavailable("the sink has ended".to_owned()),
        }
    }
}
