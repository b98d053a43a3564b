//! Why a project's files could not be had.

use std::path::PathBuf;

/// What went wrong; each is one sentence for the sender of the request.
#[derive(Debug, thiserror::Error)]
pub enum CheckoutError {
    /// Neither a URL of an allowed kind nor an absolute path.
    #[error(
        "`project.repository`: `{repository}` is neither an absolute path nor a URL with https, ssh, git or file"
    )]
    NotALocation {
        /// What was given.
        repository: String,
    },
    /// A path outside what the worker was given.
    #[error("`project.repository`: {} is outside the directories this worker may read ({roots})", path.display())]
    Outside {
        /// The path, links resolved.
        path: PathBuf,
        /// The directories, for people.
        roots: String,
    },
    /// A path that is not there.
    #[error("`project.repository`: {} does not exist", path.display())]
    NoSuchPath {
        /// The path as given.
        path: PathBuf,
    },
    /// A path to something else.
    #[error("`project.repository`: {} is not a directory", path.display())]
    NotADirectory {
        /// The path as given.
        path: PathBuf,
    },
    /// The other side says that there is no such repository, or none for us.
    #[error("`project.repository`: {url} does not exist, or this worker may not read it ({said})")]
    NoSuchRepository {
        /// The URL, without any password.
        url: String,
        /// What git said.
        said: String,
    },
    /// A revision that git would take for something else.
    #[error("`project.revision`: `{0}` is not the name of a commit, a branch or a tag")]
    NotARevision(String),
    /// The repository has no such revision.
    #[error("`project.revision`: {url} has no `{revision}`")]
    NoSuchRevision {
        /// The URL, without any password.
        url: String,
        /// What was asked for.
        revision: String,
    },
    /// A directory with `..` in it, or an absolute one.
    #[error("`project.directory`: `{0}` is not a path below the repository's root")]
    DirectoryEscapes(String),
    /// The repository has no such directory.
    #[error("`project.directory`: the repository has no directory `{0}`")]
    NoSuchDirectory(String),
    /// Larger than the worker takes.
    #[error("`project.repository`: larger than this worker takes ({limit})")]
    TooLarge {
        /// The limit that was passed.
        limit: String,
    },
    /// It took too long, which another time may not.
    #[error("{url} did not arrive within {seconds} s")]
    TimedOut {
        /// The URL, without any password.
        url: String,
        /// The time allowed.
        seconds: u64,
    },
    /// The other side could not be reached, which another time it may be.
    #[error("{url} cannot be reached: {said}")]
    Unreachable {
        /// The URL, without any password.
        url: String,
        /// What git said.
        said: String,
    },
    /// git failed in a way that is not known here.
    #[error("git could not fetch {url}: {said}")]
    Git {
        /// The URL, without any password.
        url: String,
        /// What git said.
        said: String,
    },
    /// git could not be run.
    #[error("unable to run git: {0}")]
    NoGit(String),
    /// This worker's disk.
    #[error("unable to read or write {}: {source}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Nobody wants it any more.
    #[error("the checkout was cancelled")]
    Cancelled,
}

impl CheckoutError {
    /// Whether the same request may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::TimedOut { .. }
                | Self::Unreachable { .. }
                | Self::NoGit(_)
                | Self::Io { .. }
                | Self::Cancelled
        )
    }
}
