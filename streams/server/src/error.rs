use std::path::PathBuf;
use std::time::Duration;

/// Why a private redis-server could not be started or steered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No such program on this machine.
    #[error(
        "no program {program:?} found: install Redis 7.0 or newer (Debian and Ubuntu: apt-get install redis-server; macOS: brew install redis) or name another one"
    )]
    NotInstalled {
        /// What was looked for.
        program: PathBuf,
    },
    /// The operating system refused to start the program.
    #[error("unable to start {program:?}")]
    Spawn {
        /// What was started.
        program: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The data directory or the socket's directory cannot be used.
    #[error("unable to use the directory {path:?}")]
    Directory {
        /// Which one.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A Unix socket's path has a limit of about 100 bytes.
    #[error(
        "the socket path {path:?} is too long for this system (at most 100 bytes): choose a shorter directory"
    )]
    SocketPath {
        /// The path.
        path: PathBuf,
    },
    /// The server ended before it answered.
    #[error("redis-server ended before it was ready; its log says: {log}")]
    Ended {
        /// The last lines of its log.
        log: String,
    },
    /// The server runs, but did not answer in time.
    #[error("redis-server did not answer within {waited:?}; its log says: {log}")]
    NotReady {
        /// How long was waited.
        waited: Duration,
        /// The last lines of its log.
        log: String,
    },
    /// A signal could not be delivered.
    #[error("unable to signal redis-server")]
    Signal(#[source] std::io::Error),
}
