//! What a process has used, from its entries in `/proc` (see proc(5)).

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// Processor time and memory of a process so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// In user and kernel mode together, of all its living threads.
    pub(crate) cpu: Duration,
    /// The most memory it ever had resident (`VmHWM`), in bytes.
    pub(crate) max_rss: u64,
}

impl Usage {
    /// Fails if there is no such process.
    pub(crate) fn of(pid: u32) -> anyhow::Result<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))
            .with_context(|| format!("unable to read what process {pid} uses"))?;
        let kilobytes = |member: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(member));
            line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok())
                .map_or(0, |kilobytes| kilobytes * 1024)
        };
        Ok(Self {
            cpu: scheduled(pid).or_else(|| ticked(pid)).unwrap_or_default(),
            max_rss: kilobytes("VmHWM:"),
        })
    }

    /// Processor time since an earlier look, in microseconds.
    pub(crate) fn micros_since(&self, before: &Self) -> f64 {
        self.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e6
    }
}

/// To the nanosecond, where the kernel keeps scheduler statistics.
fn scheduled(pid: u32) -> Option<Duration> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let text = fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        sum += text.split_whitespace().next()?.parse::<u64>().ok()?;
    }
    (sum > 0).then_some(Duration::from_nanos(sum))
}

/// In steps of 10 ms: `utime` and `stime`, in the hundredths of a second that the kernel shows to every architecture we run on.
fn ticked(pid: u32) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name is in parentheses and may hold anything, so what follows the last one is counted.
    let mut after = text.rsplit(')').next()?.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (after.next()?.parse().ok()?, after.next()?.parse().ok()?);
    Some(Duration::from_millis((user + system) * 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_of_a_process_run_and_agree() {
        let own = std::process::id();
        let before = Usage::of(own).unwrap();
        assert!(before.max_rss > 100_000);
        let mut n = 0_u64;
        while ticked(own).unwrap() < Duration::from_millis(50) {
            n = std::hint::black_box(n + 1);
        }
        let (fine, coarse) = (scheduled(own).unwrap(), ticked(own).unwrap());
        assert!(fine > before.cpu);
        assert!(fine.abs_diff(coarse) < Duration::from_millis(500));
    }
}
