//! JUnit reports: every failing test one message.

use std::fs;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use maestro_junit::{Directory, Limits};
use maestro_protocol::Message;

use super::Publish;
use super::identified::identified;
use super::project::Located;
use super::send::Sender;
use crate::exit::Exit;
use crate::fault::{Fault, Outcome};
use crate::message::Draft;

/// The most files that a pattern may stand for.
const MAX_FILES: usize = 10_000;
/// An attribute's longest value; longer test ids stand in the payload only.
const MAX_SUBJECT: usize = 1024;

pub(super) async fn publish(
    command: &Publish,
    files: &[PathBuf],
    sender: &mut Sender<'_>,
) -> Outcome {
    let here = std::env::current_dir().map_err(|error| {
        Fault::new(
            Exit::Io,
            format!("the working directory cannot be read: {error}"),
        )
    })?;
    let located = command.project.locate(&here, &command.command)?;
    let (mut cases, mut failing) = (0, 0);
    for file in files {
        let found = one(command, file, &located)?;
        cases += found.0;
        failing += found.1.len();
        for draft in found.1 {
            sender.send(draft, &file.display()).await?;
        }
    }
    sender.finish().await?;
    if failing == 0 {
        sender.remark(&format!(
            "none of {cases} tests failed; nothing was published"
        ));
    }
    Ok(Exit::Success)
}

/// How many tests a report has, and a message for each that failed.
fn one(command: &Publish, file: &Path, located: &Located) -> Result<(u64, Vec<Draft>), Fault> {
    let limits = Limits::default();
    let size = fs::metadata(file)
        .map_err(|error| Fault::io(file, "be read", &error))?
        .len();
    if size > limits.bytes as u64 {
        return Err(Fault::data(format!(
            "`{}` has {size} bytes, but a report has at most {}",
            file.display(),
            limits.bytes
        )));
    }
    let bytes = fs::read(file).map_err(|error| Fault::io(file, "be read", &error))?;
    let report = maestro_junit::read(&bytes, &limits)
        .map_err(|error| Fault::data(format!("`{}`: {error}", file.display())))?;
    if report.left_out() > 0 {
        return Err(Fault::data(format!(
            "`{}`: more than {} failing tests in one report",
            file.display(),
            limits.failures
        )));
    }
    if report.failing() == 0 {
        return Ok((report.tests(), Vec::new()));
    }
    let framework = command
        .project
        .framework
        .or_else(|| report.framework())
        .ok_or_else(|| {
            Fault::data(format!(
                "`{}` does not tell which runner wrote it",
                file.display()
            ))
            .next("say it with --framework (pytest, unittest, node-test, jest, vitest or cargo)")
        })?;
    let files = Directory(&located.directory);
    let errors = report
        .failures(Some(framework), &files)
        .map(|failure| failure.into_error(located.project.clone(), located.runtime.clone(), None));
    let drafts = identified(errors, &bytes, command.project.run.as_deref())
        .into_iter()
        .map(|(id, error)| {
            let subject = error
                .test
                .as_ref()
                .map(|test| test.id.clone())
                .filter(|id| !id.is_empty() && id.len() <= MAX_SUBJECT);
            let message = Message::from(error);
            let mut fields =
                command
                    .attributes
                    .fields(message.type_name(), Some(&id), subject.as_deref());
            let data = serde_json::to_string(&message).map_err(|error| {
                Fault::data(format!(
                    "`{}` cannot be written as JSON: {error}",
                    file.display()
                ))
            })?;
            fields.push(("data".to_owned(), data));
            let stream = command
                .stream
                .clone()
                .unwrap_or_else(|| message.stream().to_string());
            Ok(Draft { stream, fields })
        })
        .collect::<Result<_, Fault>>()?;
    Ok((report.tests(), drafts))
}

/// The files that paths and patterns stand for, each once, in order.
pub(super) fn files(wanted: &[String]) -> Result<Vec<PathBuf>, Fault> {
    let mut files = Vec::new();
    for text in wanted {
        let path = Path::new(text);
        if path.exists() || !text.contains(['*', '?', '[', '{']) {
            files.push(path.to_path_buf());
            continue;
        }
        let before = files.len();
        matching(text, &mut files)?;
        if files.len() == before {
            return Err(Fault::data(format!("no file matches `{text}`")));
        }
    }
    let mut seen = std::collections::HashSet::new();
    files.retain(|file| seen.insert(file.clone()));
    Ok(files)
}

fn matching(pattern: &str, files: &mut Vec<PathBuf>) -> Result<(), Fault> {
    let glob = GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map_err(|error| Fault::usage(format!("`--junit`: expected a file or a pattern: {error}")))?
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
    walk(&fixed, &glob, files, 0)
}

fn walk(
    directory: &Path,
    glob: &GlobMatcher,
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
            Ok(kind) if kind.is_dir() && depth < 32 => walk(&path, glob, files, depth + 1)?,
            Ok(kind) if kind.is_file() && glob.is_match(&path) => files.push(path),
            _ => {}
        }
        if files.len() > MAX_FILES {
            return Err(Fault::data(format!(
                "`--junit` stands for more than {MAX_FILES} files"
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
            let found = files(&[root.path().join(pattern).display().to_string()]).unwrap();
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
        assert!(files(&[root.path().join("*.xml").display().to_string()]).is_err());
    }
}
