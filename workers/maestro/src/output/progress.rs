//! A line on standard error that tells how far a long command is.

use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Shown only on a terminal, after a second, and at most ten times a second; wiped when it is dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    enabled: bool,
    shown: bool,
    next: Instant,
}

const PATIENCE: Duration = Duration::from_secs(1);
const PACE: Duration = Duration::from_millis(100);

impl Progress {
    pub(super) fn new(enabled: bool) -> Self {
        Self {
            enabled,
            shown: false,
            next: Instant::now() + PATIENCE,
        }
    }

    pub(crate) fn say(&mut self, text: &str) {
        let now = Instant::now();
        if self.enabled && now >= self.next {
            self.next = now + PACE;
            self.shown = true;
            let mut err = io::stderr().lock();
            let _ = write!(err, "\r\x1b[K{text}").and_then(|()| err.flush());
        }
    }

    pub(crate) fn wipe(&mut self) {
        if self.shown {
            self.shown = false;
            let mut err = io::stderr().lock();
            let _ = write!(err, "\r\x1b[K").and_then(|()| err.flush());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.wipe();
    }
}
