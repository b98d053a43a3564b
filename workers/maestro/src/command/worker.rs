//! `maestro worker`: one kind of worker, for a fleet of many processes.

use clap::Args;
use maestro_telemetry::Traces;

use crate::config::flags::WorkerFlags;
use crate::exit::Exit;
use crate::fault::Outcome;
use crate::fleet::workers::{Crew, Kind};
use crate::fleet::{connection, signals, telemetry};
use crate::session::Session;

/// Runs one kind of worker until SIGTERM or Ctrl-C
///
/// The first signal lets running work end within --grace and hands back the rest; a second one ends at once. The worker listens on no port.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro worker triage --redis-url redis://redis.example.org
  maestro worker heal --root /srv/checkouts --concurrency 4 --lease 1m
  maestro worker provision --kubeconfig ~/.kube/config --owner ci
  MAESTRO_REDIS_URL=rediss://… maestro worker heal --config fleet.yaml --log-format json")]
pub(crate) struct Worker {
    /// Which
    #[arg(value_enum)]
    kind: Kind,

    /// How many messages it handles at a time
    #[arg(long, env = "MAESTRO_CONCURRENCY", value_name = "N", hide_env_values = true, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    concurrency: Option<u32>,

    #[command(flatten)]
    pub(crate) flags: WorkerFlags,
}

impl Worker {
    pub(crate) async fn run(self, session: Session) -> Outcome {
        let mut settings = session.settings.clone();
        if let Some(concurrency) = self.concurrency {
            settings.triage_concurrency.value = concurrency;
            settings.heal_concurrency.value = concurrency;
            settings.environments.provision_concurrency.value = concurrency;
            settings.environments.cleanup_concurrency.value = concurrency;
        }
        let shutdown = signals::shutdown()?;
        let endpoint = connection::endpoint(&session)?;
        let telemetry = telemetry::start(&session, &endpoint)?;
        let traces = telemetry::trace(&session)?;
        let spans = traces.as_ref().map(Traces::spans);
        let mut crew = Crew::new(shutdown, &settings, spans)?;
        let ended = match crew.start(self.kind, &settings, &endpoint).await {
            Ok(()) => crew.finished().await,
            Err(fault) => Err(fault),
        };
        telemetry::end_tracing(traces).await;
        telemetry::end(telemetry).await;
        ended.map(|()| Exit::Success)
    }
}
