//! What this process measures, if somebody wants to know: made from the settings.

use jiff::Timestamp;
use maestro_protocol::Stream;
use maestro_streams::{Endpoint, Tally};
use maestro_telemetry::queues::Queues;
use maestro_telemetry::{Settings as Wanted, Telemetry, TraceSettings, Traces};

use super::connection;
use crate::fault::Fault;
use crate::session::Session;

/// Begins to measure and to push; to be called before the first worker starts. `None` where no target is configured.
pub(crate) fn start(session: &Session, endpoint: &Endpoint) -> Result<Option<Telemetry>, Fault> {
    let settings = &session.settings;
    let metrics = &settings.metrics;
    let Some(target) = metrics.target()? else {
        return Ok(None);
    };
    let mut telemetry = Telemetry::start(Wanted {
        target,
        job: metrics.job.value.clone(),
        instance: metrics.instance.value.clone(),
        prefix: settings.prefix.value.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        interval: metrics.interval.value.0,
        timeout: metrics.timeout.value.0,
        linger: metrics.linger.value.0,
        gzip: metrics.gzip.value,
        authorities: metrics.ca.value.clone(),
    })
    .map_err(|error| Fault::usage(format!("`metrics.target`: {error}")))?;
    let tally = Tally::new(endpoint, settings.prefix.value.clone())
        .map_err(|error| connection::fault(&error))?;
    let admin = connection::admin(session)?.lease(settings.delivery.lease.value.0);
    // Two replicas may have been given one name.
    let replica = format!(
        "{} {}",
        telemetry.instance(),
        Timestamp::now().as_nanosecond()
    );
    let queues = Queues::new(tally, admin, &Stream::ALL.map(Stream::name), replica);
    telemetry.watch(queues);
    Ok(Some(telemetry))
}

/// Pushes for the last time; to be called when the last worker has ended.
pub(crate) async fn end(telemetry: Option<Telemetry>) {
    if let Some(telemetry) = telemetry {
        telemetry.end().await;
    }
}

/// Begins to push spans; to be called after [`start`], which counts them. `None` where no target is configured.
pub(crate) fn trace(session: &Session) -> Result<Option<Traces>, Fault> {
    let settings = &session.settings;
    let Some(target) = settings.traces.target()? else {
        return Ok(None);
    };
    let instance = settings.metrics.instance.value.clone();
    let traces = Traces::start(TraceSettings {
        target,
        ratio: settings.traces.ratio.value,
        timeout: settings.metrics.timeout.value.0,
        authorities: settings.traces.ca.value.clone(),
        instance: instance.unwrap_or_else(maestro_telemetry::instance),
        prefix: settings.prefix.value.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
    .map_err(|error| Fault::usage(format!("`traces.target`: {error}")))?;
    Ok(Some(traces))
}

/// Sends the last spans; to be called when the last worker has ended, before the last metrics are pushed.
pub(crate) async fn end_tracing(traces: Option<Traces>) {
    if let Some(traces) = traces {
        traces.end().await;
    }
}
