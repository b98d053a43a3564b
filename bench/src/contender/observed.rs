//! The runtime with everything on that a fleet is watched by, as the workers have it: what that costs.

use std::io;
use std::time::{Duration, Instant};

use maestro_streams::{
    CancellationToken, Consumer, ConsumerConfig, Delivery, Endpoint, Entry, Handler, Inspection,
    Outcome,
};
use maestro_telemetry::{LogLimit, Settings, Telemetry};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::runtime::Relay;
use super::{CONCURRENCY, GROUP, JOBS};

/// Counts and logs what the relay does, as the adapter of the workers does.
struct Watched {
    relay: Relay,
    handled: metrics::Counter,
}

impl Handler for Watched {
    fn inspect(&self, entry: &Entry) -> Inspection {
        self.relay.inspect(entry)
    }

    async fn handle(&self, delivery: Delivery) -> Outcome {
        let began = Instant::now();
        let (entry, deliveries) = (delivery.entry.clone(), delivery.deliveries);
        let outcome = self.relay.handle(delivery).await;
        self.handled.increment(1);
        let id = entry.fields.get_str("id").unwrap_or_default();
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(
            worker = "triage",
            stream = JOBS,
            entry = %entry.id,
            id,
            correlation = id,
            outcome = "done",
            detail = "",
            deliveries,
            ms,
            "handled"
        );
        outcome
    }
}

/// Relays until `stop` fires.
pub async fn run(url: &str, stop: CancellationToken) -> anyhow::Result<()> {
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .json();
    tracing_subscriber::registry()
        .with(LevelFilter::INFO)
        .with(lines.with_filter(LogLimit::new(200)))
        .try_init()?;
    let directory = tempfile::tempdir()?;
    let telemetry = Telemetry::start(Settings {
        target: format!("file://{}", directory.path().display()).parse()?,
        job: "maestro".to_owned(),
        instance: None,
        prefix: String::new(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        interval: Duration::from_secs(15),
        timeout: Duration::from_secs(5),
        linger: Duration::ZERO,
        gzip: false,
        authorities: None,
    })?;
    let endpoint: Endpoint = url.parse()?;
    let mut config = ConsumerConfig::new(JOBS, GROUP);
    config.concurrency = CONCURRENCY;
    let watched = Watched {
        relay: Relay,
        handled: metrics::counter!("maestro_handled_total", "worker" => "triage", "outcome" => "done"),
    };
    let consumer = Consumer::new(endpoint, config, watched)?;
    consumer.run(stop).await?;
    telemetry.end().await;
    Ok(())
}
