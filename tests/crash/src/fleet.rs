//! The worker processes: started, killed, frozen, and asked to end.

use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, ChildStdin, Command};

/// How workers are started.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// Ways to Redis; one worker after another takes the next.
    pub(crate) urls: Vec<String>,
    /// The streams that each reads.
    pub(crate) streams: Vec<&'static str>,
    /// The lease of all.
    pub(crate) lease: Duration,
    /// Where held messages leave their traces.
    pub(crate) holds: Option<PathBuf>,
    /// Where their log goes, if anywhere.
    pub(crate) logs: Option<PathBuf>,
}

/// All worker processes of a scenario. Dropping it kills them.
#[derive(Debug)]
pub(crate) struct Fleet {
    setting: Setting,
    workers: Vec<Worker>,
    born: usize,
}

#[derive(Debug)]
struct Worker {
    name: String,
    child: Child,
    /// Open for as long as this program lives; waiting for a child would close it.
    _stdin: Option<ChildStdin>,
    frozen: bool,
}

impl Worker {
    fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            // Fails only if it has ended by itself, which is found soon after.
            let _ = kill_process(pid, signal);
        }
    }
}

impl Fleet {
    pub(crate) fn new(setting: Setting) -> Self {
        Self {
            setting,
            workers: Vec::new(),
            born: 0,
        }
    }

    /// How many live, frozen ones included.
    pub(crate) fn len(&self) -> usize {
        self.workers.len()
    }

    /// Their names, in the order in which they were born.
    pub(crate) fn names(&self) -> Vec<String> {
        self.workers.iter().map(|one| one.name.clone()).collect()
    }

    /// The place of the worker of this name.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.workers.iter().position(|one| one.name == name)
    }

    /// One more.
    pub(crate) fn spawn(&mut self) -> anyhow::Result<()> {
        let name = format!("w{}", self.born);
        let url = &self.setting.urls[self.born % self.setting.urls.len()];
        self.born += 1;
        let log = match &self.setting.logs {
            Some(directory) => {
                std::fs::create_dir_all(directory).context("the directory for logs")?;
                File::create(directory.join(format!("{name}.log")))
                    .context("a worker's log")?
                    .into()
            }
            None => Stdio::null(),
        };
        let mut command = Command::new(std::env::current_exe().context("this program")?);
        if let Some(holds) = &self.setting.holds {
            command.arg("worker").arg("--holds").arg(holds);
        } else {
            command.arg("worker");
        }
        let mut child = command
            .args(["--url", url, "--name", &name])
            .arg("--lease-ms")
            .arg(self.setting.lease.as_millis().to_string())
            .arg("--streams")
            .arg(self.setting.streams.join(","))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("unable to start a worker")?;
        self.workers.push(Worker {
            name,
            _stdin: child.stdin.take(),
            child,
            frozen: false,
        });
        Ok(())
    }

    /// Starts or ends workers, until there are this many.
    pub(crate) async fn scale(&mut self, to: usize) -> anyhow::Result<()> {
        while self.workers.len() < to {
            self.spawn()?;
        }
        while self.workers.len() > to {
            self.terminate(0).await?;
        }
        Ok(())
    }

    /// SIGKILL.
    pub(crate) async fn kill(&mut self, at: usize) -> anyhow::Result<()> {
        let mut worker = self.workers.remove(at);
        worker.child.kill().await.context("unable to kill a worker")
    }

    /// SIGSTOP. Returns its name.
    pub(crate) fn freeze(&mut self, at: usize) -> String {
        let worker = &mut self.workers[at];
        worker.frozen = true;
        worker.signal(Signal::STOP);
        worker.name.clone()
    }

    /// SIGCONT, if it still lives.
    pub(crate) fn thaw(&mut self, name: &str) {
        if let Some(worker) = self.workers.iter_mut().find(|one| one.name == name) {
            worker.frozen = false;
            worker.signal(Signal::CONT);
        }
    }

    /// SIGTERM (a frozen one is woken for it), and how long it took to end.
    pub(crate) async fn terminate(&mut self, at: usize) -> anyhow::Result<Duration> {
        let mut worker = self.workers.remove(at);
        let asked = Instant::now();
        worker.signal(Signal::TERM);
        if worker.frozen {
            worker.signal(Signal::CONT);
        }
        let ended = tokio::time::timeout(Duration::from_secs(20), worker.child.wait()).await;
        let status = ended.with_context(|| format!("{} did not end after SIGTERM", worker.name))?;
        status.context("unable to wait for a worker")?;
        Ok(asked.elapsed())
    }

    /// SIGTERM to all at once.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        for worker in &self.workers {
            worker.signal(Signal::TERM);
            worker.signal(Signal::CONT);
        }
        self.scale(0).await
    }

    /// Starts others in place of those that have ended by themselves, and says how many.
    pub(crate) fn replace_dead(&mut self) -> anyhow::Result<usize> {
        let before = self.workers.len();
        self.workers
            .retain_mut(|one| matches!(one.child.try_wait(), Ok(None)));
        let dead = before - self.workers.len();
        for _ in 0..dead {
            self.spawn()?;
        }
        Ok(dead)
    }
}
