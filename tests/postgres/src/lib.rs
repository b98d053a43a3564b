//! A private PostgreSQL for tests: made by Debian's `postgresql` package in a temporary directory, on a Unix socket, and for
//! [`Server::encrypted`] on a loopback port too.
//!
//! [`Server`] starts one and takes it down with itself. `initdb` refuses root, so under root everything of it belongs to `postgres`, or
//! to `nobody` where there is no such user.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

use maestro_test_authority::Authority;
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
    made: Made,
    settings: Vec<String>,
    port: Option<u16>,
    child: Child,
}

impl Server {
    /// Makes a database cluster and starts it; waits until it accepts connections.
    pub fn start() -> Result<Self, Error> {
        let made = Made::new()?;
        let settings = vec!["listen_addresses=".to_owned()];
        let child = made.serve(&settings)?;
        Ok(Self {
            made,
            settings,
            port: None,
            child,
        })
    }

    /// The same, and by a loopback port too, where nobody gets in unencrypted, or without a certificate of this authority that names the
    /// user. The server shows what the authority has signed as `server`.
    pub fn encrypted(authority: &Authority) -> Result<Self, Error> {
        authority.sign("server");
        let made = Made::new()?;
        let data = made.data();
        for file in ["ca.pem", "server.pem", "server.key"] {
            let copy = data.join(file);
            fs::copy(authority.path(file), &copy)?;
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o600))?;
            if let Some((user, group)) = made.owner {
                chown(&copy, Some(user), Some(group))?;
            }
        }
        let admitted = "local all all trust\nhostssl all all 127.0.0.1/32 cert\n";
        fs::write(data.join("pg_hba.conf"), admitted)?;
        let mut refused = None;
        // A port that was free a moment ago may be somebody's now.
        for _ in 0..8 {
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            let settings = [
                "listen_addresses=127.0.0.1",
                &format!("port={port}"),
                "ssl=on",
                "ssl_ca_file=ca.pem",
                "ssl_cert_file=server.pem",
                "ssl_key_file=server.key",
            ];
            let settings = settings.map(str::to_owned).to_vec();
            match made.serve(&settings) {
                Ok(child) => {
                    return Ok(Self {
                        made,
                        settings,
                        port: Some(port),
                        child,
                    });
                }
                Err(error) => refused = Some(error),
            }
        }
        Err(refused.unwrap_or(Error::Missing))
    }

    /// Where it is, for clients: user and database are there.
    pub fn url(&self) -> String {
        format!(
            "postgresql:///postgres?host={}&user=maestro&port={}",
            self.made.directory.path().display(),
            self.port.unwrap_or(5432)
        )
    }

    /// The loopback port of an encrypted one.
    pub fn port(&self) -> Option<u16> {
        self.port
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
        self.child = self.made.serve(&self.settings)?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; nobody can be told otherwise.
        let _ = self.crash();
    }
}

/// A database cluster that was made, and who runs it.
#[derive(Debug)]
struct Made {
    programs: PathBuf,
    owner: Option<(u32, u32)>,
    directory: TempDir,
}

impl Made {
    fn new() -> Result<Self, Error> {
        let programs = programs().ok_or(Error::Missing)?;
        let owner = owner()?;
        let directory = TempDir::new()?;
        if let Some((user, group)) = owner {
            chown(directory.path(), Some(user), Some(group))?;
        }
        // Whoever runs the tests reaches the socket, also where the server is another user's.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755))?;
        let made = Self {
            programs,
            owner,
            directory,
        };
        let mut initdb = made.command("initdb");
        initdb
            .args([
                "--auth=trust",
                "--username=maestro",
                "--no-sync",
                "--encoding=UTF8",
                "--locale=C",
            ])
            .arg(format!("--pgdata={}", made.data().display()));
        let output = initdb.output()?;
        if !output.status.success() {
            return Err(Error::Failed {
                program: "initdb",
                said: String::from_utf8_lossy(&output.stderr).into_owned(),
            });
        }
        Ok(made)
    }

    /// Where the server's own files are.
    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command
            .env_clear()
            .env("LC_ALL", "C")
            .current_dir(self.directory.path())
            .stdin(Stdio::null());
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }

    fn serve(&self, settings: &[String]) -> Result<Child, Error> {
        let mut postgres = self.command("postgres");
        postgres
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.directory.path());
        let cheap = ["fsync=off", "shared_buffers=16MB"];
        for setting in settings.iter().map(String::as_str).chain(cheap) {
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
