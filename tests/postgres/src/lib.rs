//! A private PostgreSQL for tests: made by Debian's `postgresql` package in a temporary directory, on a Unix socket only.
//!
//! [`Server`] starts one and takes it down with itself. `initdb` refuses root, so under root everything of it belongs to `postgres`, or
//! to `nobody` where there is no such user.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use tempfile::TempDir;

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No programs.
    #[error(
        "no initdb below /usr/lib/postgresql nor on the PATH: install the package postgresql (deploy/setup.sh test does)"
    )]
    Missing,
    /// A program did not work.
    #[error("{program} failed: {said}")]
    Failed {
        /// Which.
        program: &'static str,
        /// What it said last.
        said: String,
    },
    /// The system refused something.
    #[error("unable to set up a PostgreSQL server")]
    Io(#[from] io::Error),
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    programs: PathBuf,
    owner: Option<(u32, u32)>,
    directory: TempDir,
    child: Child,
}

impl Server {
    /// Makes a database cluster and starts it; waits until it accepts connections.
    pub fn start() -> Result<Self, Error> {
        let programs = programs().ok_or(Error::Missing)?;
        let owner = owner()?;
        let directory = TempDir::new()?;
        if let Some((user, group)) = owner {
            chown(directory.path(), Some(user), Some(group))?;
        }
        // Whoever runs the tests reaches the socket, also where the server is another user's.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
        let data = directory.path().join("data");
        let mut initdb = command(&programs, "initdb", owner, directory.path());
        initdb
            .args([
                "--auth=trust",
                "--username=maestro",
                "--no-sync",
                "--encoding=UTF8",
                "--locale=C",
            ])
            .arg(format!("--pgdata={}", data.display()));
        let output = initdb.output()?;
        if !output.status.success() {
            return Err(Error::Failed {
                program: "initdb",
                said: String::from_utf8_lossy(&output.stderr).into_owned(),
            });
        }
        let child = serve(&programs, owner, directory.path())?;
        Ok(Self {
            programs,
            owner,
            directory,
            child,
        })
    }

    /// Where it is, for clients: user and database are there.
    pub fn url(&self) -> String {
        format!(
            "postgresql:///postgres?host={}&user=maestro",
            self.directory.path().display()
        )
    }

    /// Ends it at once, as a crash would: nothing is finished, and what was committed is recovered from the log at the next start.
    pub fn crash(&mut self) -> Result<(), Error> {
        // SIGQUIT rather than SIGKILL: it takes the server's other processes with it, and is otherwise as hard
        // (https://www.postgresql.org/docs/current/server-shutdown.html).
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::QUIT)
            .map_err(io::Error::from)?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again on what it has; waits until it accepts connections.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.child = serve(&self.programs, self.owner, self.directory.path())?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; nobody can be told otherwise.
        let _ = self.crash();
    }
}

fn command(programs: &Path, name: &str, owner: Option<(u32, u32)>, directory: &Path) -> Command {
    let mut command = Command::new(programs.join(name));
    command
        .env_clear()
        .env("LC_ALL", "C")
        .current_dir(directory)
        .stdin(Stdio::null());
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    command
}

fn serve(programs: &Path, owner: Option<(u32, u32)>, directory: &Path) -> Result<Child, Error> {
    let mut postgres = command(programs, "postgres", owner, directory);
    postgres
        .arg("-D")
        .arg(directory.join("data"))
        .arg("-k")
        .arg(directory);
    for setting in ["listen_addresses=", "fsync=off", "shared_buffers=16MB"] {
        postgres.args(["-c", setting]);
    }
    let mut child = postgres
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let said = child
        .stderr
        .take()
        .ok_or_else(|| io::Error::other("no standard error"))?;
    let mut lines = BufReader::new(said).lines();
    let mut last = String::new();
    for line in lines.by_ref() {
        last = line?;
        if last.contains("ready to accept connections") {
            // Somebody has to read what it says, or it stops when the pipe is full.
            thread::spawn(move || lines.for_each(drop));
            return Ok(child);
        }
    }
    child.wait()?;
    Err(Error::Failed {
        program: "postgres",
        said: last,
    })
}

/// The newest version's programs, else those on the PATH.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let newest = versions
        .filter_map(|entry| {
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, programs)| programs.join("initdb").is_file())
        .max();
    let on_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|directory| directory.join("initdb").is_file())
    };
    newest.map(|(_, programs)| programs).or_else(on_path)
}

/// Whose the server is to be: nobody else's, unless this is root.
fn owner() -> io::Result<Option<(u32, u32)>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let named = |name: &str| {
        users.lines().find_map(|line| {
            let mut fields = line.split(':');
            if fields.next()? != name {
                return None;
            }
            let user = fields.nth(1)?.parse().ok()?;
            Some((user, fields.next()?.parse().ok()?))
        })
    };
    let found = named("postgres").or_else(|| named("nobody"));
    found
        .map(Some)
        .ok_or_else(|| io::Error::other("neither postgres nor nobody is a user here"))
}
