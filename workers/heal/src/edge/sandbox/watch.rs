//! The limits that the kernel keeps for one process are kept here for all the processes of a run together: their
//! number, their memory, their processor time, and what they write. Looking at the kernel's tables works the same for
//! root, for a user and in a container, where control groups are writable for some and not for others.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::super::command::Command;
use super::super::finished::Ended;
use super::super::footprint::footprint;
use super::super::limits::Limits;
use super::arguments::{MARK, Scope};
use super::process_table::{Process, host, page_bytes, processes, proportional_memory};
use super::scratch::Scratch;

/// How often processes are looked at. What they can do in between is bounded by the kernel's limits.
const INTERVAL: Duration = Duration::from_millis(50);

/// How often the writable directories are measured at most. Measuring takes at most a twentieth of the time.
const DISK_INTERVAL: Duration = Duration::from_millis(200);

/// How long `bwrap` may take to begin.
const PATIENCE: Duration = Duration::from_secs(5);

/// File systems in the sandbox's memory.
const IN_MEMORY: &[&str] = &["tmp", "dev/shm", "home/heal"];

/// The processes of one run.
#[derive(Debug, Clone)]
pub(super) struct Members {
    scope: Scope,
    /// The process that was started: `bwrap`, or without it the command itself.
    outer: u32,
    /// The first process inside the sandbox, by the host's number, once it is known.
    first: Arc<AtomicU32>,
    mark: String,
    passwd: PathBuf,
}

impl Members {
    /// None yet.
    pub(super) fn of(scope: Scope, scratch: &Scratch) -> Self {
        Self {
            scope,
            outer: 0,
            first: Arc::new(AtomicU32::new(0)),
            mark: format!("{MARK}={}", scratch.mark()),
            passwd: scratch.passwd(),
        }
    }

    /// Those that come of this process.
    pub(super) fn started_as(mut self, outer: u32) -> Self {
        self.outer = outer;
        self
    }

    pub(super) fn outer(&self) -> u32 {
        self.outer
    }

    fn confined(&self) -> bool {
        self.scope != Scope::Off
    }

    /// The first process of the sandbox, which takes all others along when it is killed.
    fn first(&self) -> Option<u32> {
        let known = self.first.load(Ordering::Relaxed);
        if known != 0 {
            return Some(known);
        }
        let found = processes(&host())
            .into_iter()
            .find(|process| process.parent == self.outer)?
            .pid;
        self.first.store(found, Ordering::Relaxed);
        Some(found)
    }

    /// The table that shows this run's processes: that of the sandbox, once it has moved into its own file system.
    fn table(&self) -> Option<PathBuf> {
        if !self.confined() {
            return Some(host());
        }
        let root = host().join(self.first()?.to_string()).join("root");
        let same = |a: &Path, b: &Path| -> std::io::Result<bool> {
            let (a, b) = (a.metadata()?, b.metadata()?);
            Ok((a.dev(), a.ino()) == (b.dev(), b.ino()))
        };
        same(&root.join("etc/passwd"), &self.passwd)
            .unwrap_or(false)
            .then(|| root.join("proc"))
    }

    /// Those of the table that belong to the run.
    fn present(&self, table: &Path) -> Vec<Process> {
        let mut all = processes(table);
        if self.confined() {
            // Number 1 is `bwrap`'s own.
            all.retain(|process| process.pid != 1);
        } else {
            let mut family = vec![self.outer];
            let mut size = 0;
            while size != family.len() {
                size = family.len();
                for process in &all {
                    let related = process.group == self.outer || family.contains(&process.parent);
                    if related && !family.contains(&process.pid) {
                        family.push(process.pid);
                    }
                }
            }
            all.retain(|process| family.contains(&process.pid));
        }
        all
    }

    /// Kills all of them. The kernel does so for a sandbox when its first process goes, and lets no new one begin.
    /// Blocks for a moment if the run has only just begun.
    pub(super) fn kill(&self) {
        if self.confined() {
            // To kill `bwrap` itself would do once its child has asked to die with it, and not before.
            let until = Instant::now() + PATIENCE;
            while Instant::now() < until {
                if let Some(first) = self.first() {
                    return signal(first);
                }
                if Process::read(&host(), self.outer).is_none_or(|outer| outer.zombie) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            signal(self.outer);
        } else {
            // Each round finds what was started during the one before.
            for _ in 0..100 {
                let strays = self.strays();
                if strays.is_empty() {
                    break;
                }
                strays.into_iter().for_each(signal);
            }
        }
    }

    /// Living processes of an unconfined run: relatives, and those that have its mark in their environment.
    fn strays(&self) -> Vec<u32> {
        let table = host();
        let mut strays: Vec<u32> = self
            .present(&table)
            .into_iter()
            .filter(|process| !process.zombie)
            .map(|process| process.pid)
            .collect();
        for process in processes(&table) {
            let environment = std::fs::read(table.join(process.pid.to_string()).join("environ"))
                .unwrap_or_default();
            let marked = environment
                .split(|byte| *byte == 0)
                .any(|variable| variable == self.mark.as_bytes());
            if marked && !process.zombie && !strays.contains(&process.pid) {
                strays.push(process.pid);
            }
        }
        strays
    }

    /// Waits until none is left, once the command itself has ended.
    pub(super) async fn all_gone(&self, patience: Duration) {
        let until = Instant::now() + patience;
        loop {
            let gone = if self.confined() {
                let first = self.first.load(Ordering::Relaxed);
                first == 0 || Process::read(&host(), first).is_none_or(|process| process.zombie)
            } else {
                self.kill();
                self.strays().is_empty()
            };
            if gone || Instant::now() > until {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn signal(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        rustix::process::kill_process(pid, Signal::KILL).ok();
    }
}

/// Looks at a run until it passes one of its limits.
pub(super) struct Watch {
    members: Members,
    limits: Limits,
    writable: Vec<PathBuf>,
    page_bytes: u64,
    room: u64,
    disk_due: Instant,
}

impl Watch {
    pub(super) fn new(members: Members, command: &Command) -> Self {
        Self {
            members,
            limits: command.limits.clone(),
            writable: command.writable.clone(),
            page_bytes: page_bytes(),
            room: u64::MAX,
            disk_due: Instant::now(),
        }
    }

    /// Ends with the limit that was passed, or never.
    pub(super) async fn until_a_limit_is_passed(mut self) -> Ended {
        let first_look = |mut watch: Self| {
            // Measured beside the run, which would otherwise have to wait for it.
            watch.room = watch
                .written(u64::MAX)
                .saturating_add(watch.limits.disk_bytes);
            watch.disk_due = Instant::now() + DISK_INTERVAL;
            watch.members.first_if_confined();
            (watch, None)
        };
        let mut next: fn(Self) -> (Self, Option<Ended>) = first_look;
        loop {
            match tokio::task::spawn_blocking(move || next(self)).await {
                Ok((_, Some(limit))) => return limit,
                Ok((watch, None)) => self = watch,
                // The runtime is shutting down, and with it the run.
                Err(_) => return Ended::Cancelled,
            }
            next = Self::look;
            tokio::time::sleep(INTERVAL).await;
        }
    }

    fn look(mut self) -> (Self, Option<Ended>) {
        let passed = self.passed();
        (self, passed)
    }

    fn passed(&mut self) -> Option<Ended> {
        let table = self.members.table()?;
        let present = self.members.present(&table);
        let threads: u32 = present.iter().map(|process| process.threads).sum();
        // In a user namespace the kernel counts `bwrap`'s own first process as well, and lets it come no further.
        if threads + 1 >= self.limits.processes {
            return Some(Ended::TooManyProcesses);
        }
        if present
            .iter()
            .map(|process| process.processor)
            .sum::<Duration>()
            > self.limits.cpu
        {
            return Some(Ended::TimedOut);
        }
        if self.memory(&table, &present) > self.limits.memory_bytes {
            return Some(Ended::OutOfMemory);
        }
        if Instant::now() >= self.disk_due {
            let started = Instant::now();
            let written =
                self.written(self.room)
                    .saturating_add(nameless(&table, &present, &self.writable));
            if written > self.room {
                return Some(Ended::DiskFull);
            }
            self.disk_due = Instant::now() + DISK_INTERVAL.max(started.elapsed() * 20);
        }
        None
    }

    fn memory(&self, table: &Path, present: &[Process]) -> u64 {
        let root = table.parent().filter(|_| self.members.confined());
        let in_files: u64 = IN_MEMORY
            .iter()
            .filter_map(|place| rustix::fs::statvfs(root?.join(place)).ok())
            .map(|of| of.f_blocks.saturating_sub(of.f_bfree) * of.f_frsize)
            .sum();
        let resident: u64 = present
            .iter()
            .map(|process| process.resident_pages * self.page_bytes)
            .sum();
        if resident + in_files <= self.limits.memory_bytes {
            return resident + in_files;
        }
        // Forked children share most of their pages; before anybody is killed for it they are counted properly.
        let shared_out = present.iter().map(|process| {
            proportional_memory(table, process.pid)
                .unwrap_or(process.resident_pages * self.page_bytes)
        });
        shared_out.sum::<u64>() + in_files
    }

    fn written(&self, enough: u64) -> u64 {
        let mut total = 0_u64;
        for path in &self.writable {
            total = total.saturating_add(footprint(path, enough.saturating_sub(total)).bytes);
        }
        total
    }
}

impl Members {
    fn first_if_confined(&self) {
        if self.confined() {
            self.first();
        }
    }
}

/// Bytes in files that have no name any more but are still open, on the file systems of the writable paths.
fn nameless(table: &Path, present: &[Process], writable: &[PathBuf]) -> u64 {
    let disks: Vec<u64> = writable
        .iter()
        .filter_map(|path| path.metadata().ok())
        .map(|of| of.dev())
        .collect();
    let mut seen = Vec::new();
    let mut bytes = 0;
    for process in present {
        let Ok(open) = table.join(process.pid.to_string()).join("fd").read_dir() else {
            continue;
        };
        for of in open.filter_map(|entry| entry.ok()?.path().metadata().ok()) {
            if of.nlink() == 0 && disks.contains(&of.dev()) && !seen.contains(&(of.dev(), of.ino()))
            {
                seen.push((of.dev(), of.ino()));
                bytes += of.blocks() * 512;
            }
        }
    }
    bytes
}
