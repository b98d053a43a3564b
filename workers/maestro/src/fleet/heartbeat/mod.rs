//! The heartbeat file: a worker process says every second how its loops are, for a probe that asks nobody else.
//!
//! It never depends on Redis: an outage there must not restart a whole fleet. [`record`] is what stands in the file; `maestro
//! health` judges it. A thread of its own writes, so that a runtime that hangs shows as a loop that is late.

pub(crate) mod record;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use maestro_streams::{CancellationToken, Pulse};

use self::record::{Loop, Moment, Record, State};
use crate::exit::Exit;
use crate::fault::Fault;

/// How often the file is written.
const PERIOD: Duration = Duration::from_secs(1);

/// Says that this process is alive, for as long as it exists. Without a file it says nothing.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    heart: Arc<Heart>,
    /// Dropping the sender ends the thread.
    writing: Option<(Sender<()>, JoinHandle<()>)>,
}

/// What is known of this process's loops.
#[derive(Debug)]
struct Heart {
    began: Instant,
    shutdown: CancellationToken,
    beating: Mutex<Beating>,
}

#[derive(Debug, Default)]
struct Beating {
    all_started: bool,
    loops: Vec<(&'static str, Instant, Pulse)>,
}

/// A loop that is watched until this is dropped.
#[derive(Debug)]
pub(crate) struct Watched {
    heart: Arc<Heart>,
    name: &'static str,
}

impl Heartbeat {
    /// Writes the file for the first time, and goes on. Fails where it cannot be written.
    pub(crate) fn start(file: Option<&Path>, shutdown: CancellationToken) -> Result<Self, Fault> {
        let heart = Arc::new(Heart {
            began: Instant::now(),
            shutdown,
            beating: Mutex::default(),
        });
        let writing = file.map(|file| start_writing(file, &heart)).transpose()?;
        Ok(Self { heart, writing })
    }

    /// Watches one more loop.
    pub(crate) fn watch(&self, name: &'static str, pulse: Pulse) -> Watched {
        self.heart
            .with(|beating| beating.loops.push((name, Instant::now(), pulse)));
        Watched {
            heart: Arc::clone(&self.heart),
            name,
        }
    }

    /// No other loop will come.
    pub(crate) fn all_started(&self) {
        self.heart.with(|beating| beating.all_started = true);
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.writing.take() {
            drop(stop);
            // It takes the file away; had it panicked, the hook has said so.
            let _ = thread.join();
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.heart
            .with(|beating| beating.loops.retain(|(name, ..)| *name != self.name));
    }
}

impl Heart {
    fn with<T>(&self, look: impl FnOnce(&mut Beating) -> T) -> T {
        look(&mut self.beating.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn record(&self) -> Record {
        self.with(|beating| Record {
            process: std::process::id(),
            written: Moment::now(),
            state: if self.shutdown.is_cancelled() {
                State::Stopping
            } else if beating.all_started {
                State::Running
            } else {
                State::Starting
            },
            age_ms: ms(self.began.elapsed()),
            loops: beating.loops.iter().map(one_loop).collect(),
        })
    }
}

fn one_loop((name, watched, pulse): &(&'static str, Instant, Pulse)) -> Loop {
    Loop {
        name: (*name).to_owned(),
        age_ms: ms(pulse.loop_age().unwrap_or_else(|| watched.elapsed())),
        connected: pulse.is_connected(),
        in_hand: pulse.in_hand(),
        oldest_handler_ms: pulse.oldest_handler_age().map(ms),
    }
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn start_writing(file: &Path, heart: &Arc<Heart>) -> Result<(Sender<()>, JoinHandle<()>), Fault> {
    let file = file.to_owned();
    write(&file, &heart.record()).map_err(|error| {
        Fault::io(&file, "be written", &error)
            .next("name another file with --heartbeat-file, or none")
    })?;
    let (stop, stopped) = channel();
    let heart = Arc::clone(heart);
    let write_on = move || {
        let mut is_well = true;
        while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
            let written = write(&file, &heart.record());
            if let Err(error) = &written
                && is_well
            {
                tracing::error!(file = %file.display(), %error, "the heartbeat file cannot be written; a probe will take this process for dead");
            }
            is_well = written.is_ok();
        }
        // Who ends in order leaves nothing that looks like a process that hangs.
        let _ = fs::remove_file(&file);
    };
    let thread = thread::Builder::new()
        .name("heartbeat".to_owned())
        .spawn(write_on)
        .map_err(|error| Fault::new(Exit::Io, format!("the system gives no thread: {error}")))?;
    Ok((stop, thread))
}

/// In one step: a reader sees the old file or the new one.
fn write(file: &Path, record: &Record) -> io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    let beside: PathBuf = file.with_file_name(name);
    fs::write(&beside, serde_json::to_vec(record)?)?;
    fs::rename(&beside, file).inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })
}

#[cfg(test)]
mod tests;
