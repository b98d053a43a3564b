//! One run from its start to its end: its output is drained, its limits are held, and nothing of it is left.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ChildStderr, ChildStdout, ExitStatus};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::super::command::Command;
use super::super::finished::{Ended, Finished};
use super::super::output::Bounded;
use super::watch::{Members, Watch};
use super::{Prepared, SandboxError};

pub(super) const SIGXCPU: i32 = 24;
pub(super) const SIGXFSZ: i32 = 25;

/// How long a killed process may take to go away. It takes long when the kernel writes back what it holds.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long the output may stay open once every process known is gone.
const LAST_WORDS: Duration = Duration::from_secs(2);

pub(super) async fn supervise(
    prepared: &Prepared,
    command: &Command,
    cancel: &CancellationToken,
) -> Result<Finished, SandboxError> {
    let started = Instant::now();
    if cancel.is_cancelled() {
        return Ok(finished(
            Ended::Cancelled,
            Bounded::new(0),
            Bounded::new(0),
            started,
        ));
    }
    let Started {
        mut running,
        stdout,
        stderr,
        mut exited,
    } = start(prepared)
        .await
        .map_err(|source| prepared.spawn_error(source))?;
    let pid = running.members.outer();

    let (mut out, mut err) = (
        Bounded::new(command.limits.output_bytes),
        Bounded::new(command.limits.output_bytes),
    );
    let (stdout, stderr) = tokio::process::ChildStdout::from_std(stdout)
        .and_then(|stdout| Ok((stdout, tokio::process::ChildStderr::from_std(stderr)?)))
        .map_err(|source| prepared.spawn_error(source))?;
    let ended = {
        let draining = async { tokio::join!(out.drain(stdout), err.drain(stderr)) };
        tokio::pin!(draining);
        let watch = Watch::new(running.members.clone(), command).until_a_limit_is_passed();
        tokio::pin!(watch);
        let wall = tokio::time::sleep(command.limits.wall);
        tokio::pin!(wall);
        let mut quiet = false;
        let stopped = loop {
            tokio::select! {
                biased;
                status = &mut exited => break Err(status),
                () = cancel.cancelled() => break Ok(Ended::Cancelled),
                () = &mut wall => break Ok(Ended::TimedOut),
                limit = &mut watch => break Ok(limit),
                _ = &mut draining, if !quiet => quiet = true,
            }
        };
        let ended = match stopped {
            Err(status) => ended(status, pid)?,
            Ok(reason) => {
                let members = running.members.clone();
                tokio::task::spawn_blocking(move || members.kill())
                    .await
                    .ok();
                // It goes on draining, so that nobody is held up by a full pipe.
                loop {
                    tokio::select! {
                        status = tokio::time::timeout(PATIENCE, &mut exited) => {
                            status.map_err(|_| SandboxError::Unkillable(pid))?.ok();
                            break;
                        }
                        _ = &mut draining, if !quiet => quiet = true,
                    }
                }
                reason
            }
        };
        // Whatever the command left behind holds the output open; the namespace's end takes it along, and where
        // there is none it is looked for.
        running.members.all_gone(PATIENCE).await;
        if !quiet {
            tokio::time::timeout(LAST_WORDS, draining).await.ok();
        }
        ended
    };
    running.over = true;
    Ok(finished(ended, out, err, started))
}

fn finished(ended: Ended, out: Bounded, err: Bounded, started: Instant) -> Finished {
    Finished {
        ended,
        stdout: out.into_bytes(),
        stderr: err.into_bytes(),
        elapsed: started.elapsed(),
    }
}

fn ended(
    status: Result<io::Result<ExitStatus>, oneshot::error::RecvError>,
    pid: u32,
) -> Result<Ended, SandboxError> {
    match status {
        Ok(Ok(status)) => Ok(match (status.code(), status.signal()) {
            (Some(code), _) => Ended::Exited(code),
            (None, signal) => Ended::Signalled(signal.unwrap_or_default()),
        }),
        Ok(Err(error)) => Err(SandboxError::Setup(format!(
            "the end of process {pid} could not be seen: {error}"
        ))),
        Err(_) => Err(SandboxError::Setup(format!(
            "nobody waited for process {pid}"
        ))),
    }
}

/// Kills what still runs when the run's future is dropped.
struct Running {
    members: Members,
    over: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.over {
            let members = self.members.clone();
            std::thread::spawn(move || members.kill());
        }
    }
}

struct Started {
    /// Here from the first moment: what nobody receives is dropped, and must not go on running.
    running: Running,
    stdout: ChildStdout,
    stderr: ChildStderr,
    exited: oneshot::Receiver<io::Result<ExitStatus>>,
}

/// Starts the process from a thread that then waits for it. `--die-with-parent` means the death of the parent's
/// *thread* (`PR_SET_PDEATHSIG` in prctl(2)), and a thread of the runtime's pool may end at any time.
async fn start(prepared: &Prepared) -> io::Result<Started> {
    let mut process = prepared.process();
    let members = prepared.members();
    let (tell, told) = oneshot::channel();
    std::thread::Builder::new()
        .name("sandboxed command".to_owned())
        .spawn(move || {
            let mut child = match process.spawn() {
                Ok(child) => child,
                Err(error) => return drop(tell.send(Err(error))),
            };
            let (tell_exit, exited) = oneshot::channel();
            let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
                child.kill().ok();
                return drop(tell.send(Err(io::ErrorKind::BrokenPipe.into())));
            };
            let members = members.started_as(child.id());
            let running = Running {
                members,
                over: false,
            };
            tell.send(Ok(Started {
                running,
                stdout,
                stderr,
                exited,
            }))
            .ok();
            tell_exit.send(child.wait()).ok();
        })?;
    told.await
        .unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()))
}
