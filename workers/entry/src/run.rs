//! Running the command.

use std::io;
use std::path::Path;
use std::process::{Command, ExitCode};

use rustix::process::Pid;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use crate::arguments::Run;
use crate::report::Awaited;
use crate::{OWN_FAILURE, children, complain};

/// What is passed on to the command. Kubernetes sends `SIGTERM`, or the image's `STOPSIGNAL`.
const FORWARDED: [i32; 6] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2];

const NOT_FOUND: u8 = 127;
const NOT_RUNNABLE: u8 = 126;

/// Runs the command, prints the report, and exits as the command did.
pub(crate) fn run(run: &Run) -> ExitCode {
    // From here on no signal is lost, and none ends this process.
    let mut signals = match Signals::new(FORWARDED.iter().chain([&SIGCHLD])) {
        Ok(signals) => signals,
        Err(error) => {
            return complain(
                &format_args!("no signal can be handled: {error}"),
                OWN_FAILURE,
            );
        }
    };
    children::adopt();
    let report = run
        .junit
        .as_deref()
        .map(|path| Awaited::at(path, run.max_report));
    // It inherits standard input, output and error: nothing stands between it and the log.
    let command = match Command::new(&run.program).args(&run.arguments).spawn() {
        Ok(child) => child.id().cast_signed(),
        Err(error) => return not_started(run, &error),
    };
    let Some(command) = Pid::from_raw(command) else {
        return complain(&"the command has no process", OWN_FAILURE);
    };
    let code = wait(command, &mut signals);
    children::end_all();
    if let Some(report) = report
        && let Err(error) = report.print()
    {
        complain(&format_args!("the report cannot be printed: {error}"), code);
    }
    ExitCode::from(code)
}

/// Passes signals on until the command ends; meanwhile reaps what others leave behind.
fn wait(command: Pid, signals: &mut Signals) -> u8 {
    loop {
        for signal in signals.wait() {
            if signal != SIGCHLD {
                children::send(command, signal);
            }
        }
        if let Some(code) = children::reap(command) {
            return code;
        }
    }
}

fn not_started(run: &Run, error: &io::Error) -> ExitCode {
    let program = run.program.to_string_lossy();
    if error.kind() != io::ErrorKind::NotFound {
        let sentence = format_args!("`{program}` cannot be run: {error}");
        return complain(&sentence, NOT_RUNNABLE);
    }
    // The file itself is there, so what it wants to be run by is not: a shell for a script, a loader for a program.
    if program.contains('/') && Path::new(&run.program).exists() {
        let sentence = format_args!(
            "`{program}` cannot be run: the interpreter or the loader that it names is not in this image"
        );
        return complain(&sentence, NOT_RUNNABLE);
    }
    let path = match std::env::var_os("PATH") {
        _ if program.contains('/') => String::new(),
        Some(path) => format!(" in PATH={}", path.to_string_lossy()),
        None => " in the default path, for PATH is not set".to_owned(),
    };
    complain(&format_args!("`{program}` was not found{path}"), NOT_FOUND)
}
