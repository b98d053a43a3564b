//! How much room a directory takes on its disk.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What an empty file costs beyond its blocks, roughly: an inode and a directory entry. Counted so that a million
/// empty files are not free.
const ENTRY_BYTES: u64 = 512;

/// The size of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Footprint {
    /// Allocated bytes, a file with several names counted once.
    pub bytes: u64,
    /// Files, directories and links.
    pub entries: u64,
}

/// Measures a path and all below it, without following links. Gives up early, with what it has, beyond `enough`
/// bytes. What cannot be read counts as nothing: the tree may be changing under its reader.
pub fn footprint(path: &Path, enough: u64) -> Footprint {
    let mut total = Footprint::default();
    let mut seen = HashSet::new();
    let mut pending: Vec<PathBuf> = vec![path.to_owned()];
    while let Some(path) = pending.pop() {
        let Ok(of) = path.symlink_metadata() else {
            continue;
        };
        if of.nlink() > 1 && !of.is_dir() && !seen.insert((of.dev(), of.ino())) {
            continue;
        }
        total.entries += 1;
        total.bytes += of.blocks() * 512 + ENTRY_BYTES;
        if total.bytes > enough {
            break;
        }
        if of.is_dir()
            && let Ok(entries) = path.read_dir()
        {
            pending.extend(entries.filter_map(Result::ok).map(|entry| entry.path()));
        }
    }
    total
}
