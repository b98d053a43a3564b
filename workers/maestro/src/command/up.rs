//! `maestro up`: a whole fleet in one process.

use std::time::Duration;

use clap::Args;
use maestro_protocol::Stream;
use maestro_streams::{Admin, CancellationToken, Endpoint};
use maestro_telemetry::Traces;
use tokio::task;

use crate::config::flags::WorkerFlags;
use crate::exit::Exit;
use crate::fault::{Fault, Outcome};
use crate::fleet::embedded::Embedded;
use crate::fleet::home::Home;
use crate::fleet::workers::{Crew, Kind};
use crate::fleet::{connection, signals, telemetry};
use crate::output::Tone;
use crate::session::Session;

/// How often to see whether our Redis is still there.
const WATCH: Duration = Duration::from_secs(2);

/// Runs a whole fleet in one process, with a Redis of its own unless one is named
///
/// The Redis listens on a private socket below `.maestro`, keeps its data there, and ends with the fleet. Other `maestro`
/// commands in the same directory find it by themselves.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  maestro up
  maestro up --root ~/src --heal-concurrency 2
  maestro up --redis-url redis://localhost       # no Redis of its own
  maestro up --kubeconfig ~/.kube/config         # environments as well")]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) flags: WorkerFlags,
}

impl Up {
    pub(crate) async fn run(self, session: Session) -> Outcome {
        let shutdown = signals::shutdown()?;
        let mut session = session;
        if session.settings.roots.value.is_empty() {
            let here = std::env::current_dir().map_err(|error| {
                Fault::new(
                    Exit::Io,
                    format!("the working directory cannot be read: {error}"),
                )
            })?;
            session.settings.roots.value.push(here);
        }
        let mut embedded = if session.settings.redis_url.value.is_some() {
            None
        } else {
            let home = Home::of(&session.settings);
            Some(blocking(move || Embedded::start(home)).await?)
        };
        let ended = match fleet(&session, &shutdown, &mut embedded).await {
            Ok(()) => Ok(Exit::Success),
            Err(fault) => Err(fault),
        };
        // After the workers: they hand back what they hold.
        if let Some(embedded) = embedded {
            blocking(move || embedded.stop()).await?;
        }
        ended
    }
}

async fn fleet(
    session: &Session,
    shutdown: &CancellationToken,
    embedded: &mut Option<Embedded>,
) -> Result<(), Fault> {
    let endpoint = connection::endpoint(session)?;
    let admin = connection::admin(session)?;
    prepare(&admin, session).await?;
    let telemetry = telemetry::start(session, &endpoint)?;
    let traces = telemetry::trace(session)?;
    let spans = traces.as_ref().map(Traces::spans);
    let crew = Crew::new(shutdown.clone(), &session.settings, spans)?;
    let ended = work(session, crew, embedded, &endpoint).await;
    telemetry::end_tracing(traces).await;
    telemetry::end(telemetry).await;
    ended
}

async fn work(
    session: &Session,
    mut crew: Crew,
    embedded: &mut Option<Embedded>,
    endpoint: &Endpoint,
) -> Result<(), Fault> {
    let kinds = Kind::fleet(&session.settings);
    for kind in &kinds {
        crew.start(*kind, &session.settings, endpoint).await?;
    }
    greet(session, endpoint, embedded.is_some(), &kinds)?;
    let mut finished = std::pin::pin!(crew.finished());
    loop {
        tokio::select! {
            ended = &mut finished => return ended,
            () = tokio::time::sleep(WATCH), if embedded.is_some() => revive(embedded).await?,
        }
    }
}

/// The groups exist before the first message counts.
async fn prepare(admin: &Admin, session: &Session) -> Result<(), Fault> {
    let groups: Vec<_> = Kind::fleet(&session.settings)
        .into_iter()
        .map(Kind::stream)
        .filter_map(|stream: Stream| Some((stream.name(), stream.group()?)))
        .collect();
    let fault = |error| connection::fault(&error);
    admin.ensure_groups(&groups).await.map_err(fault)?;
    if session.settings.delivery.urgent_lane.value {
        admin.ensure_urgent_groups(&groups).await.map_err(fault)?;
    }
    Ok(())
}

/// The workers wait while Redis is away, and go on when it is back.
async fn revive(embedded: &mut Option<Embedded>) -> Result<(), Fault> {
    let Some(mut redis) = embedded.take() else {
        return Ok(());
    };
    let (redis, revived) = blocking(move || {
        let revived = redis.revive()?;
        Ok((redis, revived))
    })
    .await?;
    if revived {
        tracing::warn!("the fleet's Redis had ended, and was started again");
    }
    *embedded = Some(redis);
    Ok(())
}

fn greet(session: &Session, endpoint: &Endpoint, own: bool, kinds: &[Kind]) -> Result<(), Fault> {
    let groups: Vec<_> = kinds
        .iter()
        .filter_map(|kind| kind.stream().group())
        .collect();
    let output = session.output;
    let whose = if own {
        "a Redis of its own"
    } else {
        "the Redis"
    };
    let strong = |text: &str| output.paint(Tone::Strong, text);
    output.line(format!(
        "{} {}, on {whose} at {endpoint}",
        strong("The fleet is up:"),
        groups.join(", ")
    ))?;
    let named = if own {
        String::new()
    } else {
        format!(" --redis-url {endpoint}")
    };
    for (what, how) in [
        (
            "publish",
            format!("pytest --junitxml=report.xml; maestro publish{named} --junit report.xml"),
        ),
        ("watch", format!("maestro watch{named} --follow")),
        ("stop", "Ctrl-C".to_owned()),
    ] {
        output.line(format!("  {what:<9}{how}"))?;
    }
    Ok(())
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    task::spawn_blocking(work)
        .await
        .unwrap_or_else(|panic| Err(Fault::unavailable(format!("a task panicked: {panic}"))))
}
