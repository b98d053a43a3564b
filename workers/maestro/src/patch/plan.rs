//! What a patch would make of a working copy, worked out without writing.

use std::collections::HashSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use diffy::patch_set::{FileMode, FileOperation, FilePatch, ParseOptions, PatchSet};
use diffy::{Hunk, Line, Patch};

use super::path::{Unsafe, inside};

/// The most bytes of a patch; a message is not longer either.
const MAX_PATCH: usize = 1024 * 1024;
/// The most files that a patch may touch.
const MAX_FILES: usize = 256;
/// The most bytes of a file, before and after.
const MAX_FILE: usize = 4 * 1024 * 1024;

/// Why a patch is not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Misfit {
    #[error("the patch has {0} bytes, but at most {MAX_PATCH} are taken")]
    Large(usize),
    #[error("the patch is no unified diff: {0}")]
    Syntax(String),
    #[error("the patch touches more than {MAX_FILES} files")]
    Many,
    #[error("the patch names the path `{path}`, which is refused: {why}")]
    Path { path: String, why: Unsafe },
    #[error("the patch names the file `{0}` twice")]
    Twice(String),
    #[error(
        "the patch would {what} `{path}`, which is not taken: only texts are changed, created and deleted"
    )]
    Kind { path: String, what: &'static str },
    #[error("the patch changes `{0}`, but there is no such file in the working copy")]
    Missing(String),
    #[error("the patch creates `{0}`, but the working copy has that file already")]
    Exists(String),
    #[error(
        "the patch changes `{path}`, but hunk {hunk} of {hunks} does not fit the file as it is"
    )]
    Hunk {
        path: String,
        hunk: usize,
        hunks: usize,
    },
    #[error("the patch deletes `{0}`, but the file has other content than the patch expects")]
    Leftover(String),
    #[error("`{0}` has more than {MAX_FILE} bytes")]
    LargeFile(String),
    #[error("`{0}` is not UTF-8, and a patch of text does not fit it")]
    NotText(String),
    #[error("`{path}` cannot be read: {detail}")]
    Unreadable { path: String, detail: String },
    #[error("the patch is already in the working copy")]
    Already,
    #[error("`{path}` cannot be written: {detail}; every file is as it was")]
    Unwritable { path: String, detail: String },
}

/// What happens to one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// As the patch names it.
    pub(crate) name: String,
    pub(super) path: PathBuf,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

impl Change {
    /// `created`, `deleted` or `changed`.
    pub(crate) fn verb(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, _) => "created",
            (_, None) => "deleted",
            _ => "changed",
        }
    }
}

/// Every file's new text.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) changes: Vec<Change>,
}

impl Plan {
    /// Works out what the patch makes of the files below `root`.
    pub(crate) fn of(patch: &str, root: &Path) -> Result<Self, Misfit> {
        if patch.len() > MAX_PATCH {
            return Err(Misfit::Large(patch.len()));
        }
        let files = parsed(patch)?;
        // Lines added at the end of a file would fit a second time, so this comes first.
        if is_in_place(&files, root) {
            return Err(Misfit::Already);
        }
        match forward(&files, root) {
            Err(misfit @ (Misfit::Hunk { .. } | Misfit::Exists(_) | Misfit::Missing(_))) => {
                if is_applied(&files, root) {
                    Err(Misfit::Already)
                } else {
                    Err(misfit)
                }
            }
            other => other.map(|changes| Self { changes }),
        }
    }

    /// Writes every file, or none.
    pub(crate) fn write(&self) -> Result<(), Misfit> {
        super::write::all(&self.changes)
    }
}

fn parsed(patch: &str) -> Result<Vec<FilePatch<'_, str>>, Misfit> {
    let options = if patch.lines().any(|line| line.starts_with("diff --git ")) {
        ParseOptions::gitdiff()
    } else {
        ParseOptions::unidiff()
    };
    let mut files = Vec::new();
    for file in PatchSet::parse(patch, options) {
        files.push(file.map_err(|error| Misfit::Syntax(error.to_string()))?);
        if files.len() > MAX_FILES {
            return Err(Misfit::Many);
        }
    }
    Ok(files)
}

fn forward(files: &[FilePatch<'_, str>], root: &Path) -> Result<Vec<Change>, Misfit> {
    let mut named = HashSet::new();
    files
        .iter()
        .map(|file| {
            let target = Target::of(file)?;
            if !named.insert(target.name.clone()) {
                return Err(Misfit::Twice(target.name));
            }
            target.change(root)
        })
        .collect()
}

/// Whether every part adds lines, and all of them stand exactly where it would put them.
fn is_in_place(files: &[FilePatch<'_, str>], root: &Path) -> bool {
    files.iter().all(|file| {
        Target::of(file).is_ok_and(|target| {
            let path = inside(root, &target.name);
            let now = path
                .ok()
                .and_then(|path| read(&target.name, &path).ok())
                .flatten();
            now.is_some_and(|text| {
                let lines: Vec<&str> = text.split_inclusive('\n').collect();
                target.patch.hunks().iter().all(|hunk| stands(hunk, &lines))
            })
        })
    })
}

fn stands(hunk: &Hunk<'_, str>, text: &[&str]) -> bool {
    let adds = hunk
        .lines()
        .iter()
        .any(|line| matches!(line, Line::Insert(_)));
    let after = hunk.lines().iter().filter_map(|line| match line {
        Line::Context(line) | Line::Insert(line) => Some(*line),
        Line::Delete(_) => None,
    });
    let here = text
        .iter()
        .skip(hunk.new_range().start().saturating_sub(1))
        .copied();
    adds && after.clone().count() <= here.len()
        && after.zip(here).all(|(wanted, found)| wanted == found)
}

/// Whether the reverse of every part fits: then the patch has been applied before.
fn is_applied(files: &[FilePatch<'_, str>], root: &Path) -> bool {
    files.iter().all(|file| {
        Target::of(file).is_ok_and(|target| {
            let path = inside(root, &target.name);
            let now = path.ok().and_then(|path| read(&target.name, &path).ok());
            match (target.action, now) {
                (Action::Delete, Some(None)) => true,
                (Action::Create | Action::Modify, Some(Some(text))) => {
                    diffy::apply(&text, &target.patch.reverse()).is_ok()
                }
                _ => false,
            }
        })
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Create,
    Modify,
    Delete,
}

/// One part of the patch, understood.
struct Target<'a> {
    name: String,
    action: Action,
    patch: &'a Patch<'a, str>,
}

impl<'a> Target<'a> {
    fn of(file: &'a FilePatch<'a, str>) -> Result<Self, Misfit> {
        let (name, action) = match file.operation() {
            FileOperation::Create(path) => (stripped(path, "b/"), Action::Create),
            FileOperation::Delete(path) => (stripped(path, "a/"), Action::Delete),
            FileOperation::Modify { original, modified } => {
                (unified(original, modified)?, Action::Modify)
            }
            FileOperation::Rename { to, .. } => return Err(kind(to, "rename")),
            FileOperation::Copy { to, .. } => return Err(kind(to, "copy")),
        };
        let modes = [file.old_mode(), file.new_mode()];
        if modes
            .iter()
            .flatten()
            .any(|mode| matches!(mode, FileMode::Symlink | FileMode::Gitlink))
        {
            return Err(kind(&name, "make a link of"));
        }
        if file
            .new_mode()
            .is_some_and(|mode| *mode == FileMode::Executable)
            && file.old_mode() != file.new_mode()
        {
            return Err(kind(&name, "make a program of"));
        }
        let patch = file
            .patch()
            .as_text()
            .ok_or_else(|| kind(&name, "replace the bytes of"))?;
        Ok(Self {
            name,
            action,
            patch,
        })
    }

    fn change(self, root: &Path) -> Result<Change, Misfit> {
        let name = self.name;
        let path = inside(root, &name).map_err(|why| Misfit::Path {
            path: name.clone(),
            why,
        })?;
        let before = read(&name, &path)?;
        let base = match (self.action, &before) {
            (Action::Create, Some(_)) => return Err(Misfit::Exists(name)),
            (Action::Create, None) => "",
            (_, None) => return Err(Misfit::Missing(name)),
            (_, Some(text)) => text.as_str(),
        };
        let text = applied(&name, base, self.patch)?;
        let after = match self.action {
            Action::Delete if text.is_empty() => None,
            Action::Delete => return Err(Misfit::Leftover(name)),
            _ if text.len() > MAX_FILE => return Err(Misfit::LargeFile(name)),
            _ => Some(text),
        };
        Ok(Change {
            name,
            path,
            before,
            after,
        })
    }
}

/// Hunk by hunk, so that the sentence can say which one does not fit.
fn applied(name: &str, base: &str, patch: &Patch<'_, str>) -> Result<String, Misfit> {
    diffy::apply(base, patch).map_err(|error| {
        let said = error.to_string();
        Misfit::Hunk {
            path: name.to_owned(),
            hunk: said
                .rsplit_once('#')
                .and_then(|(_, number)| number.parse().ok())
                .unwrap_or(1),
            hunks: patch.hunks().len(),
        }
    })
}

fn kind(path: &str, what: &'static str) -> Misfit {
    Misfit::Kind {
        path: path.to_owned(),
        what,
    }
}

fn stripped(path: &str, prefix: &str) -> String {
    path.strip_prefix(prefix).unwrap_or(path).to_owned()
}

/// The one name of a file that is changed in place; two names are a rename.
fn unified(original: &str, modified: &str) -> Result<String, Misfit> {
    match (original.strip_prefix("a/"), modified.strip_prefix("b/")) {
        (Some(original), Some(modified)) if original == modified => Ok(modified.to_owned()),
        _ if original == modified => Ok(modified.to_owned()),
        _ => Err(kind(modified, "rename")),
    }
}

/// A file's text; `None` where there is none.
fn read(name: &str, path: &Path) -> Result<Option<String>, Misfit> {
    let unreadable = |error: &std::io::Error| Misfit::Unreadable {
        path: name.to_owned(),
        detail: error.to_string(),
    };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(&error)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(&error))?;
    if bytes.len() > MAX_FILE {
        return Err(Misfit::LargeFile(name.to_owned()));
    }
    String::from_utf8(bytes)
        .map(Some)
        .map_err(|_| Misfit::NotText(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn working_copy() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a.py"), "one\ntwo\nthree\n").unwrap();
        fs::write(root.path().join("gone.py"), "x\n").unwrap();
        root
    }

    const GOOD: &str = "--- a/a.py\n+++ b/a.py\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n";
    const MORE: &str = "--- /dev/null\n+++ b/sub/new.py\n@@ -0,0 +1 @@\n+new\n--- a/gone.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n";

    fn misfit(patch: &str, root: &Path) -> String {
        Plan::of(patch, root).unwrap_err().to_string()
    }

    #[test]
    fn a_patch_that_fits_is_written_entirely() {
        let root = working_copy();
        let plan = Plan::of(&format!("{GOOD}{MORE}"), root.path()).unwrap();
        let told: Vec<_> = plan
            .changes
            .iter()
            .map(|change| (change.name.as_str(), change.verb()))
            .collect();
        assert_eq!(
            told,
            [
                ("a.py", "changed"),
                ("sub/new.py", "created"),
                ("gone.py", "deleted")
            ]
        );
        plan.write().unwrap();
        assert_eq!(
            fs::read_to_string(root.path().join("a.py")).unwrap(),
            "one\n2\nthree\n"
        );
        assert_eq!(
            fs::read_to_string(root.path().join("sub/new.py")).unwrap(),
            "new\n"
        );
        assert!(!root.path().join("gone.py").exists());
        assert!(matches!(
            Plan::of(&format!("{GOOD}{MORE}"), root.path()),
            Err(Misfit::Already)
        ));
    }

    #[test]
    fn a_git_diff_is_taken_as_well() {
        let root = working_copy();
        let patch = format!("diff --git a/a.py b/a.py\nindex 1..2 100644\n{GOOD}");
        assert_eq!(
            Plan::of(&patch, root.path()).unwrap().changes[0].name,
            "a.py"
        );
    }

    #[test]
    fn a_patch_that_does_not_fit_says_where_and_changes_nothing() {
        let root = working_copy();
        let stale = GOOD.replace("three", "drei");
        assert_eq!(
            misfit(&format!("{MORE}{stale}"), root.path()),
            "the patch changes `a.py`, but hunk 1 of 1 does not fit the file as it is"
        );
        assert!(root.path().join("gone.py").exists());
        assert_eq!(
            misfit(&GOOD.replace("a.py", "b.py"), root.path()),
            "the patch changes `b.py`, but there is no such file in the working copy"
        );
        assert!(misfit("hello", root.path()).starts_with("the patch is no unified diff"));
        assert!(misfit(&format!("{GOOD}{GOOD}"), root.path()).contains("twice"));
    }

    #[test]
    fn a_patch_that_leaves_the_working_copy_is_refused() {
        let root = working_copy();
        for bad in ["../a.py", "/etc/passwd", ".git/config", "x/../../a.py"] {
            let sentence = misfit(
                &GOOD
                    .replace("a/a.py", &format!("a/{bad}"))
                    .replace("b/a.py", &format!("b/{bad}")),
                root.path(),
            );
            assert!(
                sentence.contains("refused") && sentence.contains(bad),
                "{sentence}"
            );
        }
        let rename =
            "diff --git a/a.py b/b.py\nsimilarity index 100%\nrename from a.py\nrename to b.py\n";
        assert!(misfit(rename, root.path()).contains("rename"));
        let link = "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n";
        assert!(misfit(link, root.path()).contains("link"));
    }

    #[test]
    fn lines_added_at_the_end_are_not_added_twice() {
        let root = working_copy();
        let patch = "--- a/a.py\n+++ b/a.py\n@@ -2,2 +2,3 @@\n two\n three\n+four\n";
        Plan::of(patch, root.path()).unwrap().write().unwrap();
        assert!(matches!(Plan::of(patch, root.path()), Err(Misfit::Already)));
    }

    #[test]
    fn line_ends_of_the_file_are_kept() {
        let root = working_copy();
        fs::write(root.path().join("a.py"), "one\r\ntwo\r\n").unwrap();
        let patch = "--- a/a.py\n+++ b/a.py\n@@ -1,2 +1,2 @@\n one\r\n-two\r\n+2\r\n";
        Plan::of(patch, root.path()).unwrap().write().unwrap();
        assert_eq!(
            fs::read_to_string(root.path().join("a.py")).unwrap(),
            "one\r\n2\r\n"
        );
    }
}
