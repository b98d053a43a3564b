//! What one command may use up before it is stopped.

use std::time::Duration;

/// The bounds of one command, its children and grandchildren taken together unless a field says otherwise.
///
/// The defaults fit one run of a small test suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Time on the wall clock. Default: 120 s.
    pub wall: Duration,
    /// Processor time. The kernel holds each process to it, the watch the whole tree. Default: 240 s.
    pub cpu: Duration,
    /// Memory, in bytes: resident memory of all processes, and what lies in the sandbox's own `/tmp`. One process
    /// is refused private memory beyond twice the amount by the kernel. Default: 2 GiB.
    pub memory_bytes: u64,
    /// Processes and threads at one time. Default: 256.
    pub processes: u32,
    /// How much the writable directories may grow, in bytes; also the largest size of a single file. Default: 1 GiB.
    pub disk_bytes: u64,
    /// How much is kept of each output stream, in bytes: the first and the last half of that. Default: 1 MiB.
    pub output_bytes: usize,
    /// Open files of each process. Default: 1,024.
    pub open_files: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall: Duration::from_mins(2),
            cpu: Duration::from_mins(4),
            memory_bytes: 2 << 30,
            processes: 256,
            disk_bytes: 1 << 30,
            output_bytes: 1 << 20,
            open_files: 1024,
        }
    }
}

impl Limits {
    /// Limits for building an environment: downloads and compilers want more time and room than a test.
    pub fn for_installation() -> Self {
        Self {
            wall: Duration::from_mins(10),
            cpu: Duration::from_mins(20),
            memory_bytes: 4 << 30,
            disk_bytes: 4 << 30,
            ..Self::default()
        }
    }
}
