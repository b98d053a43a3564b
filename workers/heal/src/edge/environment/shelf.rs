//! Environments on disk, shared by the worker processes of a host.
//!
//! `environments/<key>/` is one, `<key>.lock` says who uses it (shared) or builds it (exclusive), `<key>.complete` that
//! it is whole: its modification time is that of the last use, its text the size. A virtual environment has its own
//! path written into it, so it is built where it stays, and the marker stands outside of it, where a build cannot
//! write. The locks are the kernel's: those of a worker that was killed are gone with it.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use super::super::footprint::footprint;
use super::EnvironmentError;

const ROOM: u64 = 5 << 30;

/// How often a lock that another holds is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(25);

#[derive(Debug, Clone)]
pub(super) struct Shelf {
    cache: PathBuf,
    pub(super) limit_bytes: u64,
}

/// An environment in use: it is not removed while this lives.
#[derive(Debug)]
pub(super) struct Held {
    root: PathBuf,
    #[expect(dead_code, reason = "the lock goes with the file")]
    lock: File,
}

impl Held {
    pub(super) fn root(&self) -> &Path {
        &self.root
    }
}

/// A place that nobody else builds in.
#[derive(Debug)]
pub(super) struct Reserved {
    root: PathBuf,
    marker: PathBuf,
    #[expect(dead_code, reason = "the lock goes with the file")]
    lock: File,
}

impl Shelf {
    pub(super) fn new(cache: &Path) -> Self {
        Self {
            cache: cache.to_owned(),
            limit_bytes: ROOM,
        }
    }

    /// What the installers downloaded. Only installations that run nobody's code may write here.
    pub(super) fn downloads(&self) -> PathBuf {
        self.cache.join("downloads")
    }

    /// Where pip itself is kept, outside of the environments.
    pub(super) fn installers(&self) -> PathBuf {
        self.cache.join("installers")
    }

    /// Held while the pip for an interpreter is got ready.
    pub(super) async fn lock_installer(
        &self,
        release: &str,
        cancel: &CancellationToken,
    ) -> Result<File, EnvironmentError> {
        let path = self.installers().join(format!("pip-for-{release}.lock"));
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|source| EnvironmentError::Io {
                path: path.clone(),
                source,
            })?;
        wait(|| lock.try_lock(), &path, cancel).await?;
        Ok(lock)
    }

    fn environments(&self) -> PathBuf {
        self.cache.join("environments")
    }

    fn marker(&self, key: &str) -> PathBuf {
        self.environments().join(format!("{key}.complete"))
    }

    fn lock_file(&self, key: &str) -> Result<File, EnvironmentError> {
        let directory = self.environments();
        fs::create_dir_all(&directory).map_err(|source| EnvironmentError::Io {
            path: directory.clone(),
            source,
        })?;
        let path = directory.join(format!("{key}.lock"));
        File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|source| EnvironmentError::Io { path, source })
    }

    /// The environment, if it is complete; waits while somebody builds it.
    pub(super) async fn borrow(
        &self,
        key: &str,
        cancel: &CancellationToken,
    ) -> Result<Option<Held>, EnvironmentError> {
        let lock = self.lock_file(key)?;
        wait(|| lock.try_lock_shared(), &self.marker(key), cancel).await?;
        let marker = self.marker(key);
        if !marker.is_file() {
            return Ok(None);
        }
        // The time of the last use; where it cannot be set the environment only leaves earlier.
        File::options()
            .write(true)
            .open(&marker)
            .and_then(|file| file.set_modified(SystemTime::now()))
            .ok();
        Ok(Some(Held {
            root: self.environments().join(key),
            lock,
        }))
    }

    /// The empty place of an environment that is to be built; `None` if it is there by now.
    pub(super) async fn reserve(
        &self,
        key: &str,
        cancel: &CancellationToken,
    ) -> Result<Option<Reserved>, EnvironmentError> {
        let lock = self.lock_file(key)?;
        let marker = self.marker(key);
        wait(|| lock.try_lock(), &marker, cancel).await?;
        if marker.is_file() {
            return Ok(None);
        }
        let reserved = Reserved {
            root: self.environments().join(key),
            marker,
            lock,
        };
        reserved.clear()?;
        Ok(Some(reserved))
    }

    /// Removes environments that nobody uses, those not used for longest first, until there is room.
    pub(super) fn make_room(&self) {
        let Ok(entries) = self.environments().read_dir() else {
            return;
        };
        let mut complete: Vec<(SystemTime, u64, String)> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let key = entry
                    .file_name()
                    .to_str()?
                    .strip_suffix(".complete")?
                    .to_owned();
                let bytes = fs::read_to_string(entry.path()).ok()?.trim().parse().ok()?;
                Some((entry.metadata().ok()?.modified().ok()?, bytes, key))
            })
            .collect();
        complete.sort();
        let mut total: u64 = complete.iter().map(|(_, bytes, _)| bytes).sum();
        for (_, bytes, key) in complete {
            if total <= self.limit_bytes {
                return;
            }
            let Ok(lock) = self.lock_file(&key) else {
                continue;
            };
            // The marker first: what is half removed is never taken for whole.
            if lock.try_lock().is_ok() && fs::remove_file(self.marker(&key)).is_ok() {
                fs::remove_dir_all(self.environments().join(&key)).ok();
                total -= bytes;
                tracing::debug!(
                    environment = key,
                    bytes,
                    "removed from the cache of environments"
                );
            }
        }
    }
}

impl Reserved {
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Begins anew: what an earlier try left is gone.
    pub(super) fn clear(&self) -> Result<(), EnvironmentError> {
        let failed = |source| EnvironmentError::Io {
            path: self.root.clone(),
            source,
        };
        match fs::remove_dir_all(&self.root) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error));
            }
            _ => {}
        }
        fs::create_dir_all(&self.root).map_err(failed)
    }

    /// Says that it is whole.
    pub(super) fn complete(self) -> Result<(), EnvironmentError> {
        let bytes = footprint(&self.root, u64::MAX).bytes;
        fs::write(&self.marker, bytes.to_string()).map_err(|source| EnvironmentError::Io {
            path: self.marker.clone(),
            source,
        })
    }
}

async fn wait(
    mut attempt: impl FnMut() -> Result<(), TryLockError>,
    path: &Path,
    cancel: &CancellationToken,
) -> Result<(), EnvironmentError> {
    loop {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(source)) => {
                return Err(EnvironmentError::Io {
                    path: path.to_owned(),
                    source,
                });
            }
            Err(TryLockError::WouldBlock) => {}
        }
        tokio::select! {
            () = cancel.cancelled() => return Err(EnvironmentError::Cancelled),
            () = tokio::time::sleep(TRY_AGAIN) => {}
        }
    }
}
