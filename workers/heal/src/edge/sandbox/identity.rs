//! Who a command is. A root worker gives every writable tree a user of its own, so that the kernel's limit on
//! processes, which does not bind root, binds the command, and counts nobody else's processes.

use std::io;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The first of the numbers that no system gives to its users. The range ends below 2³¹, which some programs still
/// take for the largest number of a user.
const FIRST: u32 = 1_600_000_000;
const WORKERS: u32 = 1 << 16;
const EACH: u32 = 1 << 12;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A user and group number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) user: u32,
    pub(super) group: u32,
}

impl Identity {
    /// The user that the first of these directories belongs to from an earlier run, or a new one.
    pub(super) fn owner_of(writable: &[PathBuf]) -> Self {
        writable
            .iter()
            .filter_map(|path| path.symlink_metadata().ok())
            .map(|of| of.uid())
            .find(|user| (FIRST..FIRST + WORKERS * EACH).contains(user))
            .map_or_else(Self::unused, |user| Self { user, group: user })
    }

    fn unused() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed) % EACH;
        let user = FIRST + std::process::id() % WORKERS * EACH + number;
        Self { user, group: user }
    }

    pub(super) fn inside_a_user_namespace() -> Self {
        Self {
            user: 1000,
            group: 1000,
        }
    }

    pub(super) fn of_this_process() -> Self {
        Self {
            user: rustix::process::geteuid().as_raw(),
            group: rustix::process::getegid().as_raw(),
        }
    }

    /// Makes a tree this user's. Links are not followed. A tree whose root is this user's already is left as it is:
    /// what the engine wrote into it since stays the engine's, and readable.
    pub(super) fn take_over(self, root: &Path) -> io::Result<()> {
        if root.symlink_metadata()?.uid() == self.user {
            return Ok(());
        }
        let mut pending = vec![root.to_owned()];
        while let Some(path) = pending.pop() {
            let of = match path.symlink_metadata() {
                Ok(of) => of,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            // A file with several names may be somebody else's as well: a hard link into a cache, for example.
            if of.is_dir() || of.nlink() == 1 {
                lchown(&path, Some(self.user), Some(self.group))?;
            }
            if of.is_dir() {
                for entry in path.read_dir()? {
                    pending.push(entry?.path());
                }
            }
        }
        Ok(())
    }
}
