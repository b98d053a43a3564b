//! The files of reports: paths and patterns, and what stands in them within bounds.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use crate::fault::Fault;

/// The most files that a pattern may stand for.
const MAX_FILES: usize = 10_000;

/// Standard input, in the place of a file.
const INPUT: &str = "-";

/// What a report's file holds, or standard input, if that is not too much.
pub(super) fn bytes(file: &Path, most: usize) -> Result<Vec<u8>, Fault> {
    if file == Path::new(INPUT) {
        let mut bytes = Vec::new();
        io::stdin()
            .lock()
            .take(most as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| Fault::io(Path::new("standard input"), "be read", &error))?;
        return if bytes.len() > most {
            Err(Fault::data(format!(
                "standard input: a report has at most {most} bytes"
            )))
        } else {
            Ok(bytes)
        };
    }
    let size = fs::metadata(file)
        .map_err(|error| Fault::io(file, "be read", &error))?
        .len();
    if size > most as u64 {
        return Err(Fault::data(format!(
            "`{}` has {size} bytes, but a report has at most {most}",
            file.display()
        )));
    }
    fs::read(file).map_err(|error| Fault::io(file, "be read", &error))
}

/// The files that paths and patterns stand for, each once, in order.
pub(super) fn files(wanted: &[String], flag: &str) -> Result<Vec<PathBuf>, Fault> {
    let mut files = Vec::new();
    for text in wanted {
        let path = Path::new(text);
        if path.exists() || !text.contains(['*', '?', '[', '{']) {
            files.push(path.to_path_buf());
            continue;
        }
        let before = files.len();
        matching(text, flag, &mut files)?;
        if files.len() == before {
            return Err(Fault::data(format!("no file matches `{text}`")));
        }
    }
    let mut seen = std::collections::HashSet::new();
    files.retain(|file| seen.insert(file.clone()));
    Ok(files)
}

fn matching(pattern: &str, flag: &str, files: &mut Vec<PathBuf>) -> Result<(), Fault> {
    let glob = GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map_err(|error| Fault::usage(format!("`{flag}`: expected a file or a pattern: {error}")))?
        .compile_matcher();
    // Only the part before the first wildcard is sure to be a directory.
    let fixed: PathBuf = Path::new(pattern)
        .components()
        .take_while(|part| {
            !part
                .as_os_str()
                .to_string_lossy()
                .contains(['*', '?', '[', '{'])
        })
        .collect();
    walk(&fixed, &glob, flag, files, 0)
}

fn walk(
    directory: &Path,
    glob: &GlobMatcher,
    flag: &str,
    files: &mut Vec<PathBuf>,
    depth: usize,
) -> Result<(), Fault> {
    let shown = if directory.as_os_str().is_empty() {
        Path::new(".")
    } else {
        directory
    };
    let Ok(entries) = fs::read_dir(shown) else {
        return Ok(());
    };
    let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = directory.join(entry.file_name());
        match entry.file_type() {
            // Links are not followed: a loop of them has no end.
            Ok(kind) if kind.is_dir() && depth < 32 => walk(&path, glob, flag, files, depth + 1)?,
            Ok(kind) if kind.is_file() && glob.is_match(&path) => files.push(path),
            _ => {}
        }
        if files.len() > MAX_FILES {
            return Err(Fault::data(format!(
                "`{flag}` stands for more than {MAX_FILES} files"
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stands_for_the_files_it_matches_and_a_path_for_itself() {
        let root = tempfile::tempdir().unwrap();
        for file in ["a/one.xml", "a/b/two.xml", "a/b/three.txt"] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let names = |pattern: &str| {
            let found = files(
                &[root.path().join(pattern).display().to_string()],
                "--junit",
            )
            .unwrap();
            found
                .iter()
                .map(|file| {
                    file.strip_prefix(root.path())
                        .unwrap()
                        .display()
                        .to_string()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(names("**/*.xml"), ["a/b/two.xml", "a/one.xml"]);
        assert_eq!(names("a/*.xml"), ["a/one.xml"]);
        assert_eq!(names("missing.xml"), ["missing.xml"]);
        assert!(
            files(
                &[root.path().join("*.xml").display().to_string()],
                "--junit"
            )
            .is_err()
        );
    }
}
