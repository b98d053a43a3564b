//! What stands in a heartbeat file, as JSON.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// How one process is. Members are only added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) process: u32,
    pub(crate) written: Moment,
    pub(crate) state: State,
    /// How old the process is.
    pub(crate) age_ms: u64,
    /// Those of its loops that have begun and not ended.
    pub(crate) loops: Vec<Loop>,
}

/// Where a process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// Not all of its loops have begun.
    Starting,
    Running,
    /// It was told to end, and finishes what is in hand.
    Stopping,
}

/// How one loop was when the file was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Loop {
    /// The worker whose loop it is.
    pub(crate) name: String,
    /// Since it last went round.
    pub(crate) age_ms: u64,
    /// Whether it has a connection to Redis.
    pub(crate) connected: bool,
    /// How many messages it holds.
    pub(crate) in_hand: usize,
    /// How long the longest-running handler has been at it.
    pub(crate) oldest_handler_ms: Option<u64>,
}

/// A moment on this machine since its last start, by a clock that nobody sets (`CLOCK_MONOTONIC`, `clock_gettime(2)`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Moment {
    /// Tells one start of the machine from the next (`random(4)`).
    pub(crate) boot: String,
    pub(crate) ms: u64,
}

impl Moment {
    pub(crate) fn now() -> Self {
        let now = clock_gettime(ClockId::Monotonic);
        let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
        let nanos = u64::try_from(now.tv_nsec).unwrap_or(0);
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self {
            boot: boot.trim().to_owned(),
            ms: seconds * 1000 + nanos / 1_000_000,
        }
    }

    /// How long ago `earlier` was; `None` if the machine was started since, or it is another one.
    pub(crate) fn since(&self, earlier: &Self) -> Option<Duration> {
        let is_same = self.boot == earlier.boot;
        let ms = self.ms.checked_sub(earlier.ms).filter(|_| is_same)?;
        Some(Duration::from_millis(ms))
    }
}
