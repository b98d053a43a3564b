use std::path::PathBuf;
use std::time::Duration;

use crate::{Error, Listen, Server};

/// The environment variable by which every test runs against another server. This is the one place that reads it.
const SERVER: &str = "MAESTRO_TEST_REDIS_SERVER";

/// How often the append-only file reaches the disk (`appendfsync`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fsync {
    /// After every write: nothing that was acknowledged is lost when the machine fails. Slow.
    Always,
    /// Once a second: a failing machine loses up to about two seconds; a killed server loses nothing.
    #[default]
    Everysec,
    /// When the operating system likes.
    No,
}

impl Fsync {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Everysec => "everysec",
            Self::No => "no",
        }
    }
}

/// What kind of server to start; see [`Server::builder`].
#[derive(Debug, Clone)]
pub struct Builder {
    pub(crate) program: PathBuf,
    pub(crate) listen: Listen,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) append_only: bool,
    pub(crate) fsync: Fsync,
    pub(crate) config_file: Option<PathBuf>,
    pub(crate) extra: Vec<String>,
    pub(crate) patience: Duration,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            program: std::env::var_os(SERVER)
                .filter(|program| !program.is_empty())
                .map_or_else(|| PathBuf::from("redis-server"), PathBuf::from),
            listen: Listen::DataDirSocket,
            data_dir: None,
            append_only: true,
            fsync: Fsync::default(),
            config_file: None,
            extra: Vec::new(),
            patience: Duration::from_secs(30),
        }
    }
}

impl Builder {
    /// The server program; unless told, what the environment variable `MAESTRO_TEST_REDIS_SERVER` names, or else `redis-server` on
    /// `PATH`. Valkey's `valkey-server` takes the same arguments.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = program.into();
        self
    }

    /// Where it listens; a socket in the data directory unless told.
    #[must_use]
    pub fn listen(mut self, listen: Listen) -> Self {
        self.listen = listen;
        self
    }

    /// Shorthand for [`Listen::FreePort`].
    #[must_use]
    pub fn free_port(self) -> Self {
        self.listen(Listen::FreePort)
    }

    /// Keeps the data in this directory (created if missing) and leaves it there. Without it the data lives in a
    /// temporary directory that goes away with the [`Server`].
    #[must_use]
    pub fn data_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(directory.into());
        self
    }

    /// Whether writes go to an append-only file (default: yes). Without it a restart starts empty.
    #[must_use]
    pub fn append_only(mut self, yes: bool) -> Self {
        self.append_only = yes;
        self
    }

    /// How often the append-only file reaches the disk.
    #[must_use]
    pub fn fsync(mut self, fsync: Fsync) -> Self {
        self.fsync = fsync;
        self
    }

    /// A configuration file, whose settings give way to the arguments. A Sentinel (`.arg("--sentinel")`) needs one of its own, and
    /// writes into it.
    #[must_use]
    pub fn config_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.config_file = Some(path.into());
        self
    }

    /// One more command-line argument, for example `--maxmemory` and then `64mb`. Later ones win over the defaults.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.extra.push(argument.into());
        self
    }

    /// How long a start may take before it is an error (default: 30 s; loading a large file takes a while).
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Starts the server and waits until it answers.
    pub fn start(self) -> Result<Server, Error> {
        Server::start(self)
    }
}
