//! A project's files, brought here: a pristine tree that is never run in, and fresh copies of it to run in.
//!
//! [`location`] says what a `project.repository` may be, [`git`] fetches, [`tree`] copies, [`history`] is what lies
//! behind it, for whoever asks.

mod error;
mod git;
mod history;
mod location;
mod tree;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use maestro_protocol::project::Project;
use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

pub use error::CheckoutError;
pub use history::History;
use history::Origin;
use location::Location;
use tree::Age;

/// How large a project may be, and how long it may take to arrive.
#[derive(Debug, Clone)]
pub struct CheckoutLimits {
    /// For all of it. Default: 5 minutes.
    pub wall: Duration,
    /// Of the tree's files together; the same again for git's own files. Default: 512 MiB.
    pub bytes: u64,
    /// Files, directories and links. Default: 50,000.
    pub entries: u64,
}

impl Default for CheckoutLimits {
    fn default() -> Self {
        Self {
            wall: Duration::from_mins(5),
            bytes: 512 << 20,
            entries: 50_000,
        }
    }
}

/// A project's tree as it was received. Removed from the disk when dropped.
#[derive(Debug)]
pub struct Checkout {
    place: TempDir,
    directory: PathBuf,
    commit: Option<String>,
    origin: Option<Origin>,
    left_out: Vec<String>,
}

/// Brings a project's tree to a new directory below `work`. Paths, and `file:` URLs, must lie below one of `roots`.
///
/// # Errors
/// See [`CheckoutError::is_transient`] for those that trying again may cure.
pub async fn checkout(
    project: &Project,
    roots: &[PathBuf],
    work: &Path,
    limits: &CheckoutLimits,
    cancel: &CancellationToken,
) -> Result<Checkout, CheckoutError> {
    let directory = relative_directory(project.directory.as_deref())?;
    let location = Location::parse(&project.repository, project.revision.as_deref(), roots)?;
    std::fs::create_dir_all(work).map_err(|source| CheckoutError::Io {
        path: work.to_owned(),
        source,
    })?;
    let place = tempfile::Builder::new()
        .prefix("checkout-")
        .tempdir_in(work)
        .map_err(|source| CheckoutError::Io {
            path: work.to_owned(),
            source,
        })?;
    let mut origin = None;
    let (from, commit) = match location {
        Location::Tree(path) => (path, None),
        Location::Git(url) => {
            let into = place.path().join("fetched");
            let commit =
                git::fetch(&url, project.revision.as_deref(), &into, limits, cancel).await?;
            origin = Some(Origin {
                url,
                revision: project.revision.clone(),
            });
            (into, Some(commit))
        }
    };
    let pristine = place.path().join("pristine");
    let limits = limits.clone();
    let stop = cancel.clone();
    let copying = move || {
        let left_out = tree::copy(&from, &pristine, Age::Copys, &limits, &stop)?;
        if from.file_name().is_some_and(|name| name == "fetched")
            && from.parent() == pristine.parent()
        {
            std::fs::remove_dir_all(&from)
                .map_err(|source| CheckoutError::Io { path: from, source })?;
        }
        Ok(left_out)
    };
    let left_out = tokio::task::spawn_blocking(copying)
        .await
        .map_err(|_| CheckoutError::Cancelled)??;
    let checkout = Checkout {
        place,
        directory,
        commit,
        origin,
        left_out,
    };
    if !checkout.project().is_dir() {
        return Err(CheckoutError::NoSuchDirectory(
            project.directory.clone().unwrap_or_default(),
        ));
    }
    Ok(checkout)
}

/// `project.directory` as a path that cannot lead out of the repository.
fn relative_directory(directory: Option<&str>) -> Result<PathBuf, CheckoutError> {
    let directory = Path::new(directory.unwrap_or("."));
    let inside = directory
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !inside || directory.as_os_str().as_encoded_bytes().contains(&0) {
        return Err(CheckoutError::DirectoryEscapes(
            directory.display().to_string(),
        ));
    }
    Ok(directory
        .components()
        .filter(|part| matches!(part, Component::Normal(_)))
        .collect())
}

impl Checkout {
    /// The repository's root as received. Nothing may be run in it or written to it.
    pub fn root(&self) -> PathBuf {
        self.place.path().join("pristine")
    }

    /// `project.directory` below [`Self::root`].
    pub fn project(&self) -> PathBuf {
        self.root().join(&self.directory)
    }

    /// The commit that was fetched; `None` for the copy of a path.
    pub fn commit(&self) -> Option<&str> {
        self.commit.as_deref()
    }

    /// What the tree lacks of its source, relative to the root: links that lead out of it, devices, sockets.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// A copy to run in, or to change.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn fresh(&self) -> Result<WorkCopy, CheckoutError> {
        self.fresh_in(self.place.path())
    }

    /// The same in a directory that is there.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn fresh_in(&self, place: &Path) -> Result<WorkCopy, CheckoutError> {
        let builder = &mut tempfile::Builder::new();
        self.copy(builder.prefix("copy-"), place, Age::Copys)
    }

    /// The same at a path that is the same each time, with files as old as the checkout: the last one must be gone.
    ///
    /// # Errors
    /// When the disk does not take it, or the last one is there.
    pub fn fresh_in_place(&self) -> Result<WorkCopy, CheckoutError> {
        let builder = &mut tempfile::Builder::new();
        let builder = builder.prefix("copy").rand_bytes(0);
        self.copy(builder, self.place.path(), Age::Originals)
    }

    fn copy(
        &self,
        builder: &tempfile::Builder<'_, '_>,
        place: &Path,
        age: Age,
    ) -> Result<WorkCopy, CheckoutError> {
        let place = builder
            .tempdir_in(place)
            .map_err(|source| CheckoutError::Io {
                path: place.to_owned(),
                source,
            })?;
        let root = place.path().join("tree");
        copy_whole(&self.root(), &root, age)?;
        Ok(WorkCopy {
            place,
            directory: self.directory.clone(),
        })
    }

    /// SHA-256 of every name and content below the project's directory, in hexadecimal.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn digest(&self) -> Result<String, CheckoutError> {
        digest_of(&self.project())
    }
}

/// A copy of a tree that was taken in before, and so is known to be within the limits.
pub(super) fn copy_of(from: &Path, to: &Path) -> Result<(), CheckoutError> {
    copy_whole(from, to, Age::Copys)
}

fn copy_whole(from: &Path, to: &Path, age: Age) -> Result<(), CheckoutError> {
    let limits = CheckoutLimits {
        bytes: u64::MAX,
        entries: u64::MAX,
        ..CheckoutLimits::default()
    };
    tree::copy(from, to, age, &limits, &CancellationToken::new()).map(drop)
}

/// SHA-256 of every name and content below a directory, in hexadecimal.
pub(super) fn digest_of(root: &Path) -> Result<String, CheckoutError> {
    let mut hash = Sha256::new();
    let mut pending = vec![root.to_owned()];
    while let Some(path) = pending.pop() {
        let failed = |source| CheckoutError::Io {
            path: path.clone(),
            source,
        };
        let of = path.symlink_metadata().map_err(failed)?;
        let name = path
            .strip_prefix(root)
            .unwrap_or(&path)
            .as_os_str()
            .as_encoded_bytes();
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        if of.is_dir() {
            let mut entries: Vec<PathBuf> = path
                .read_dir()
                .map_err(failed)?
                .map(|entry| Ok(entry?.path()))
                .collect::<std::io::Result<_>>()
                .map_err(failed)?;
            entries.sort();
            pending.extend(entries);
        } else if of.is_file() {
            hash.update(of.len().to_le_bytes());
            hash.update(std::fs::read(&path).map_err(failed)?);
        } else if of.is_symlink() {
            hash.update(
                path.read_link()
                    .map_err(failed)?
                    .as_os_str()
                    .as_encoded_bytes(),
            );
        }
    }
    Ok(hexadecimal(&hash.finalize()))
}

/// Bytes as people read them.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A tree to run in, or to change; removed from the disk when dropped.
///
/// A run in it may have planted links in it that lead anywhere. Its files are therefore read and written through
/// [`Self::read`] and [`Self::write`], which never leave the tree.
#[derive(Debug)]
pub struct WorkCopy {
    place: TempDir,
    directory: PathBuf,
}

impl WorkCopy {
    /// The directory that the tree lies in.
    pub(crate) fn place(&self) -> &Path {
        self.place.path()
    }

    /// The repository's root: what a run may write.
    pub fn root(&self) -> PathBuf {
        self.place.path().join("tree")
    }

    /// `project.directory` below [`Self::root`]: where a run starts.
    pub fn project(&self) -> PathBuf {
        self.root().join(&self.directory)
    }

    /// Reads a file of at most `limit` bytes, by its path relative to the project's directory.
    ///
    /// # Errors
    /// When there is none, when it leads out of the tree, or when it is larger.
    pub fn read(&self, path: &str, limit: u64) -> std::io::Result<Vec<u8>> {
        let file = File::from(self.open(path, OFlags::RDONLY | OFlags::NONBLOCK)?);
        if !file.metadata()?.is_file() {
            return Err(std::io::Error::other(format!(
                "{path} is not a regular file"
            )));
        }
        let mut bytes = Vec::new();
        file.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(std::io::Error::new(
                std::io::ErrorKind::FileTooLarge,
                format!("{path} is over {limit} bytes"),
            ));
        }
        Ok(bytes)
    }

    /// Writes a file anew, by its path relative to the project's directory, which may not lead out of the tree. The
    /// directories above it are made where they are missing.
    ///
    /// # Errors
    /// When it leads out of the tree, or cannot be written.
    pub fn write(&self, path: &str, text: &[u8]) -> std::io::Result<()> {
        if let Some(parent) = Path::new(path).parent() {
            let mut made = PathBuf::new();
            for part in parent {
                made.push(part);
                let made = made.to_string_lossy();
                if self.open(&made, OFlags::PATH | OFlags::DIRECTORY).is_err() {
                    self.make_directory(&made)?;
                }
            }
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NONBLOCK;
        File::from(self.open(path, flags)?).write_all(text)
    }

    /// Sets when a file was changed last, by its path relative to the project's directory; one that is not there is no error.
    ///
    /// # Errors
    /// When it leads out of the tree, or is somebody else's.
    pub fn set_modified(&self, path: &str, at: std::time::SystemTime) -> std::io::Result<()> {
        match self.open(path, OFlags::WRONLY | OFlags::NONBLOCK) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            file => File::from(file?).set_modified(at),
        }
    }

    /// Takes a file away, by its path relative to the project's directory; one that is not there is no error.
    ///
    /// # Errors
    /// When it leads out of the tree, or is a directory.
    pub fn remove(&self, path: &str) -> std::io::Result<()> {
        let path = Path::new(path);
        let parent = path
            .parent()
            .filter(|parent| *parent != Path::new(""))
            .unwrap_or(Path::new("."));
        let name = path.file_name().ok_or(std::io::ErrorKind::InvalidInput)?;
        let parent = match self.open(&parent.to_string_lossy(), OFlags::PATH | OFlags::DIRECTORY) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            parent => parent?,
        };
        match rustix::fs::unlinkat(parent, name, rustix::fs::AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn make_directory(&self, path: &str) -> std::io::Result<()> {
        let path = Path::new(path);
        let parent = path
            .parent()
            .filter(|parent| *parent != Path::new(""))
            .unwrap_or(Path::new("."));
        let parent = self.open(&parent.to_string_lossy(), OFlags::PATH | OFlags::DIRECTORY)?;
        let name = path.file_name().ok_or(std::io::ErrorKind::InvalidInput)?;
        Ok(rustix::fs::mkdirat(
            parent,
            name,
            Mode::from_raw_mode(0o755),
        )?)
    }

    /// The kernel itself keeps the path below the root: see openat2(2).
    fn open(&self, path: &str, flags: OFlags) -> std::io::Result<OwnedFd> {
        let path = self.directory.join(path);
        let root = File::open(self.root())?;
        let mode = if flags.contains(OFlags::CREATE) {
            Mode::from_raw_mode(0o644)
        } else {
            Mode::empty()
        };
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        Ok(openat2(
            root,
            &path,
            flags | OFlags::CLOEXEC,
            mode,
            beneath,
        )?)
    }
}
