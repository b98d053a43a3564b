//! Where the code is and how its tests run, from flags and from the working directory.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use maestro_junit::framework_name;
use maestro_protocol::project::{Framework, Project, Runtime};

use crate::fault::Fault;

/// The project of a report.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Project, for --junit and --findings")]
pub(super) struct ProjectFlags {
    /// A git or file URL, or a path [default: the git working copy around this directory, else this directory]
    #[arg(long, value_name = "URL|DIR")]
    repository: Option<String>,

    /// A commit or a branch [default: the tree as it is]
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,

    /// The directory below the repository's root in which the tests were run
    #[arg(long, value_name = "DIR")]
    directory: Option<String>,

    /// The runner that wrote the report [default: told by the report]
    #[arg(long, value_parser = framework, value_name = "RUNNER")]
    pub(super) framework: Option<Framework>,

    /// Sets this run apart: the same report under another run is published anew
    #[arg(long, value_name = "ID")]
    pub(super) run: Option<String>,

    /// Python's version, for example 3.11
    #[arg(long, value_name = "VERSION")]
    python: Option<String>,

    /// Node's major version
    #[arg(long, value_name = "VERSION")]
    node: Option<String>,

    /// A requirement to install, in the package manager's notation; may be given several times
    #[arg(long, value_name = "REQUIREMENT")]
    install: Vec<String>,

    /// A variable of the tests' environment; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    variable: Vec<(String, String)>,
}

/// A project, and where its files are looked up.
#[derive(Debug)]
pub(super) struct Located {
    pub(super) project: Project,
    pub(super) runtime: Option<Runtime>,
    /// The root of the repository, as far as it is here.
    pub(super) root: PathBuf,
    /// The project's directory in it.
    pub(super) directory: PathBuf,
}

impl ProjectFlags {
    pub(super) fn locate(&self, here: &Path, command: &[OsString]) -> Result<Located, Fault> {
        let around = working_copy(here);
        let (repository, directory) = match &self.repository {
            Some(url) if is_url(url) => (url.clone(), self.directory.clone()),
            Some(path) => (absolute(here, path)?, self.directory.clone()),
            None => {
                let root = around.as_deref().unwrap_or(here);
                (
                    text(root)?,
                    self.directory.clone().or_else(|| below(root, here)),
                )
            }
        };
        // Ids are checked against the files on disk; of a repository elsewhere, the files here are the nearest there is.
        let files = match (&self.directory, is_url(&repository)) {
            (Some(directory), false) => Path::new(&repository).join(directory),
            (Some(directory), true) => around.as_deref().unwrap_or(here).join(directory),
            (None, false) if self.repository.is_some() => PathBuf::from(&repository),
            (None, _) => here.to_path_buf(),
        };
        let root = match (is_url(&repository), &around) {
            (false, _) => PathBuf::from(&repository),
            (true, Some(around)) => around.clone(),
            (true, None) => here.to_path_buf(),
        };
        Ok(Located {
            root,
            project: Project {
                repository,
                revision: self.revision.clone(),
                directory,
            },
            runtime: self.runtime(command)?,
            directory: files,
        })
    }

    fn runtime(&self, command: &[OsString]) -> Result<Option<Runtime>, Fault> {
        let command = command
            .iter()
            .map(|argument| argument.to_str().map(str::to_owned))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| {
                Fault::usage("the command after `--` is not UTF-8, which a message must be")
            })?;
        let variables: BTreeMap<_, _> = self.variable.iter().cloned().collect();
        let runtime = Runtime {
            python: self.python.clone(),
            node: self.node.clone(),
            install: Some(self.install.clone()).filter(|list| !list.is_empty()),
            command: Some(command).filter(|list| !list.is_empty()),
            variables: Some(variables).filter(|map| !map.is_empty()),
        };
        Ok(Some(runtime).filter(|runtime| *runtime != Runtime::default()))
    }
}

/// The nearest directory upwards that holds a `.git`.
pub(crate) fn working_copy(here: &Path) -> Option<PathBuf> {
    here.ancestors()
        .find(|directory| directory.join(".git").exists())
        .map(Path::to_path_buf)
}

/// A URL, or the `user@host:path` that git takes for one.
fn is_url(text: &str) -> bool {
    text.contains("://")
        || text
            .split_once(':')
            .is_some_and(|(host, _)| host.contains('@') && !host.contains('/'))
}

fn absolute(here: &Path, path: &str) -> Result<String, Fault> {
    let full = here.join(path);
    let found = full.canonicalize().map_err(|error| {
        Fault::data(format!(
            "`--repository`: expected a URL or a directory, but `{path}` cannot be found: {error}"
        ))
    })?;
    if found.is_dir() {
        text(&found)
    } else {
        Err(Fault::data(format!(
            "`--repository`: expected a URL or a directory, but `{path}` is a file"
        )))
    }
}

fn below(root: &Path, here: &Path) -> Option<String> {
    let rest = here.strip_prefix(root).ok()?.to_str()?;
    Some(rest.to_owned()).filter(|rest| !rest.is_empty())
}

fn text(path: &Path) -> Result<String, Fault> {
    path.to_str().map(str::to_owned).ok_or_else(|| {
        Fault::data(format!(
            "the path `{}` is not UTF-8, which a message must be",
            path.display()
        ))
    })
}

fn framework(name: &str) -> Result<Framework, String> {
    const ALL: [Framework; 6] = [
        Framework::Pytest,
        Framework::Unittest,
        Framework::NodeTest,
        Framework::Jest,
        Framework::Vitest,
        Framework::Cargo,
    ];
    ALL.into_iter()
        .find(|framework| framework_name(*framework) == name)
        .ok_or_else(|| format!("expected one of {}", ALL.map(framework_name).join(", ")))
}

fn variable(pair: &str) -> Result<(String, String), String> {
    match pair.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_working_copy_around_and_the_way_down_are_found() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join(".git")).unwrap();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        let located = ProjectFlags::default()
            .locate(&root.join("a/b"), &[])
            .unwrap();
        assert_eq!(located.project.repository, root.to_str().unwrap());
        assert_eq!(located.project.directory.as_deref(), Some("a/b"));
        assert_eq!(located.directory, root.join("a/b"));
        assert_eq!(located.runtime, None);
        let at_root = ProjectFlags::default()
            .locate(&root, &["make".into(), "test".into()])
            .unwrap();
        assert_eq!(at_root.project.directory, None);
        assert_eq!(
            at_root.runtime.and_then(|runtime| runtime.command),
            Some(vec!["make".into(), "test".into()])
        );
    }

    #[test]
    fn urls_are_left_alone_and_paths_are_made_absolute() {
        let here = Path::new("/");
        let at = |repository: &str| {
            let flags = ProjectFlags {
                repository: Some(repository.into()),
                ..ProjectFlags::default()
            };
            flags
                .locate(here, &[])
                .map(|located| located.project.repository)
        };
        for url in [
            "https://example.org/x.git",
            "git@example.org:x/y.git",
            "file:///x",
        ] {
            assert_eq!(at(url).unwrap(), url);
        }
        assert_eq!(
            at("tmp/../tmp").unwrap(),
            Path::new("/tmp").canonicalize().unwrap().to_str().unwrap()
        );
        assert!(
            at("no-such-directory")
                .unwrap_err()
                .to_string()
                .starts_with("`--repository`: expected")
        );
    }
}
