//! `maestro audit sink`.

use std::time::Duration;

use clap::Args;
use maestro_audit::{Appender, GROUP, STREAMS, Sink};
use maestro_protocol::Stream;
use maestro_streams::{Admin, CancellationToken, Consumer, ConsumerConfig, Endpoint, StreamStatus};
use tokio::task::JoinSet;

use crate::config::flags::WorkerFlags;
use crate::exit::Exit;
use crate::fault::{Fault, Outcome};
use crate::fleet::heartbeat::Heartbeat;
use crate::fleet::{connection, signals, telemetry};
use crate::session::Session;

/// How often --once looks whether all is written.
const LOOK: Duration = Duration::from_millis(200);

/// Appends the results to PostgreSQL as they come, each once, until SIGTERM or Ctrl-C
///
/// The table `maestro_audit` is made where it is missing. While the database is away nothing is read, and nothing is lost: the results stay in Redis
/// until they are written. Several may run. It begins with the oldest result that there is, and listens on no port.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro audit sink --postgres-url 'postgresql:///maestro?host=/run/postgresql'
  MAESTRO_AUDIT_POSTGRES_URL=postgresql://… maestro audit sink --redis-url redis://redis.example.org
  maestro audit sink --once --config fleet.yaml     # what there is by now, from a timer")]
pub(super) struct SinkCommand {
    /// End when everything that stands in the streams is written
    #[arg(long)]
    once: bool,

    #[command(flatten)]
    pub(super) flags: WorkerFlags,
}

impl SinkCommand {
    pub(super) async fn run(self, session: &Session) -> Outcome {
        let settings = &session.settings;
        let Some(postgres) = settings.trail.postgres()? else {
            return Err(Fault::usage("no database is named").next(
                "name one with --postgres-url, MAESTRO_AUDIT_POSTGRES_URL or `audit.postgres_url`",
            ));
        };
        let shutdown = signals::shutdown()?;
        let endpoint = connection::endpoint(session)?;
        let telemetry = telemetry::start(session, &endpoint)?;
        let file = settings.heartbeat_file.value.as_deref();
        let heartbeat = Heartbeat::start(file, shutdown.clone())?;
        tracing::info!(database = %postgres, %endpoint, "the sink has started");
        let (sink, appender) = Sink::new(postgres, settings.prefix.value.clone());
        let writer = tokio::spawn(sink.run());
        let mut running = JoinSet::new();
        for stream in STREAMS {
            let consumer = consumer(session, &endpoint, stream, appender.clone())?;
            let watched = heartbeat.watch(GROUP, consumer.pulse());
            let shutdown = shutdown.clone();
            running.spawn(async move {
                let ended = consumer.run(shutdown).await;
                drop(watched);
                ended
            });
        }
        drop(appender);
        heartbeat.all_started();
        if self.once {
            let admin = connection::admin(session)?;
            tokio::spawn(end_when_written(admin, shutdown.clone()));
        }
        let mut first = Ok(Exit::Success);
        while let Some(ended) = running.join_next().await {
            let ended = match ended {
                Ok(ended) => ended.map_err(|error| connection::fault(&error)),
                Err(panic) => Err(Fault::unavailable(format!("the sink panicked: {panic}"))),
            };
            if let Err(fault) = ended {
                shutdown.cancel();
                first = first.and(Err(fault));
            }
        }
        // It has answered everybody who asked, and ends by itself.
        let _ = writer.await;
        telemetry::end(telemetry).await;
        first
    }
}

fn consumer(
    session: &Session,
    endpoint: &Endpoint,
    stream: Stream,
    appender: Appender,
) -> Result<Consumer<Appender>, Fault> {
    let settings = &session.settings;
    let delivery = settings.delivery.consumer(stream.name(), GROUP);
    let config = ConsumerConfig {
        prefix: settings.prefix.value.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..Appender::configure(delivery, settings.trail.retention())
    };
    Consumer::new(endpoint.clone(), config, appender).map_err(|error| connection::fault(&error))
}

/// Shuts down when nothing waits for the group any more. An outage of Redis is waited for here too.
async fn end_when_written(admin: Admin, shutdown: CancellationToken) {
    let names = STREAMS.map(Stream::name);
    loop {
        if let Ok(streams) = admin.status(&names).await
            && streams.iter().all(is_written)
        {
            shutdown.cancel();
            return;
        }
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Nothing is unread, in hand, or waiting to be tried again.
fn is_written(stream: &StreamStatus) -> bool {
    let group = stream.groups.iter().find(|group| group.group == GROUP);
    match group {
        Some(group) => group.backlog() == Some(0) && stream.delayed == 0,
        None => stream.length == 0,
    }
}
