//! The directory in which `maestro up` keeps its Redis and its work, `.maestro` unless told otherwise.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::config::{Origin, Settings};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::hex::hex;

/// A Unix socket's path has about 100 bytes (`unix(7)`).
const MAX_SOCKET: usize = 100;

/// The directory of one fleet.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    directory: PathBuf,
}

/// The Redis of the fleet that runs in a directory.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    /// Its URL.
    pub(crate) value: String,
    /// The directory.
    pub(crate) origin: Origin,
}

/// Held for as long as a fleet runs in its directory; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Claim {
    _lock: File,
}

impl Home {
    pub(crate) fn of(settings: &Settings) -> Self {
        Self {
            directory: settings.data_dir.value.clone(),
        }
    }

    /// The Redis that runs here, unless another one is configured.
    pub(crate) fn running(&self, settings: &Settings) -> Option<Running> {
        if settings.redis_url.value.is_some() {
            return None;
        }
        let url = fs::read_to_string(self.url_file()).ok()?;
        Some(Running {
            value: url.trim().to_owned(),
            origin: Origin::Embedded(self.directory.clone()),
        })
    }

    /// Makes the directory and claims it.
    pub(crate) fn claim(&self) -> Result<Claim, Fault> {
        let directory = &self.directory;
        let unusable = |error| {
            Fault::io(directory, "be used for a fleet", &error)
                .next("choose another directory with --data-dir")
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(unusable)?;
        // Nothing of it belongs into the project's history.
        fs::write(directory.join(".gitignore"), "*\n").map_err(unusable)?;
        let path = directory.join("lock");
        let mut lock = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(&path).unwrap_or_default();
                let holder = match holder.trim() {
                    "" => String::new(),
                    pid => format!(" (process {pid})"),
                };
                return Err(Fault::new(
                    Exit::No,
                    format!("a fleet runs in `{}` already{holder}", directory.display()),
                )
                .next("publish to it with `maestro publish`, or stop it first"));
            }
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        lock.set_len(0)
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .map_err(unusable)?;
        Ok(Claim { _lock: lock })
    }

    /// Where the data of its Redis are.
    pub(crate) fn redis_data(&self) -> Result<PathBuf, Fault> {
        Ok(self.absolute()?.join("redis"))
    }

    /// Where its Redis listens: below the directory, or where the path would be too long for a socket, in a private
    /// directory for run-time files.
    pub(crate) fn socket(&self) -> Result<PathBuf, Fault> {
        let directory = self.absolute()?;
        let socket = directory.join("redis.sock");
        if socket.as_os_str().len() <= MAX_SOCKET {
            return Ok(socket);
        }
        let hash = Sha256::digest(directory.as_os_str().as_encoded_bytes());
        let name = hex(&hash[..8]);
        let base =
            std::env::var_os("XDG_RUNTIME_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        let directory = base.join(format!("maestro-{name}"));
        match fs::DirBuilder::new().mode(0o700).create(&directory) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => owned(&directory)?,
            Err(error) => return Err(Fault::io(&directory, "be made for the socket", &error)),
        }
        Ok(directory.join("redis.sock"))
    }

    /// Tells other commands in this directory where its Redis is. Only its owner may read it: who can reach the socket can command the fleet.
    pub(crate) fn announce(&self, url: &str) -> Result<(), Fault> {
        let path = self.url_file();
        let unwritable = |error| Fault::io(&path, "be written", &error);
        let mut file = File::options()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(unwritable)?;
        writeln!(file, "{url}").map_err(unwritable)
    }

    /// Takes the announcement back; a missing one is as good.
    pub(crate) fn withdraw(&self) {
        let _ = fs::remove_file(self.url_file());
    }

    fn url_file(&self) -> PathBuf {
        self.directory.join("redis.url")
    }

    fn absolute(&self) -> Result<PathBuf, Fault> {
        self.directory
            .canonicalize()
            .map_err(|error| Fault::io(&self.directory, "be found", &error))
    }
}

/// In a directory that all may write to, somebody else could have made one of this name.
fn owned(directory: &Path) -> Result<(), Fault> {
    use std::os::unix::fs::MetadataExt;
    let unusable = |error| Fault::io(directory, "be used for the socket", &error);
    let found = fs::symlink_metadata(directory).map_err(unusable)?;
    let own = fs::metadata("/proc/self").map_err(unusable)?;
    if found.is_dir() && found.uid() == own.uid() && found.mode().trailing_zeros() >= 6 {
        Ok(())
    } else {
        Err(Fault::new(
            Exit::Io,
            format!(
                "`{}` cannot be used for the socket: it is not a private directory of this user",
                directory.display()
            ),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_claimed_once_and_free_again_afterwards() {
        let root = tempfile::tempdir().unwrap();
        let home = Home {
            directory: root.path().join("a"),
        };
        let claim = home.claim().unwrap();
        let sentence = home.claim().unwrap_err().to_string();
        assert!(
            sentence.contains(&format!("already (process {})", std::process::id())),
            "{sentence}"
        );
        drop(claim);
        assert!(home.claim().is_ok());
    }

    #[test]
    fn the_socket_of_a_deep_directory_has_a_path_that_fits() {
        let root = tempfile::tempdir().unwrap();
        let deep = root.path().join("d".repeat(120));
        fs::create_dir(&deep).unwrap();
        let home = Home { directory: deep };
        let socket = home.socket().unwrap();
        assert!(socket.as_os_str().len() <= MAX_SOCKET);
        assert_eq!(home.socket().unwrap(), socket);
        fs::remove_dir(socket.parent().unwrap()).unwrap();
    }
}
