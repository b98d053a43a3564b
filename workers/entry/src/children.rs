//! The processes below this one: the command, and what it leaves behind.

use std::fs;
use std::io;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait};

/// How often, and how far apart, what was left behind is told to end.
const ROUNDS: u32 = 500;
const PAUSE: Duration = Duration::from_millis(4);

/// Makes this process the parent of those below it that lose theirs. Process 1 is that by itself.
pub(crate) fn adopt() {
    // Without it they go to another process, which then has to reap them: no harm to ours.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// Reaps every child that has ended, and says how the one in question did, if it is among them.
pub(crate) fn reap(command: Pid) -> Option<u8> {
    let mut code = None;
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        if pid == command {
            code = exit_code(status).or(code);
        }
    }
    code
}

/// As shells have it.
fn exit_code(status: WaitStatus) -> Option<u8> {
    status
        .exit_status()
        .or_else(|| status.terminating_signal().map(|signal| 128 + signal))
        .and_then(|code| u8::try_from(code).ok())
}

pub(crate) fn send(command: Pid, signal: i32) {
    if let Some(signal) = Signal::from_named_raw(signal) {
        // It may have ended a moment ago.
        let _ = kill_process(command, signal);
    }
}

/// Ends what the command left running, as the end of a container's first process does a moment later anyway: so nothing of
/// it writes between the lines of the report, or after them.
///
/// Children of those that end become ours, and their turn comes in the next round.
pub(crate) fn end_all() {
    for _ in 0..ROUNDS {
        while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
        let left = children();
        if left.is_empty() {
            return;
        }
        for child in left {
            let _ = kill_process(child, Signal::KILL);
        }
        thread::sleep(PAUSE);
    }
}

/// Our children, by what `/proc` says of all processes; none where there is no `/proc`.
fn children() -> Vec<Pid> {
    let own = rustix::process::getpid();
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| parent(*pid).is_ok_and(|parent| parent == Some(own.as_raw_nonzero().get())))
        .filter_map(Pid::from_raw)
        .collect()
}

/// The second field after the name, which stands in parentheses and may hold some itself: `proc_pid_stat(5)`.
fn parent(pid: i32) -> io::Result<Option<i32>> {
    let stat = fs::read(format!("/proc/{pid}/stat"))?;
    let stat = String::from_utf8_lossy(&stat);
    let after = stat.rsplit_once(") ").map(|(_, after)| after);
    Ok(after
        .and_then(|after| after.split(' ').nth(1))
        .and_then(|parent| parent.parse().ok()))
}
