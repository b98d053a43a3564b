//! Copying this program to where containers of other images find it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The one that runs, whatever name it was started by.
const SELF: &str = "/proc/self/exe";

#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallError {
    #[error("`{}` is a directory; expected the path of the copy", .0.display())]
    Directory(PathBuf),
    #[error("this program cannot be read from {SELF}: {0}")]
    Read(#[source] io::Error),
    #[error("`{}` cannot be written: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

/// Copies this program to a path, with mode 0755. Whoever looks finds the old file, the new one, or none, never a part of one.
pub(crate) fn install(path: &Path) -> Result<(), InstallError> {
    if path.is_dir() || path.file_name().is_none() {
        return Err(InstallError::Directory(path.to_owned()));
    }
    let source = File::open(SELF).map_err(InstallError::Read)?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = PathBuf::from(name);
    copy(source, &part, path).map_err(|source| {
        let _ = fs::remove_file(&part);
        InstallError::Write {
            path: path.to_owned(),
            source,
        }
    })
}

fn copy(mut source: File, part: &Path, path: &Path) -> io::Result<()> {
    // In every first container of a pod this is process 1: a part that was left behind has the same name.
    match fs::remove_file(part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut copy = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o755)
        .open(part)?;
    io::copy(&mut source, &mut copy)?;
    // The mask of the process had its say in the mode above.
    copy.set_permissions(fs::Permissions::from_mode(0o755))?;
    copy.sync_all()?;
    fs::rename(part, path)
}
