//! `maestro health`: whether a worker process is alive, from its heartbeat file alone.

use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::config::Span;
use crate::config::flags::WorkerFlags;
use crate::exit::Exit;
use crate::fault::{Fault, Outcome};
use crate::fleet::heartbeat::record::{Loop, Moment, Record, State};
use crate::output::duration;
use crate::session::Session;

/// Says whether the worker process that writes a heartbeat file is alive
///
/// Made for an exec probe in the container of the worker. It asks nobody, Redis least of all: a worker that waits for Redis is alive, and
/// restarting it would help nobody. With --ready, it must also be connected, started and not about to end.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  MAESTRO_HEARTBEAT_FILE=/run/maestro/heartbeat maestro worker triage &
  maestro health --file /run/maestro/heartbeat --max-age 30s
  maestro health --file /run/maestro/heartbeat --ready
  maestro health --file /run/maestro/heartbeat --max-handler-age 1h")]
pub(crate) struct Health {
    /// The heartbeat file
    #[arg(
        long = "file",
        env = "MAESTRO_HEARTBEAT_FILE",
        value_name = "FILE",
        hide_env_values = true
    )]
    heartbeat_file: Option<PathBuf>,

    /// How long a loop of the process may take to go round
    #[arg(long, value_name = "TIME", default_value = "30s")]
    max_age: Span,

    /// How long one message may be in the hands of a handler [default: any time]
    #[arg(long, value_name = "TIME")]
    max_handler_age: Option<Span>,

    /// Whether it can take messages now, rather than whether it lives
    #[arg(long)]
    ready: bool,
}

impl Health {
    pub(crate) fn flags(&self) -> WorkerFlags {
        WorkerFlags {
            heartbeat_file: self.heartbeat_file.clone(),
            ..WorkerFlags::default()
        }
    }

    pub(crate) fn run(&self, session: &Session) -> Outcome {
        let Some(file) = &session.settings.heartbeat_file.value else {
            return Err(Fault::usage("no heartbeat file is named").next(
                "name it with --file or MAESTRO_HEARTBEAT_FILE, for the worker and for this",
            ));
        };
        let text = fs::read(file).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Fault::no(format!(
                "there is no `{}`: the worker has not begun, or has ended in order",
                file.display()
            )),
            _ => Fault::no(format!("`{}` cannot be read: {error}", file.display())),
        })?;
        let record = serde_json::from_slice(&text)
            .map_err(|_| Fault::no(format!("`{}` is no heartbeat file", file.display())))?;
        let sentence = self.judge(&record, &Moment::now()).map_err(Fault::no)?;
        session.output.line(sentence)?;
        Ok(Exit::Success)
    }

    /// What is well, or what is not, in one sentence.
    fn judge(&self, record: &Record, now: &Moment) -> Result<String, String> {
        let process = record.process;
        let written = now.since(&record.written).ok_or_else(|| {
            format!("process {process} wrote its heartbeat before this machine was started, or on another one")
        })?;
        let most = self.max_age.0;
        if written > most {
            return Err(format!(
                "process {process} has given no sign of life for {}: it was killed, or hangs",
                duration(written)
            ));
        }
        let age = |ms| Duration::from_millis(ms) + written;
        for one in &record.loops {
            let late = age(one.age_ms);
            if late > most {
                return Err(format!(
                    "the {} loop of process {process} hangs: it has not gone round for {}",
                    one.name,
                    duration(late)
                ));
            }
            let handling = one.oldest_handler_ms.map(age);
            if let (Some(handling), Some(most)) = (handling, self.max_handler_age)
                && handling > most.0
            {
                return Err(format!(
                    "a handler of {} in process {process} has been at one message for {}",
                    one.name,
                    duration(handling)
                ));
            }
        }
        let starting = age(record.age_ms);
        if record.state == State::Starting && starting > most {
            return Err(format!(
                "process {process} has been starting for {}",
                duration(starting)
            ));
        }
        if self.ready {
            is_ready(record)?;
        }
        Ok(well(record, age, self.ready))
    }
}

fn unconnected(record: &Record) -> Vec<&str> {
    let loops = record.loops.iter().filter(|one| !one.connected);
    loops.map(|one| one.name.as_str()).collect()
}

fn is_ready(record: &Record) -> Result<(), String> {
    let process = record.process;
    let unconnected = unconnected(record);
    match record.state {
        State::Starting => Err(format!("not ready: process {process} is starting")),
        State::Stopping => Err(format!("not ready: process {process} is ending")),
        State::Running if !unconnected.is_empty() => Err(format!(
            "not ready: {} not connected to Redis",
            are(&unconnected)
        )),
        State::Running => Ok(()),
    }
}

fn are(names: &[&str]) -> String {
    let verb = if names.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", names.join(", "))
}

fn well(record: &Record, age: impl Fn(u64) -> Duration, ready: bool) -> String {
    let names: Vec<&str> = record.loops.iter().map(|one| one.name.as_str()).collect();
    let in_hand: usize = record.loops.iter().map(|one| one.in_hand).sum();
    let oldest = record
        .loops
        .iter()
        .filter_map(|one: &Loop| one.oldest_handler_ms);
    let oldest = oldest
        .max()
        .map(|ms| format!(", the oldest for {}", duration(age(ms))));
    let word = if ready { "ready" } else { "alive" };
    let mut sentence = match record.state {
        State::Starting => format!("{word}: process {} is starting", record.process),
        State::Stopping => format!("{word}, and ending: {}", names.join(", ")),
        State::Running => format!("{word}: {}", names.join(", ")),
    };
    // A String takes whatever is written.
    let _ = write!(
        sentence,
        "; {in_hand} in hand{}",
        oldest.unwrap_or_default()
    );
    let unconnected = unconnected(record);
    if !unconnected.is_empty() {
        let _ = write!(sentence, "; {} not connected to Redis", are(&unconnected));
    }
    sentence
}

#[cfg(test)]
mod tests;
