//! A project's tree with the edits of a heal laid over it: the base is never written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::case::{Edit, Tree};
use crate::past::Then;

/// No source file that a person wrote is larger.
const LARGEST_SOURCE: u64 = 2 * 1024 * 1024;
/// A tree with more files than this is not searched any further.
const MOST_PATHS: usize = 50_000;

/// Directories that hold nothing of the project's own.
const FOREIGN: [&str; 9] = [
    ".git",
    ".hg",
    "__pycache__",
    "node_modules",
    ".venv",
    "venv",
    ".tox",
    ".eggs",
    ".mypy_cache",
];

/// The tree.
#[derive(Debug, Clone)]
pub struct Overlay {
    base: PathBuf,
    paths: Arc<Vec<String>>,
    edits: BTreeMap<String, String>,
    /// Files as they were, where the tree is that of an older commit.
    then: Arc<Then>,
}

impl Overlay {
    /// Lists the files below `base`. Symbolic links are not followed.
    pub fn new(base: &Path) -> std::io::Result<Self> {
        let mut paths = Vec::new();
        let mut open = vec![PathBuf::new()];
        while let Some(directory) = open.pop() {
            for entry in std::fs::read_dir(base.join(&directory))? {
                let entry = entry?;
                let Ok(name) = entry.file_name().into_string() else {
                    continue;
                };
                let path = directory.join(&name);
                let kind = entry.file_type()?;
                if kind.is_dir() && !FOREIGN.contains(&name.as_str()) {
                    open.push(path);
                } else if kind.is_file() && paths.len() < MOST_PATHS {
                    paths.push(path.to_string_lossy().into_owned());
                }
            }
        }
        paths.sort_unstable();
        Ok(Self {
            base: base.to_owned(),
            paths: Arc::new(paths),
            edits: BTreeMap::new(),
            then: Arc::default(),
        })
    }

    /// The tree with more edits over it. An edit of a path that is not in the tree is dropped: strategies repair
    /// files, they do not make any.
    #[must_use]
    pub fn with(&self, edits: &[Edit]) -> Self {
        let mut next = self.clone();
        for edit in edits {
            if self.paths.binary_search(&edit.path).is_ok() {
                next.edits.insert(edit.path.clone(), edit.text.clone());
            }
        }
        next
    }

    /// The tree with these files as they were, below the edits. What a strategy reads and what a patch is made of stays what it is now: this
    /// is a tree to run, not one to repair.
    #[must_use]
    pub fn as_it_was(&self, then: Then) -> Self {
        Self {
            then: Arc::new(then),
            ..self.clone()
        }
    }

    /// The files as they were.
    pub fn then(&self) -> &Then {
        &self.then
    }

    /// The changed files: path, text before, text after.
    pub fn changes(&self) -> Vec<(String, String, String)> {
        self.edits
            .iter()
            .filter_map(|(path, after)| {
                let before = self.original(path)?;
                (before != *after).then(|| (path.clone(), before, after.clone()))
            })
            .collect()
    }

    /// A file's text as it was received.
    pub(crate) fn original(&self, path: &str) -> Option<String> {
        self.paths
            .binary_search_by(|known| known.as_str().cmp(path))
            .ok()?;
        let file = self.base.join(path);
        let size = std::fs::symlink_metadata(&file)
            .ok()
            .filter(std::fs::Metadata::is_file)?
            .len();
        if size > LARGEST_SOURCE {
            return None;
        }
        String::from_utf8(std::fs::read(file).ok()?).ok()
    }
}

impl Tree for Overlay {
    fn paths(&self) -> &[String] {
        &self.paths
    }

    fn read(&self, path: &str) -> Option<String> {
        self.edits
            .get(path)
            .cloned()
            .or_else(|| self.original(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_lie_over_the_files_and_leave_them_as_they_are() {
        let base = tempfile::tempdir().unwrap();
        std::fs::write(base.path().join("a.py"), "x = 1\n").unwrap();
        let tree = Overlay::new(base.path()).unwrap();
        let edited = tree.with(&[
            Edit {
                path: "a.py".into(),
                text: "x = 2\n".into(),
            },
            Edit {
                path: "../b.py".into(),
                text: "y\n".into(),
            },
        ]);
        assert_eq!(edited.read("a.py").as_deref(), Some("x = 2\n"));
        assert_eq!(edited.changes().len(), 1);
        assert_eq!(
            std::fs::read_to_string(base.path().join("a.py")).unwrap(),
            "x = 1\n"
        );
    }

    #[test]
    fn a_link_out_of_the_tree_is_not_read() {
        let base = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", base.path().join("link.py")).unwrap();
        let tree = Overlay::new(base.path()).unwrap();
        assert!(tree.read("link.py").is_none());
        assert!(tree.paths().is_empty());
    }
}
