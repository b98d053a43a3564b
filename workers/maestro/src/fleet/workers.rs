//! The workers of this process, each on its stream.

use std::sync::Arc;

use clap::ValueEnum;
use maestro_memory::Memory;
use maestro_protocol::Stream;
use maestro_streams::{CancellationToken, Consumer, ConsumerConfig, Endpoint, Tally};
use maestro_triage::Triage;
use maestro_worker::{Spans, Typed, Worker};
use tokio::task::JoinSet;

use super::connection;
use super::heartbeat::Heartbeat;
use super::retention::Retention;
use super::tick::Tick;
use crate::config::{Rate, Settings};
use crate::fault::Fault;

/// The kinds of worker that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Classifies reported errors and decides what is to be healed
    Triage,
    /// Heals failing tests
    Heal,
    /// Brings environments up; needs a Kubernetes cluster
    Provision,
    /// Takes environments away; needs a Kubernetes cluster
    Cleanup,
}

impl Kind {
    /// What works without a cluster.
    pub(crate) const LOCAL: [Self; 2] = [Self::Triage, Self::Heal];

    /// What a whole fleet has: all of them, if a cluster is named.
    pub(crate) fn fleet(settings: &Settings) -> Vec<Self> {
        let environments = &settings.environments;
        let has_cluster =
            environments.kubeconfig.value.is_some() || environments.context.value.is_some();
        let cluster = [Self::Provision, Self::Cleanup];
        let cluster = cluster.into_iter().filter(|_| has_cluster);
        Self::LOCAL.into_iter().chain(cluster).collect()
    }

    /// The stream that it reads.
    pub(crate) const fn stream(self) -> Stream {
        match self {
            Self::Triage => Stream::Errors,
            Self::Heal => Stream::Heal,
            Self::Provision => Stream::Provision,
            Self::Cleanup => Stream::Cleanup,
        }
    }
}

/// Workers that run.
pub(crate) struct Crew {
    running: JoinSet<Result<(), Fault>>,
    shutdown: CancellationToken,
    spans: Option<Arc<dyn Spans>>,
    heartbeat: Heartbeat,
    retains: bool,
}

impl Crew {
    /// Workers that end in order when `shutdown` fires, and tell `spans` what they do. Fails where the heartbeat file that the settings
    /// name cannot be written.
    pub(crate) fn new(
        shutdown: CancellationToken,
        settings: &Settings,
        spans: Option<Arc<dyn Spans>>,
    ) -> Result<Self, Fault> {
        let file = settings.heartbeat_file.value.as_deref();
        Ok(Self {
            running: JoinSet::new(),
            heartbeat: Heartbeat::start(file, shutdown.clone())?,
            shutdown,
            spans,
            retains: false,
        })
    }

    /// Starts one kind of worker, with as many messages at a time as its setting says.
    pub(crate) async fn start(
        &mut self,
        kind: Kind,
        settings: &Settings,
        endpoint: &Endpoint,
    ) -> Result<(), Fault> {
        if !self.retains {
            self.retains = true;
            if let Some(retention) = Retention::new(settings, endpoint)? {
                let shutdown = self.shutdown.clone();
                self.running.spawn(async move {
                    retention.run(shutdown).await;
                    Ok(())
                });
            }
        }
        match kind {
            Kind::Triage => {
                let tally = Tally::new(endpoint, settings.prefix.value.clone())
                    .map_err(|error| connection::fault(&error))?;
                let worker = Triage::new(tally).window(settings.triage_window.value.0);
                let pace = (
                    settings.triage_concurrency.value,
                    settings.triage_rate_limit.value,
                );
                self.run(kind, worker, pace, settings, endpoint)
            }
            Kind::Heal => {
                let memory = Memory::new(endpoint, &settings.prefix.value)
                    .map_err(|error| connection::fault(&error))?;
                let worker = super::heal::worker(settings, memory.clone())?;
                let shutdown = self.shutdown.clone();
                self.running.spawn(async move {
                    super::remembering::run(memory, shutdown).await;
                    Ok(())
                });
                let pace = (
                    settings.heal_concurrency.value,
                    settings.heal_rate_limit.value,
                );
                self.run(kind, worker, pace, settings, endpoint)
            }
            Kind::Provision => {
                let worker = super::environments::provision(settings).await?;
                let environments = &settings.environments;
                let pace = (
                    environments.provision_concurrency.value,
                    environments.provision_rate_limit.value,
                );
                self.run(kind, worker, pace, settings, endpoint)
            }
            Kind::Cleanup => {
                let worker = super::environments::cleanup(settings).await?;
                let tick = Tick::new(settings, endpoint)?;
                let shutdown = self.shutdown.clone();
                self.running.spawn(async move {
                    tick.run(shutdown).await;
                    Ok(())
                });
                let pace = (
                    settings.environments.cleanup_concurrency.value,
                    Rate::default(),
                );
                self.run(kind, worker, pace, settings, endpoint)
            }
        }
    }

    fn run<W: Worker>(
        &mut self,
        kind: Kind,
        worker: W,
        (concurrency, rate): (u32, Rate),
        settings: &Settings,
        endpoint: &Endpoint,
    ) -> Result<(), Fault> {
        let config = ConsumerConfig {
            prefix: settings.prefix.value.clone(),
            concurrency: usize::try_from(concurrency).unwrap_or(usize::MAX),
            rate_limit: rate.limit(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..settings.delivery.consumer(kind.stream().name(), W::NAME)
        };
        let typed = Typed::new(worker).telling(self.spans.clone());
        let consumer = Consumer::new(endpoint.clone(), config, typed)
            .map_err(|error| connection::fault(&error))?;
        let shutdown = self.shutdown.clone();
        let watched = self.heartbeat.watch(W::NAME, consumer.pulse());
        tracing::info!(worker = W::NAME, stream = kind.stream().name(), concurrency, %endpoint, "started");
        self.running.spawn(async move {
            let ended = consumer
                .run(shutdown)
                .await
                .map_err(|error| connection::fault(&error));
            drop(watched);
            tracing::info!(worker = W::NAME, "ended");
            ended
        });
        Ok(())
    }

    /// Waits until all have ended. One that ends by a fault takes the others down in order.
    pub(crate) async fn finished(&mut self) -> Result<(), Fault> {
        self.heartbeat.all_started();
        let mut first = Ok(());
        while let Some(ended) = self.running.join_next().await {
            let ended = ended.unwrap_or_else(|panic| {
                Err(Fault::unavailable(format!("a worker panicked: {panic}")))
            });
            if ended.is_err() {
                self.shutdown.cancel();
            }
            first = first.and(ended);
        }
        first
    }
}
