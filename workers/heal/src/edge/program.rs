//! Finding the host's own programs.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Whether this is a file that may be executed.
pub(super) fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|of| of.is_file() && of.permissions().mode() & 0o111 != 0)
}

/// The first executable of this name on the `PATH`, or in the places where systems keep them.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    directories()
        .into_iter()
        .map(|directory| directory.join(name))
        .find(|path| is_executable(path))
}

/// The directories of the `PATH`, then those that a service's short `PATH` tends to lack.
pub(super) fn directories() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = std::env::split_paths(&path)
        .filter(|directory| directory.is_absolute())
        .collect();
    for usual in ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"] {
        if !directories.iter().any(|known| known == Path::new(usual)) {
            directories.push(usual.into());
        }
    }
    directories
}
