//! What is proven: whole-fleet tests against real servers.
//!
//! A [`Fleet`] is a private redis-server and the worker processes that a test starts on it, as a user would: through
//! the `maestro` binary. All of it ends with the value, and nothing is left on the disk.

pub mod page;
mod project;
mod sockets;

pub use project::Project;
pub use sockets::listening;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use maestro_redis_server::Server;
use redis::Commands;
use redis::streams::{StreamRangeReply, StreamReadOptions, StreamReadReply};

/// How long anything may take before a test gives up: far longer than it takes, because machines are busy.
pub const PATIENCE: Duration = Duration::from_mins(2);

/// One entry: its fields as text.
pub type Entry = HashMap<String, String>;

/// A private Redis, a directory, and worker processes.
pub struct Fleet {
    /// The Redis.
    pub server: Server,
    directory: tempfile::TempDir,
}

/// A worker process; killed when dropped.
pub struct Worker {
    child: Child,
    log: PathBuf,
}

impl Fleet {
    /// Starts a Redis, and nothing else.
    ///
    /// # Panics
    /// When redis-server cannot be started.
    pub fn start() -> Self {
        let server = Server::builder().start().expect("redis-server starts");
        Self {
            server,
            directory: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    /// A directory of this fleet's own, removed at its end.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The `maestro` command, told where this fleet's Redis and directories are.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .current_dir(self.directory())
            .env_clear()
            .envs(std::env::vars().filter(|(name, _)| passes(name)))
            .env("MAESTRO_REDIS_URL", self.server.url())
            .env("MAESTRO_DATA_DIR", self.directory().join("data"))
            .env("MAESTRO_CACHE_DIR", cache())
            .env("MAESTRO_ROOTS", self.directory());
        command
    }

    /// Runs a command to its end, with this on its standard input.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run(&self, arguments: &[&str], input: &str) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("maestro starts");
        // A command that does not read its input closes the pipe; that is its right.
        let _ = child
            .stdin
            .take()
            .expect("a pipe")
            .write_all(input.as_bytes());
        child.wait_with_output().expect("maestro ends")
    }

    /// Runs a command that must succeed, and gives back what it printed.
    ///
    /// # Panics
    /// When it fails.
    pub fn ok(&self, arguments: &[&str], input: &str) -> String {
        let output = self.run(arguments, input);
        assert!(
            output.status.success(),
            "maestro {arguments:?} failed with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// Starts a worker of a kind, with further arguments.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn worker(&self, kind: &str, arguments: &[&str]) -> Worker {
        let log = self
            .directory()
            .join(format!("{kind}-{:?}.log", Instant::now()));
        let file = std::fs::File::create(&log).expect("a log file");
        let child = self
            .command(&["worker", kind])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .expect("the worker starts");
        Worker { child, log }
    }

    /// A connection to the fleet's Redis.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn redis(&self) -> redis::Connection {
        let path = self
            .server
            .socket()
            .expect("a socket")
            .display()
            .to_string();
        redis::Client::open(format!("redis+unix://{path}"))
            .and_then(|client| client.get_connection())
            .expect("a connection")
    }

    /// Every entry of a stream, oldest first.
    ///
    /// # Panics
    /// When Redis does not answer.
    pub fn entries(&self, stream: &str) -> Vec<Entry> {
        let reply: StreamRangeReply = self.redis().xrange_all(stream).expect("XRANGE");
        reply.ids.into_iter().map(|entry| text(entry.map)).collect()
    }

    /// Waits until a stream has this many entries, and gives them back.
    ///
    /// # Panics
    /// When it takes longer than [`PATIENCE`]; the workers' last log lines are in the message.
    pub fn await_entries(&self, stream: &str, count: usize, workers: &[&Worker]) -> Vec<Entry> {
        let deadline = Instant::now() + PATIENCE;
        let mut connection = self.redis();
        let options = StreamReadOptions::default().count(1000).block(1000);
        let mut last = "0".to_owned();
        let mut entries = Vec::new();
        while entries.len() < count {
            if Instant::now() > deadline {
                let logs: Vec<String> = workers.iter().map(|worker| worker.log()).collect();
                panic!(
                    "{stream} has {} entries, not {count}; the workers say:\n{}",
                    entries.len(),
                    logs.join("\n---\n")
                );
            }
            let reply: Option<StreamReadReply> = connection
                .xread_options(&[stream], &[&last], &options)
                .expect("XREAD");
            for entry in reply
                .into_iter()
                .flat_map(|reply| reply.keys)
                .flat_map(|key| key.ids)
            {
                last.clone_from(&entry.id);
                entries.push(text(entry.map));
            }
        }
        entries
    }

    /// Waits until something holds.
    ///
    /// # Panics
    /// When it takes longer than [`PATIENCE`].
    pub fn wait_until(&self, what: &str, mut holds: impl FnMut(&mut redis::Connection) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut connection = self.redis();
        while !holds(&mut connection) {
            assert!(Instant::now() < deadline, "gave up waiting until {what}");
            // Paced by Redis: a blocking read of a stream that nobody writes.
            let options = StreamReadOptions::default().block(20);
            let _: Option<StreamReadReply> = connection
                .xread_options(&["nobody:writes"], &["$"], &options)
                .expect("XREAD");
        }
    }

    /// The dead letters of a stream.
    ///
    /// # Panics
    /// When Redis does not answer.
    pub fn dead(&self, stream: &str) -> Vec<Entry> {
        self.entries(&format!("{{{stream}}}:dead"))
    }
}

impl Worker {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, as a machine that loses its power.
    ///
    /// # Panics
    /// When it is not there.
    pub fn kill(&mut self) {
        self.child.kill().expect("it is there");
        self.child.wait().expect("it ends");
    }

    /// SIGTERM, and waits for the end.
    ///
    /// # Panics
    /// When it is not there.
    pub fn terminate(&mut self) -> std::process::ExitStatus {
        let pid = self.child.id().to_string();
        let sent = Command::new("sh")
            .args(["-c", "kill -TERM \"$0\"", &pid])
            .status()
            .expect("kill runs");
        assert!(sent.success());
        self.child.wait().expect("it ends")
    }

    /// What it has logged.
    ///
    /// # Panics
    /// When the file is gone.
    pub fn log(&self) -> String {
        let mut text = String::new();
        std::fs::File::open(&self.log)
            .expect("the log")
            .read_to_string(&mut text)
            .expect("UTF-8");
        text
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(fields: HashMap<String, redis::Value>) -> Entry {
    fields
        .into_iter()
        .map(|(name, value)| {
            (
                name,
                redis::from_redis_value::<Vec<u8>>(value).unwrap_or_default(),
            )
        })
        .map(|(name, bytes)| (name, String::from_utf8_lossy(&bytes).into_owned()))
        .collect()
}

/// What a worker needs of the environment of the tests; nothing of `MAESTRO_*`, which would change what is tested.
fn passes(name: &str) -> bool {
    let prefixes = [
        "PIP_",
        "SSL_CERT",
        "UV_",
        "LC_",
        "CARGO_LLVM",
        "npm_config_",
        "NPM_CONFIG_",
    ];
    let names = [
        "PATH",
        "HOME",
        "LANG",
        "TMPDIR",
        "PYENV_ROOT",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    ];
    names.contains(&name)
        || prefixes.iter().any(|prefix| name.starts_with(prefix))
        || name.to_ascii_lowercase().ends_with("_proxy")
}

/// Environments are dear: all tests of one build share a cache, as workers on one machine do.
pub fn cache() -> PathBuf {
    target().join("tmp").join("heal-cache")
}

/// `target/<profile>/maestro`, beside which this program was built.
fn binary() -> PathBuf {
    let path = target().join("maestro");
    assert!(
        path.is_file(),
        "{} is not there: build it with `cargo build --package maestro`",
        path.display()
    );
    path
}

/// The directory with the `maestro` of this build.
///
/// # Panics
/// When it was not built.
pub fn programs() -> PathBuf {
    binary().parent().expect("a directory").to_owned()
}

/// `target/<profile>`: tests are built into a directory below it.
fn target() -> PathBuf {
    let program = std::env::current_exe().expect("a path");
    let directory = program.parent().expect("a directory");
    if directory.ends_with("deps") {
        return directory.parent().expect("a directory").to_owned();
    }
    directory.to_owned()
}
