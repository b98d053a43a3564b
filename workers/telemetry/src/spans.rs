//! Traces: what was done about each message goes, in batches, to whatever takes OTLP over HTTP.
//!
//! A worker never waits for it: spans that come faster than they can be sent are dropped and counted.

mod otlp;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use maestro_streams::CancellationToken;
use maestro_streams::backoff::Pauses;
use maestro_worker::{Span, Spans};
use metrics::{Counter, counter};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::sink::request::{Body, Http, Reach};
use crate::target::Address;
use crate::telemetry::SetupError;
use otlp::Resource;

/// How many spans wait to be sent before further ones are dropped.
const WAITING: usize = 4096;
/// The most spans of one request.
const BATCH: usize = 512;
/// How long spans are gathered before they are sent.
const GATHERING: Duration = Duration::from_secs(2);
/// The first and the longest wait after a request that did not arrive.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// Where spans go, and which.
#[derive(Debug, Clone)]
pub struct TraceSettings {
    /// The endpoint of OTLP/HTTP; without a path, `/v1/traces` of it.
    pub target: Address,
    /// How much of what begins in this fleet is kept, from 0 to 1. What others have begun they have decided on.
    pub ratio: f64,
    /// How long one request may take.
    pub timeout: Duration,
    /// Further authorities to trust, PEM.
    pub authorities: Option<PathBuf>,
    /// The name of this replica.
    pub instance: String,
    /// The fleet's prefix.
    pub prefix: String,
    /// The version of the program.
    pub version: String,
}

/// Spans on their way out, until its [`end`](Self::end).
#[derive(Debug)]
pub struct Traces {
    sender: Arc<Sender>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// What workers tell.
#[derive(Debug)]
struct Sender {
    queue: mpsc::Sender<Span>,
    ratio: f64,
    dropped: Counter,
}

impl Traces {
    /// Begins to send.
    ///
    /// # Errors
    /// Where the authorities or the credentials cannot be used.
    pub fn start(settings: TraceSettings) -> Result<Self, SetupError> {
        let reach = Reach {
            timeout: settings.timeout,
            gzip: true,
            authorities: settings.authorities.as_deref(),
        };
        let http = Http::new(&settings.target, reach)?;
        let uri = endpoint(&settings.target);
        let (queue, spans) = mpsc::channel(WAITING);
        let stop = CancellationToken::new();
        let exporter = Exporter {
            http,
            uri,
            resource: Resource {
                instance: settings.instance,
                prefix: settings.prefix,
                version: settings.version,
            },
            spans,
            sent: counter!("maestro_spans_total", "outcome" => "ok"),
            failed: counter!("maestro_spans_total", "outcome" => "failed"),
            fails: false,
        };
        let task = tokio::spawn(exporter.run(stop.clone()));
        let sender = Sender {
            queue,
            ratio: settings.ratio,
            dropped: counter!("maestro_spans_total", "outcome" => "dropped"),
        };
        tracing::info!(target = %settings.target.uri, "tracing");
        Ok(Self {
            sender: Arc::new(sender),
            stop,
            task,
        })
    }

    /// Whom workers tell.
    pub fn spans(&self) -> Arc<dyn Spans> {
        self.sender.clone()
    }

    /// Sends what still waits, once.
    pub async fn end(self) {
        self.stop.cancel();
        // A task that panicked has said so.
        let _ = self.task.await;
    }
}

impl Spans for Sender {
    fn keeps(&self, trace: u128) -> bool {
        // The same part of all traces, whichever replica is asked.
        let last = u32::try_from(trace & u128::from(u32::MAX)).unwrap_or(u32::MAX);
        let place = f64::from(last) / f64::from(u32::MAX);
        place < self.ratio || self.ratio >= 1.0
    }

    fn ended(&self, span: Span) {
        if self.queue.try_send(span).is_err() {
            self.dropped.increment(1);
        }
    }
}

fn endpoint(address: &Address) -> String {
    let uri = address.uri.to_string();
    match address.uri.path() {
        "/" => format!("{}/v1/traces", uri.trim_end_matches('/')),
        _ => uri,
    }
}

struct Exporter {
    http: Http,
    uri: String,
    resource: Resource,
    spans: mpsc::Receiver<Span>,
    sent: Counter,
    failed: Counter,
    /// The last request did not arrive.
    fails: bool,
}

impl Exporter {
    async fn run(mut self, stop: CancellationToken) {
        let mut pauses = Pauses::new(PAUSES.0, PAUSES.1);
        let mut batch = Vec::with_capacity(BATCH);
        while !stop.is_cancelled() {
            self.gather(&mut batch, &stop).await;
            if batch.is_empty() {
                continue;
            }
            // What was gathered is sent until it arrives; meanwhile others wait, and then are dropped.
            while !stop.is_cancelled() {
                let sent = tokio::select! {
                    () = stop.cancelled() => break,
                    sent = self.send(&batch) => sent,
                };
                if sent {
                    batch.clear();
                    pauses.reset();
                    break;
                }
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = tokio::time::sleep(pauses.next_pause()) => {}
                }
            }
        }
        self.end(batch).await;
    }

    /// Takes spans until there are many, or it has been a while since the first.
    async fn gather(&mut self, batch: &mut Vec<Span>, stop: &CancellationToken) {
        let first = tokio::select! {
            () = stop.cancelled() => None,
            first = self.spans.recv() => first,
        };
        batch.extend(first);
        let until = Instant::now() + GATHERING;
        while !batch.is_empty() && batch.len() < BATCH {
            let room = BATCH - batch.len();
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(until) => return,
                count = self.spans.recv_many(batch, room) => if count == 0 { return },
            }
        }
    }

    /// Whether it arrived. An outage is told once when it begins and once when it ends.
    async fn send(&mut self, batch: &[Span]) -> bool {
        let body = Body {
            kind: "application/json",
            text: otlp::request(&self.resource, batch),
        };
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        match self.http.send(Method::POST, &self.uri, Some(body)).await {
            Ok(()) => {
                self.sent.increment(count);
                if std::mem::take(&mut self.fails) {
                    tracing::info!("the spans arrive again");
                }
                true
            }
            Err(error) => {
                if !std::mem::replace(&mut self.fails, true) {
                    tracing::warn!(%error, "the spans do not arrive; trying again, and saying no more of it until they do");
                }
                false
            }
        }
    }

    async fn end(mut self, mut batch: Vec<Span>) {
        self.spans.close();
        loop {
            while batch.len() < BATCH
                && let Ok(span) = self.spans.try_recv()
            {
                batch.push(span);
            }
            if batch.is_empty() {
                return;
            }
            if !self.send(&batch).await {
                let lost = batch.len() + self.spans.len();
                self.failed
                    .increment(u64::try_from(lost).unwrap_or(u64::MAX));
                tracing::warn!(spans = lost, "the last spans were not sent");
                return;
            }
            batch.clear();
        }
    }
}

#[cfg(test)]
mod tests;
