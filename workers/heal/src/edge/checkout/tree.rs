//! Copying a tree: bounded, without what only its old place gives a meaning to, and without ways out of it.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::CheckoutLimits;
use super::error::CheckoutError;

/// Directories that tools make anew, or that belong to the version control system.
const SKIPPED: &[&str] = &[
    ".git",
    ".hg",
    ".svn",
    ".venv",
    "__pycache__",
    "node_modules",
    ".tox",
    ".nox",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    // What `maestro up` keeps where it was started: its Redis, and the copies that it is making.
    ".maestro",
];

/// How old the files of a copy are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Age {
    /// As old as the copy.
    Copys,
    /// As old as what was copied.
    Originals,
}

/// Copies a tree and says what it left out: links that lead out of it, devices, sockets, named pipes.
pub(super) fn copy(
    from: &Path,
    to: &Path,
    age: Age,
    limits: &CheckoutLimits,
    cancel: &CancellationToken,
) -> Result<Vec<String>, CheckoutError> {
    let root = from.canonicalize().map_err(|source| CheckoutError::Io {
        path: from.to_owned(),
        source,
    })?;
    let (mut bytes, mut entries, mut left_out) = (0_u64, 0_u64, Vec::new());
    let mut pending = vec![PathBuf::new()];
    let mut directories = Vec::new();
    while let Some(directory) = pending.pop() {
        if cancel.is_cancelled() {
            return Err(CheckoutError::Cancelled);
        }
        let source = root.join(&directory);
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| CheckoutError::Io { path, source }
        };
        let target = to.join(&directory);
        fs::create_dir_all(&target).map_err(failed(&target))?;
        if age == Age::Originals {
            directories.push((source.clone(), target));
        }
        for entry in source.read_dir().map_err(failed(&source))? {
            let entry = entry.map_err(failed(&source))?;
            let path = entry.path();
            let name = directory.join(entry.file_name());
            if skipped(&path) {
                continue;
            }
            entries += 1;
            let of = path.symlink_metadata().map_err(failed(&path))?;
            if of.is_dir() {
                pending.push(name);
            } else if of.is_file() {
                bytes += of.size();
                if bytes <= limits.bytes {
                    let target = to.join(&name);
                    // Clones the blocks where the file system can.
                    fs::copy(&path, &target).map_err(failed(&path))?;
                    let mode = (of.mode() & 0o777) | 0o600;
                    fs::set_permissions(&target, fs::Permissions::from_mode(mode))
                        .map_err(failed(&target))?;
                    if age == Age::Originals {
                        let file = fs::File::options().write(true).open(&target);
                        file.and_then(|file| file.set_modified(of.modified()?))
                            .map_err(failed(&target))?;
                    }
                }
            } else if of.is_symlink() && stays_inside(&path, &root) {
                let leads_to = path.read_link().map_err(failed(&path))?;
                let target = to.join(&name);
                symlink(leads_to, &target).map_err(failed(&target))?;
            } else {
                left_out.push(name.display().to_string());
            }
            if bytes > limits.bytes {
                return Err(CheckoutError::TooLarge {
                    limit: format!("{} MiB", limits.bytes >> 20),
                });
            }
            if entries > limits.entries {
                return Err(CheckoutError::TooLarge {
                    limit: format!("{} files", limits.entries),
                });
            }
        }
    }
    // Whatever is made in a directory makes it young.
    for (source, target) in directories {
        let modified = source.metadata().and_then(|of| of.modified());
        modified
            .and_then(|modified| fs::File::open(&target)?.set_modified(modified))
            .map_err(|source| CheckoutError::Io {
                path: target,
                source,
            })?;
    }
    left_out.sort();
    Ok(left_out)
}

fn skipped(path: &Path) -> bool {
    let named = path
        .file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| SKIPPED.contains(&name));
    // A virtual environment by any other name, and what cargo and others build (https://bford.info/cachedir/).
    named || path.join("pyvenv.cfg").is_file() || path.join("CACHEDIR.TAG").is_file()
}

/// Whether a link is relative and leads, through all other links, to something in the tree. Reading the path alone is
/// not enough: `c/t -> s/../x` looks harmless until `c/s -> ..` is known.
fn stays_inside(link: &Path, root: &Path) -> bool {
    link.read_link().is_ok_and(|target| target.is_relative())
        && link.canonicalize().is_ok_and(|real| real.starts_with(root))
}
