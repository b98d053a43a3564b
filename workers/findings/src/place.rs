//! Where a report was made, so that its files get the names that the project has for them.

use std::path::{Component, Path, PathBuf};

/// Where a report was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The root of the repository.
    root: PathBuf,
    /// The project's directory in it, in which the tool ran.
    directory: PathBuf,
}

impl Place {
    /// A project's directory, and the root of the repository around it.
    pub fn new(root: impl Into<PathBuf>, directory: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            directory: directory.into(),
        }
    }

    /// A file as the project names it: relative to its directory where it lies inside, absolute elsewhere. A relative path
    /// is one from the directory, or from the root where only that has such a file.
    pub fn file(&self, written: &str) -> String {
        let path = Path::new(written);
        if path.is_absolute() {
            return self.inside(path).unwrap_or_else(|| written.to_owned());
        }
        if path.components().any(|part| part == Component::ParentDir) {
            let whole = lexical(&self.directory.join(path));
            return self
                .inside(&whole)
                .unwrap_or_else(|| whole.to_string_lossy().into_owned());
        }
        let plain = lexical(path);
        if !self.directory.join(&plain).exists() && self.root.join(&plain).exists() {
            let whole = self.root.join(&plain);
            return self
                .inside(&whole)
                .unwrap_or_else(|| whole.to_string_lossy().into_owned());
        }
        plain.to_string_lossy().into_owned()
    }

    /// The path below the directory, where it lies there, whichever way it is written.
    pub(crate) fn inside(&self, path: &Path) -> Option<String> {
        let path = lexical(path);
        let below = |path: &Path, directory: &Path| {
            Some(path.strip_prefix(directory).ok()?.to_str()?.to_owned())
        };
        below(&path, &self.directory).or_else(|| {
            let directory = self.directory.canonicalize().ok()?;
            below(&path.canonicalize().unwrap_or(path), &directory)
        })
    }
}

/// The path without `.`, and without `x/..`; nothing is looked up.
fn lexical(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_from_the_projects_directory_however_it_is_written() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("services/cart");
        std::fs::create_dir_all(directory.join("src")).unwrap();
        std::fs::create_dir_all(root.path().join("shared")).unwrap();
        for file in ["services/cart/src/a.py", "shared/b.py"] {
            std::fs::write(root.path().join(file), "").unwrap();
        }
        let place = Place::new(root.path(), &directory);
        for written in [
            "src/a.py",
            "./src/a.py",
            "src/../src/a.py",
            "services/cart/src/a.py",
            directory.join("src/a.py").to_str().unwrap(),
        ] {
            assert_eq!(place.file(written), "src/a.py", "{written}");
        }
        assert_eq!(place.file("src/gone.py"), "src/gone.py");
        for outside in ["shared/b.py", "../../shared/b.py", "/etc/passwd"] {
            assert!(place.file(outside).starts_with('/'), "{outside}");
        }
    }
}
