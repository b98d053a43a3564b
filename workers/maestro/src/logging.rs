//! Log lines: one an event, on standard error.

use std::io;
use std::panic::PanicHookInfo;
use std::thread;

use maestro_telemetry::LogLimit;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::config::Settings;
use crate::config::flags::LogFormat;
use crate::fault::Fault;
use crate::output::Output;

/// Starts logging; `default` is the filter where none is configured.
pub(crate) fn start(settings: &Settings, output: Output, default: &str) -> Result<(), Fault> {
    let directives = settings.log.value.as_deref().unwrap_or(default);
    let filter = EnvFilter::builder().parse(directives).map_err(|error| {
        Fault::usage(format!(
            "`{}`: expected a level (error, warn, info, debug, trace) or `target=level,…`, but found `{directives}` ({error})",
            settings.log.key.path
        ))
    })?;
    let registry = tracing_subscriber::registry().with(filter);
    let limit = LogLimit::new(settings.log_rate.value);
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(output.colours_logs());
    let started = match settings.log_format.value {
        LogFormat::Text => registry
            .with(layer.with_target(false).with_filter(limit))
            .try_init(),
        LogFormat::Json => registry
            .with(
                layer
                    .json()
                    .flatten_event(true)
                    .with_current_span(true)
                    .with_span_list(false)
                    .with_filter(limit),
            )
            .try_init(),
    };
    std::panic::set_hook(Box::new(panicked));
    started.map_err(|error| Fault::usage(format!("logging cannot be started: {error}")))
}

/// A panic is an event like any other: one line, with its place.
fn panicked(panic: &PanicHookInfo<'_>) {
    let payload = panic.payload();
    let said = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message");
    let place = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    tracing::error!(
        place,
        thread = thread::current().name(),
        said,
        "panicked; this is a defect of maestro"
    );
}
