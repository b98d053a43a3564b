//! What heals cost one another: the same cases healed one after another and many at a time, in turns.
//!
//! Heals that only share the processors leave none of them idle; whatever else they wait for (a lock, a disk, each other) does. So the idle time
//! of the machine is counted beside the clock. The processor time is that of the healer itself: what ran in a sandbox ends with its
//! process namespace, and the kernel adds it to nobody who could be asked.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use maestro_heal::Healer;
use maestro_protocol::heal::HealRequested;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// The kernel counts processor time in hundredths of a second for its readers, on every platform that Linux has
/// (<https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>, `USER_HZ`).
const TICKS: f64 = 100.0;

/// What one round cost.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    wall: f64,
    /// Processor seconds of this process and of those that it waited for; sandboxes are not among them.
    processor: f64,
    /// Seconds that the processors had nothing to do, for nobody on this machine.
    idle: f64,
}

/// Heals `requests` in turns, one after another and `at_once` at a time, and says what that cost.
///
/// # Errors
/// When a heal ends without an answer, or `/proc` cannot be read.
pub(crate) async fn measure(
    healer: &Arc<Healer>,
    requests: &[HealRequested],
    at_once: usize,
    rounds: u32,
) -> anyhow::Result<String> {
    ensure!(!requests.is_empty(), "no case was chosen");
    // Installations are made and files are read once before anything counts.
    round(healer, requests, 1).await?;
    let (mut alone, mut together) = (Cost::default(), Cost::default());
    for _ in 0..rounds.max(1) {
        alone += round(healer, requests, 1).await?;
        together += round(healer, requests, at_once).await?;
    }
    let processors = std::thread::available_parallelism()?.get();
    Ok(render(
        alone,
        together,
        requests.len() * rounds.max(1) as usize,
        at_once,
        processors,
    ))
}

async fn round(
    healer: &Arc<Healer>,
    requests: &[HealRequested],
    at_once: usize,
) -> anyhow::Result<Cost> {
    let (began, before) = (Instant::now(), Counters::read()?);
    let slots = Arc::new(Semaphore::new(at_once.max(1)));
    let mut running = tokio::task::JoinSet::new();
    for request in requests {
        let (healer, slots, request) = (Arc::clone(healer), Arc::clone(&slots), request.clone());
        running.spawn(async move {
            let _slot = slots.acquire_owned().await;
            healer.heal(&request, CancellationToken::new()).await
        });
    }
    for answer in running.join_all().await {
        answer?;
    }
    let after = Counters::read()?;
    Ok(Cost {
        wall: began.elapsed().as_secs_f64(),
        processor: after.processor - before.processor,
        idle: after.idle - before.idle,
    })
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.wall += other.wall;
        self.processor += other.processor;
        self.idle += other.idle;
    }
}

/// Counters of the kernel in seconds, since some time in the past.
struct Counters {
    processor: f64,
    idle: f64,
}

impl Counters {
    fn read() -> anyhow::Result<Self> {
        let own = std::fs::read_to_string("/proc/self/stat")?;
        // The name of the program is in brackets and may contain anything; the state comes after it.
        let (_, own) = own
            .rsplit_once(')')
            .context("/proc/self/stat has no name")?;
        let all = std::fs::read_to_string("/proc/stat")?;
        let all = all.lines().next().context("/proc/stat is empty")?;
        // utime, stime, cutime, cstime; and idle with iowait.
        Ok(Self {
            processor: ticks(own, 11, 4)?,
            idle: ticks(all, 4, 2)?,
        })
    }
}

/// The sum of `count` fields of a line, from `first` on, in seconds.
fn ticks(line: &str, first: usize, count: usize) -> anyhow::Result<f64> {
    let mut sum = 0.0;
    for field in line.split_whitespace().skip(first).take(count) {
        sum += field.parse::<f64>()?;
    }
    Ok(sum / TICKS)
}

#[expect(clippy::cast_precision_loss, reason = "heals and processors are few")]
fn render(alone: Cost, together: Cost, heals: usize, at_once: usize, processors: usize) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{:<18} {:>8} {:>12} {:>18} {:>18}",
        "", "heals", "wall, s", "healer itself, s", "processors idle"
    );
    for (name, cost) in [
        ("one after another".to_owned(), alone),
        (format!("{at_once} at a time"), together),
    ] {
        let _ = writeln!(
            text,
            "{name:<18} {heals:>8} {:>12.1} {:>18.2} {:>16.0} %",
            cost.wall,
            cost.processor / heals as f64,
            100.0 * cost.idle / (cost.wall * processors as f64),
        );
    }
    let _ = writeln!(
        text,
        "\n{at_once} at a time take {:.2} of the time, and {:.2} of the healer's own processor time, of one after another on {processors} processors",
        together.wall / alone.wall,
        together.processor / alone.processor,
    );
    text
}
