//! How a command ended, and what it said.

use std::time::Duration;

/// Why a command is no longer running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It exited with this code.
    Exited(i32),
    /// A signal ended it that was not sent from here.
    Signalled(i32),
    /// It was stopped at the end of its wall-clock or processor time.
    TimedOut,
    /// It was stopped because it and its children were too many.
    TooManyProcesses,
    /// It was stopped because it held too much memory.
    OutOfMemory,
    /// It was stopped because it wrote too much.
    DiskFull,
    /// It was stopped because nobody wants its answer any more.
    Cancelled,
}

impl Ended {
    /// Whether it exited with code 0.
    pub fn succeeded(self) -> bool {
        self == Self::Exited(0)
    }

    /// Whether it was stopped for passing one of its limits.
    pub fn overran(self) -> bool {
        matches!(
            self,
            Self::TimedOut | Self::TooManyProcesses | Self::OutOfMemory | Self::DiskFull
        )
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exited with code {code}"),
            Self::Signalled(signal) => write!(f, "was ended by signal {signal}"),
            Self::TimedOut => f.write_str("was stopped at its time limit"),
            Self::TooManyProcesses => f.write_str("was stopped for starting too many processes"),
            Self::OutOfMemory => f.write_str("was stopped for holding too much memory"),
            Self::DiskFull => f.write_str("was stopped for writing too much"),
            Self::Cancelled => f.write_str("was cancelled"),
        }
    }
}

/// A command that has ended. None of its processes is left.
#[derive(Debug, Clone)]
pub struct Finished {
    /// How it ended.
    pub ended: Ended,
    /// Its standard output; of a long one the head and the tail, with a line between them that says what is missing.
    pub stdout: Vec<u8>,
    /// Its standard error, bounded likewise.
    pub stderr: Vec<u8>,
    /// From before its start until the last of its processes was gone.
    pub elapsed: Duration,
}

impl Finished {
    /// Its standard output as text; bytes that are not UTF-8 become U+FFFD.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Its standard error as text; bytes that are not UTF-8 become U+FFFD.
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}
