use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::address::Address;
use crate::{Builder, Error, Listen, probe, spawn};

/// How many ports to try when others keep taking the chosen one.
const PORT_ATTEMPTS: u32 = 16;
/// How long an orderly end may take before the server is killed.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(5);

/// A running redis-server of our own. Dropping it kills the server and removes a temporary data directory; the server
/// also dies with this process, even by SIGKILL, where `setpriv` (util-linux) is installed.
///
/// The methods block for milliseconds (a start, a restart); call them through `spawn_blocking` where that matters.
#[derive(Debug)]
pub struct Server {
    config: Builder,
    program: PathBuf,
    directory: Directory,
    address: Address,
    child: Option<Child>,
}

#[derive(Debug)]
enum Directory {
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Directory {
    fn path(&self) -> &Path {
        match self {
            Self::Temporary(directory) => directory.path(),
            Self::Kept(path) => path,
        }
    }
}

impl Server {
    /// A temporary server on a socket in its data directory, with an append-only file, unless told otherwise.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn start(config: Builder) -> Result<Self, Error> {
        let program = spawn::find(&config.program).ok_or_else(|| Error::NotInstalled {
            program: config.program.clone(),
        })?;
        let directory = prepare(&config)?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let address = Address::choose(&config.listen, directory.path()).map_err(|source| {
                Error::Directory {
                    path: directory.path().to_path_buf(),
                    source,
                }
            })?;
            if let Address::Socket(path) = &address
                && path.as_os_str().len() > 100
            {
                return Err(Error::SocketPath { path: path.clone() });
            }
            match launch(&config, &program, directory.path(), &address) {
                Ok(child) => {
                    return Ok(Self {
                        config,
                        program,
                        directory,
                        address,
                        child: Some(child),
                    });
                }
                // Somebody else was faster at binding the port that was free a moment ago.
                Err(Error::Ended { .. })
                    if config.listen == Listen::FreePort && attempt < PORT_ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// `redis+unix:///path/redis.sock` or `redis://127.0.0.1:port`. Stays the same across restarts.
    pub fn url(&self) -> String {
        self.address.url()
    }

    /// The socket's path, if it listens on one.
    pub fn socket(&self) -> Option<&Path> {
        match &self.address {
            Address::Socket(path) => Some(path),
            Address::Port(_) => None,
        }
    }

    /// The port of 127.0.0.1, if it listens on one.
    pub fn port(&self) -> Option<u16> {
        match &self.address {
            Address::Socket(_) => None,
            Address::Port(port) => Some(*port),
        }
    }

    /// Where its data and its log (`redis.log`) are.
    pub fn data_dir(&self) -> &Path {
        self.directory.path()
    }

    /// The process id while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Whether the process is there; a paused one is.
    pub fn is_running(&mut self) -> bool {
        self.child
            .as_mut()
            .is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Ends it at once, as a failing machine would (SIGKILL). Does nothing if it is not running.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Fails only if the process has ended, which is what is wanted.
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Ends it in order (SIGTERM: the append-only file is flushed), and by force if that takes longer than 10 s.
    pub fn shutdown(&mut self) -> Result<(), Error> {
        if self.is_running() {
            self.signal(Signal::TERM)?;
            let started = Instant::now();
            while self.is_running() && started.elapsed() < SHUTDOWN_PATIENCE {
                thread::sleep(POLL);
            }
        }
        self.kill();
        Ok(())
    }

    /// Starts it again on the same address and data; kills it first if it runs.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.kill();
        self.child = Some(launch(
            &self.config,
            &self.program,
            self.directory.path(),
            &self.address,
        )?);
        Ok(())
    }

    /// Freezes the process (SIGSTOP): connections stay open and nothing answers.
    pub fn pause(&self) -> Result<(), Error> {
        self.signal(Signal::STOP)
    }

    /// Lets a frozen process go on (SIGCONT).
    pub fn resume(&self) -> Result<(), Error> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<(), Error> {
        let gone = || Error::Signal(io::Error::from(io::ErrorKind::NotFound));
        let pid = self.pid().and_then(|pid| i32::try_from(pid).ok());
        let pid = pid.and_then(Pid::from_raw).ok_or_else(gone)?;
        kill_process(pid, signal).map_err(|errno| Error::Signal(errno.into()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn prepare(config: &Builder) -> Result<Directory, Error> {
    match &config.data_dir {
        Some(path) => {
            fs::create_dir_all(path).map_err(|source| Error::Directory {
                path: path.clone(),
                source,
            })?;
            Ok(Directory::Kept(path.clone()))
        }
        None => tempfile::Builder::new()
            .prefix("redis-")
            .tempdir()
            .map(Directory::Temporary)
            .map_err(|source| Error::Directory {
                path: std::env::temp_dir(),
                source,
            }),
    }
}

/// Starts the process and waits until it answers.
fn launch(
    config: &Builder,
    program: &Path,
    directory: &Path,
    address: &Address,
) -> Result<Child, Error> {
    let log = directory.join("redis.log");
    let log_file = File::create(&log).map_err(|source| Error::Directory {
        path: directory.to_path_buf(),
        source,
    })?;
    let mut command = spawn::command(program);
    command
        .args(&config.config_file)
        .args(address.args())
        .arg("--dir")
        .arg(directory)
        .args(["--save", "", "--daemonize", "no", "--protected-mode", "yes"])
        .args([
            "--appendonly",
            if config.append_only { "yes" } else { "no" },
        ])
        .args(["--appendfsync", config.fsync.as_str()])
        .args(&config.extra)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .stdout(log_file);
    let mut child = spawn::spawn(command).map_err(|source| Error::Spawn {
        program: program.to_path_buf(),
        source,
    })?;
    let started = Instant::now();
    loop {
        if probe::is_ready(address, child.id()) {
            return Ok(child);
        }
        if !matches!(child.try_wait(), Ok(None)) {
            return Err(Error::Ended { log: tail(&log) });
        }
        if started.elapsed() > config.patience {
            drop(child.kill());
            drop(child.wait());
            return Err(Error::NotReady {
                waited: config.patience,
                log: tail(&log),
            });
        }
        thread::sleep(POLL);
    }
}

/// The last few lines of a log, in one.
fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().rev().take(4).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
}
