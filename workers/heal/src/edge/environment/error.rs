//! Why an environment could not be had.

use std::path::PathBuf;

use super::super::interpreter::InterpreterError;
use super::super::sandbox::SandboxError;

/// What went wrong; each is one sentence.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// No interpreter.
    #[error(transparent)]
    Interpreter(#[from] InterpreterError),
    /// An option, a file or a URL where the name of a package belongs.
    #[error(
        "`{0}` is not a requirement by name and version; options, files and URLs are not installed"
    )]
    NotARequirement(String),
    /// The index has no such package, or no such version for this interpreter.
    #[error("the package index has nothing that satisfies `{requirement}`")]
    NoMatchingDistribution {
        /// As the installer names it.
        requirement: String,
    },
    /// The requirements contradict each other.
    #[error("the requirements cannot be installed together: {excerpt}")]
    Conflict {
        /// What the installer said.
        excerpt: String,
    },
    /// A package comes as source and could not be built.
    #[error("a package could not be built: {excerpt}")]
    BuildFailed {
        /// What the installer said.
        excerpt: String,
    },
    /// The index could not be reached, which another time it may be.
    #[error("the package index cannot be reached: {excerpt}")]
    Unreachable {
        /// What the installer said.
        excerpt: String,
    },
    /// Building took too long.
    #[error("the environment was not ready within {seconds} s")]
    TimedOut {
        /// The time allowed.
        seconds: u64,
    },
    /// The interpreter cannot make environments.
    #[error("{} cannot make an environment ({said}); on Debian that needs the package python3-venv", python.display())]
    NoVenv {
        /// The interpreter.
        python: PathBuf,
        /// What it said.
        said: String,
    },
    /// There is no Node here, or not the one that is asked for.
    #[error("{0}")]
    NoNode(String),
    /// There is no Rust here.
    #[error("{0}")]
    NoRust(String),
    /// The project's tree could not be read.
    #[error("the project in {} cannot be installed: {why}", tree.display())]
    Project {
        /// The tree.
        tree: PathBuf,
        /// Why not.
        why: String,
    },
    /// No sandbox.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The cache of environments could not be read or written.
    #[error("unable to read or write {}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Nobody wants it any more.
    #[error("the environment is not wanted any more")]
    Cancelled,
}

impl EnvironmentError {
    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::TimedOut { .. }
                | Self::Sandbox(_)
                | Self::Io { .. }
                | Self::Cancelled
        )
    }
}
