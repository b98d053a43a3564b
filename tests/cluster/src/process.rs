//! One program of the control plane as a child process that dies with this one.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;

use crate::Error;

type Job = (Command, mpsc::Sender<io::Result<Child>>);

/// A running program and its log. Dropping it kills the program.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    log: PathBuf,
    child: Child,
}

impl Process {
    /// Starts it in this directory, where its log `{name}.log` is written on.
    pub(crate) fn start(
        name: &'static str,
        program: &Path,
        args: &[String],
        directory: &Path,
    ) -> Result<Self, Error> {
        let log = directory.join(format!("{name}.log"));
        let open = || {
            File::options()
                .create(true)
                .append(true)
                .open(&log)
                .map_err(Error::file(&log))
        };
        let mut command = command(program);
        command
            .args(args)
            .current_dir(directory)
            // What a hollow kubelet leaves in the temporary directory goes with ours.
            .env("TMPDIR", directory)
            .stdin(Stdio::null())
            .stdout(open()?)
            .stderr(open()?);
        let child = spawn(command).map_err(|source| Error::Spawn {
            program: program.to_path_buf(),
            source,
        })?;
        Ok(Self { name, log, child })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// An error if it has ended.
    pub(crate) fn check(&mut self) -> Result<(), Error> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            _ => Err(Error::Ended {
                program: self.name,
                log: self.tail(),
            }),
        }
    }

    /// The last lines of its log.
    pub(crate) fn tail(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().rev().take(8).collect();
        let lines: Vec<String> = lines
            .into_iter()
            .rev()
            .map(|line| {
                format!(
                    "  {}: {}",
                    self.name,
                    line.chars().take(400).collect::<String>()
                )
            })
            .collect();
        lines.join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only if it has ended, which is what is wanted.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Linux sends the "parent died" signal when the *thread* that started the child ends (`prctl(2)`, `PR_SET_PDEATHSIG`),
/// so one thread that lives as long as the process starts them all.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (jobs, inbox) = mpsc::channel::<Job>();
        thread::spawn(move || {
            for (mut command, answer) in inbox {
                // A caller that no longer waits has dropped its child's handle with the answer.
                drop(answer.send(command.spawn()));
            }
        });
        jobs
    });
    let (answer, result) = mpsc::channel();
    let gone = || io::Error::other("the thread that starts processes has ended");
    spawner.send((command, answer)).map_err(|_| gone())?;
    result.recv().map_err(|_| gone())?
}

/// The command line that starts `program`, through util-linux's `setpriv` if there is one.
fn command(program: &Path) -> Command {
    let mut command = match setpriv() {
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        }
        None => Command::new(program),
    };
    // Ctrl-C at a terminal goes to the whole foreground group; these end with their owner, not before.
    command.process_group(0);
    command
}

fn setpriv() -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|directory| directory.join("setpriv"))
        .find(|candidate| candidate.is_file())
}
