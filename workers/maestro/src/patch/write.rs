//! Puts new texts in place: all of them, or none.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::plan::{Change, Misfit};

/// Writes every text beside its file first, where it can fail without harm; then renames them into place. A rename
/// that fails undoes those before it.
pub(super) fn all(changes: &[Change]) -> Result<(), Misfit> {
    let mut staged = Vec::new();
    for change in changes {
        match stage(change) {
            Ok(one) => staged.push(one),
            Err(error) => {
                staged.iter().for_each(Staged::discard);
                return Err(unwritable(change, &error));
            }
        }
    }
    for (done, (change, one)) in changes.iter().zip(&staged).enumerate() {
        if let Err(error) = one.commit(change) {
            staged[done..].iter().for_each(Staged::discard);
            undo(&changes[..done]);
            staged.iter().rev().for_each(Staged::remove_directories);
            return Err(unwritable(change, &error));
        }
    }
    Ok(())
}

fn unwritable(change: &Change, error: &io::Error) -> Misfit {
    Misfit::Unwritable {
        path: change.name.clone(),
        detail: error.to_string(),
    }
}

/// A new text on disk, not yet in place.
struct Staged {
    /// `None` for a deletion.
    text: Option<PathBuf>,
    /// Directories that were made for it, outermost first.
    made: Vec<PathBuf>,
}

fn stage(change: &Change) -> io::Result<Staged> {
    let Some(after) = &change.after else {
        return Ok(Staged {
            text: None,
            made: Vec::new(),
        });
    };
    let directory = change.path.parent().unwrap_or(Path::new("."));
    let mut staged = Staged {
        text: None,
        made: make_directories(directory)?,
    };
    let name = change
        .path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    // Names of files have a limit of 255 bytes.
    let short: String = name.chars().take(48).collect();
    let path = directory.join(format!(".{short}.maestro-{}", std::process::id()));
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .and_then(|mut file| {
            staged.text = Some(path);
            file.write_all(after.as_bytes())?;
            match fs::metadata(&change.path) {
                Ok(old) => file.set_permissions(old.permissions()),
                Err(_) => Ok(()),
            }
        });
    match written {
        Ok(()) => Ok(staged),
        Err(error) => {
            staged.discard();
            Err(error)
        }
    }
}

fn make_directories(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let missing: Vec<&Path> = directory
        .ancestors()
        .take_while(|path| !path.exists())
        .collect();
    let mut made = Vec::new();
    for path in missing.into_iter().rev() {
        fs::create_dir(path)?;
        made.push(path.to_path_buf());
    }
    Ok(made)
}

impl Staged {
    fn commit(&self, change: &Change) -> io::Result<()> {
        match &self.text {
            Some(text) => fs::rename(text, &change.path),
            None => fs::remove_file(&change.path),
        }
    }

    /// Removes what was prepared; a failure leaves a file behind, and the sentence is about the first failure.
    fn discard(&self) {
        if let Some(text) = &self.text {
            let _ = fs::remove_file(text);
        }
        self.remove_directories();
    }

    /// Removes only directories that are empty again.
    fn remove_directories(&self) {
        for directory in self.made.iter().rev() {
            let _ = fs::remove_dir(directory);
        }
    }
}

fn undo(done: &[Change]) {
    for change in done.iter().rev() {
        let _ = match &change.before {
            Some(before) => fs::write(&change.path, before),
            None => fs::remove_file(&change.path),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_fails_in_the_middle_leaves_every_file_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        fs::write(at("a"), "old").unwrap();
        fs::create_dir(at("b")).unwrap();
        fs::write(at("b/inside"), "").unwrap();
        let change = |name: &str, before: Option<&str>| Change {
            name: name.into(),
            path: at(name),
            before: before.map(str::to_owned),
            after: Some("new".into()),
        };
        // A directory that is not empty stands where the second file should go.
        let changes = [
            change("a", Some("old")),
            change("fresh/c", None),
            change("b", None),
        ];
        assert!(matches!(all(&changes), Err(Misfit::Unwritable { path, .. }) if path == "b"));
        assert_eq!(fs::read_to_string(at("a")).unwrap(), "old");
        let mut left: Vec<_> = fs::read_dir(root.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["a", "b"]);
    }
}
