//! Reading the kernel's table of processes.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// The kernel counts processor time for user space in hundredths of a second on every architecture.
const TICKS_PER_SECOND: u64 = 100;

/// One line of `/proc/<pid>/stat`, the parts of it that matter here; see `proc_pid_stat(5)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) group: u32,
    pub(super) session: u32,
    pub(super) zombie: bool,
    /// Its own, and that of children it has waited for.
    pub(super) processor: Duration,
    pub(super) threads: u32,
    pub(super) resident_pages: u64,
}

impl Process {
    /// Reads `<table>/<pid>/stat`; `None` once the process is gone.
    pub(super) fn read(table: &Path, pid: u32) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(table.join(pid.to_string()).join("stat")).ok()?)
    }

    fn parse(line: &str) -> Option<Self> {
        let pid = line.split(' ').next()?.parse().ok()?;
        // The name stands in brackets and may hold brackets and blanks itself.
        let fields: Vec<&str> = line.rsplit_once(") ")?.1.split_ascii_whitespace().collect();
        let number = |field: usize| {
            fields
                .get(field - 3)
                .and_then(|text| text.parse::<u64>().ok())
        };
        let small = |field: usize| number(field).and_then(|wide| u32::try_from(wide).ok());
        let ticks: u64 = (14..=17).filter_map(number).sum();
        Some(Self {
            pid,
            parent: small(4)?,
            group: small(5)?,
            session: small(6)?,
            zombie: matches!(fields.first(), Some(&("Z" | "X"))),
            processor: Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND),
            threads: small(20)?,
            resident_pages: number(24)?,
        })
    }
}

/// Every process of a table, `/proc` or the one inside a sandbox.
pub(super) fn processes(table: &Path) -> Vec<Process> {
    pids(table)
        .filter_map(|pid| Process::read(table, pid))
        .collect()
}

fn pids(table: &Path) -> impl Iterator<Item = u32> {
    std::fs::read_dir(table)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// A process's share of memory, in bytes, pages shared between processes divided among them. Costs the kernel a walk
/// over the process's memory.
pub(super) fn proportional_memory(table: &Path, pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(table.join(pid.to_string()).join("smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<u64>()
        .ok()
        .map(|kib| kib * 1024)
}

/// The host's table.
pub(super) fn host() -> PathBuf {
    PathBuf::from("/proc")
}

/// The size of a page of memory, in bytes: what the kernel told this program when it started.
pub(super) fn page_bytes() -> u64 {
    const AT_PAGESZ: usize = 6;
    const WORD: usize = size_of::<usize>();
    let vector = std::fs::read("/proc/self/auxv").unwrap_or_default();
    let word = |bytes: &[u8]| bytes.try_into().map(usize::from_ne_bytes).ok();
    vector
        .chunks_exact(2 * WORD)
        .find(|pair| word(&pair[..WORD]) == Some(AT_PAGESZ))
        .and_then(|pair| word(&pair[WORD..]))
        .map_or(4096, |size| size as u64)
}

#[cfg(test)]
mod tests {
    use super::{Process, host, page_bytes};

    #[test]
    fn a_process_with_brackets_in_its_name_is_read() {
        let line = "42 (a) R (b)) S 7 8 9 0 -1 4194560 1 2 3 4 50 25 20 5 20 0 3 0 100 1000000 250 18446744073709551615 1";
        let process = Process::parse(line).unwrap();
        assert_eq!(
            (process.pid, process.parent, process.group, process.session),
            (42, 7, 8, 9)
        );
        assert_eq!(
            (
                process.processor.as_millis(),
                process.threads,
                process.resident_pages
            ),
            (1000, 3, 250)
        );
    }

    #[test]
    fn this_process_is_in_the_table() {
        let me = Process::read(&host(), std::process::id()).unwrap();
        assert!(me.resident_pages > 0 && !me.zombie);
        assert!(page_bytes().is_power_of_two());
    }
}
