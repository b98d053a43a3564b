//! A command to run in the sandbox: all that it gets to see is named here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::limits::Limits;

/// Where a command finds the system's programs: the `PATH` that it has where nothing else is said.
pub(crate) const SYSTEM_PROGRAMS: &str = "/usr/local/bin:/usr/bin:/bin";

/// What of the network a command reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    /// Only a loopback interface of its own.
    #[default]
    None,
    /// The host's network. For installing packages, never for tests.
    Host,
}

/// A command, the part of the file system that it sees, and its limits.
#[derive(Debug, Clone)]
pub struct Command {
    /// The program and its arguments. No shell sees them.
    pub argv: Vec<String>,
    /// Where it starts; below one of the writable or readable paths.
    pub directory: PathBuf,
    /// Environment variables, added to the sandbox's own few (`PATH`, `HOME`, `LANG`, `TZ`, …), which they override.
    pub variables: BTreeMap<String, String>,
    /// Paths that it may write, seen at the same place as outside. A run owns them: no two runs at one time may
    /// share one unless both are installations.
    pub writable: Vec<PathBuf>,
    /// Paths that it may read, seen at the same place as outside. The system's own `/usr` is always there.
    pub readable: Vec<PathBuf>,
    /// What of the network it reaches.
    pub network: Network,
    /// Its bounds.
    pub limits: Limits,
}

impl Command {
    /// A command that sees only `directory`, which it may write, within the default limits.
    pub fn new(
        argv: impl IntoIterator<Item = impl Into<String>>,
        directory: impl Into<PathBuf>,
    ) -> Self {
        let directory = directory.into();
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            writable: vec![directory.clone()],
            directory,
            variables: BTreeMap::new(),
            readable: Vec::new(),
            network: Network::None,
            limits: Limits::default(),
        }
    }
}
