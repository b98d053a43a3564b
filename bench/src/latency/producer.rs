//! The producer of the open loop: a process that sends each message when it is due, and waits for no answer.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::num::NonZeroU64;
use std::thread;

use anyhow::Context as _;
use rustix::thread::{clock_nanosleep_absolute, set_current_timer_slack};
use rustix::time::{ClockId, Timespec};

use super::histogram;
use crate::contender::JOBS;
use crate::figures::float;
use crate::message;
use crate::worker::now;

const SECOND: u64 = 1_000_000_000;

/// Sends `n` messages, `rate` a second, to the server at `redis://host:port`. Says in microseconds how late it was at p99.
pub fn send(url: &str, rate: u64, n: u64) -> anyhow::Result<f64> {
    let address = url.trim_start_matches("redis://");
    let mut stream = TcpStream::connect(address)
        .with_context(|| format!("unable to connect the producer to {address}"))?;
    stream.set_nodelay(true)?;
    let answers = stream.try_clone()?;
    let reading = thread::spawn(move || drain(answers, n));
    // The kernel may wake a sleeper 50 µs late to save power, unless it is told otherwise.
    set_current_timer_slack(NonZeroU64::new(1))?;
    let mut late = histogram()?;
    let started = now();
    for number in 0..n {
        let due = started + number * SECOND / rate;
        sleep_until(due)?;
        stream.write_all(&command(number, due)?)?;
        late.saturating_record(now().saturating_sub(due));
    }
    match reading.join() {
        Ok(answered) => answered?,
        Err(_) => anyhow::bail!("the thread that reads the answers failed"),
    }
    Ok(float(late.value_at_quantile(0.99)) / 1e3)
}

fn command(number: u64, due: u64) -> anyhow::Result<Vec<u8>> {
    let mut add = redis::cmd("XADD");
    add.arg(JOBS).arg("*");
    for (name, value) in message::job(usize::try_from(number)?) {
        add.arg(name).arg(value);
    }
    add.arg("sent").arg(due);
    Ok(add.get_packed_command())
}

/// Returns at once if that time has passed.
fn sleep_until(due: u64) -> anyhow::Result<()> {
    if now() < due {
        let request = Timespec {
            tv_sec: i64::try_from(due / SECOND)?,
            tv_nsec: i64::try_from(due % SECOND)?,
        };
        clock_nanosleep_absolute(ClockId::Monotonic, &request)?;
    }
    Ok(())
}

/// Reads until every message has its answer: an id has two line ends, one after its length.
fn drain(mut answers: TcpStream, n: u64) -> anyhow::Result<()> {
    let (mut lines, mut buffer) = (0, [0; 16 * 1024]);
    while lines < 2 * n {
        let read = answers.read(&mut buffer)?;
        anyhow::ensure!(read > 0, "redis-server closed the producer's connection");
        let error = buffer[..read].first() == Some(&b'-');
        anyhow::ensure!(!error, "redis-server refused a message");
        lines += buffer[..read].split(|byte| *byte == b'\n').skip(1).count() as u64;
    }
    Ok(())
}
