//! Building an environment, in the sandbox.
//!
//! First with wheels alone: unpacking them runs nobody's code, so this step may write the shared cache of downloads.
//! Only when that does not do, packages are built from source, which runs their authors' code: that step begins with
//! an empty environment and has a cache of its own, so that no build can leave anything for another.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::super::command::{Command, Network};
use super::super::finished::Finished;
use super::super::interpreter::Interpreter;
use super::super::limits::Limits;
use super::failure;
use super::shelf::Reserved;
use super::spec::EnvironmentSpec;
use super::{EnvironmentError, Inner, SourceBuilds};

/// uv leaves older interpreters alone.
const OLDEST_FOR_UV: (u8, u8) = (3, 8);

/// Unpacks the pip that came with the interpreter, or with Debian's package beside it.
const UNPACK_PIP: &str = "
import glob, os, sys, zipfile
places = ['/usr/share/python-wheels']
try:
    import ensurepip
    places.insert(0, os.path.join(os.path.dirname(ensurepip.__file__), '_bundled'))
except ImportError:
    pass
found = [wheel for place in places for wheel in sorted(glob.glob(os.path.join(place, 'pip-*.whl')))]
if not found:
    sys.exit('it comes without ensurepip')
zipfile.ZipFile(found[0]).extractall(sys.argv[1])
";

/// How a package that comes as source is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sources {
    /// It is not installed.
    Refused,
    /// It is built.
    Built,
    /// It is built with the setuptools of its time: old packages rely on what has since been removed.
    BuiltTheOldWay,
}

/// Everything that the steps of one build have in common.
struct Build<'a> {
    inner: &'a Inner,
    place: &'a Reserved,
    spec: &'a EnvironmentSpec,
    interpreter: &'a Interpreter,
    limits: &'a Limits,
    cancel: &'a CancellationToken,
}

impl Inner {
    pub(super) async fn build(
        &self,
        place: &Reserved,
        spec: &EnvironmentSpec,
        interpreter: &Interpreter,
        limits: &Limits,
        cancel: &CancellationToken,
    ) -> Result<(), EnvironmentError> {
        let build = Build {
            inner: self,
            place,
            spec,
            interpreter,
            limits,
            cancel,
        };
        if spec.project.is_none() {
            match build.attempt(Sources::Refused).await {
                Err(
                    EnvironmentError::NoMatchingDistribution { .. }
                    | EnvironmentError::Conflict { .. },
                ) if self.source_builds == SourceBuilds::Allowed => {}
                other => return other,
            }
        }
        match build.attempt(Sources::Built).await {
            Err(EnvironmentError::BuildFailed { excerpt }) => {
                match build.attempt(Sources::BuiltTheOldWay).await {
                    Ok(()) => Ok(()),
                    // The first failure is the one that says what is wrong with the package as it is.
                    Err(EnvironmentError::Cancelled) => Err(EnvironmentError::Cancelled),
                    Err(_) => Err(EnvironmentError::BuildFailed { excerpt }),
                }
            }
            other => other,
        }
    }

    /// Where the pip for an interpreter lies, got ready the first time.
    pub(super) async fn pip(
        &self,
        interpreter: &Interpreter,
        cancel: &CancellationToken,
    ) -> Result<PathBuf, EnvironmentError> {
        let place = self
            .shelf
            .installers()
            .join(format!("pip-for-{}", interpreter.release));
        if place.is_dir() {
            return Ok(place);
        }
        let installers = self.shelf.installers();
        let failed = |source| EnvironmentError::Io {
            path: installers.clone(),
            source,
        };
        fs::create_dir_all(&installers).map_err(failed)?;
        let _lock = self
            .shelf
            .lock_installer(&interpreter.release, cancel)
            .await?;
        if place.is_dir() {
            return Ok(place);
        }
        let work = TempDir::with_prefix_in("new-", &installers).map_err(failed)?;
        let (bundled, current) = (work.path().join("bundled"), work.path().join("current"));
        for directory in [&bundled, &current] {
            fs::create_dir(directory).map_err(failed)?;
        }
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let python = text(&interpreter.path);
        let mut unpack = Command::new([&python, "-I", "-c", UNPACK_PIP, &text(&bundled)], &bundled);
        unpack.readable = vec![interpreter.prefix.clone()];
        let unpacked = self.sandbox.run(&unpack, cancel).await?;
        if !unpacked.ended.succeeded() {
            let said = unpacked
                .stderr_text()
                .lines()
                .last()
                .unwrap_or("it said nothing")
                .to_owned();
            return Err(EnvironmentError::NoVenv {
                python: interpreter.path.clone(),
                said,
            });
        }
        // The bundled one can be too old to know today's wheels; it is only used to get its successor.
        let words = [
            &python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-input",
            "--no-cache-dir",
            "--retries=1",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary=:all:",
            "--target",
            &text(&current),
            "pip",
        ];
        let mut update = self.installer_command(words.map(str::to_owned).to_vec(), &current);
        update
            .variables
            .insert("PYTHONPATH".to_owned(), text(&bundled));
        update
            .readable
            .extend([bundled.clone(), interpreter.prefix.clone()]);
        update.limits.wall = std::time::Duration::from_mins(1);
        let updated = self.sandbox.run(&update, cancel).await?;
        if updated.ended.succeeded() {
            fs::rename(&current, &place).map_err(failed)?;
            return Ok(place);
        }
        // It will do for today; the next environment asks for the successor again.
        let kept = installers.join(format!("bundled-pip-for-{}", interpreter.release));
        if !kept.is_dir() {
            fs::rename(&bundled, &kept).map_err(failed)?;
        }
        Ok(kept)
    }

    /// A command with the network, and with what the installers need to know to use it.
    pub(super) fn installer_command(&self, argv: Vec<String>, writable: &Path) -> Command {
        Command {
            variables: self.settings.variables().clone(),
            readable: self.settings.paths(),
            network: Network::Host,
            limits: Limits::for_installation(),
            ..Command::new(argv, writable)
        }
    }

    /// The shared cache of downloads.
    pub(super) fn downloads(&self) -> Result<PathBuf, EnvironmentError> {
        let downloads = self.shelf.downloads();
        fs::create_dir_all(&downloads).map_err(|source| EnvironmentError::Io {
            path: downloads.clone(),
            source,
        })?;
        Ok(downloads)
    }
}

impl Build<'_> {
    async fn attempt(&self, sources: Sources) -> Result<(), EnvironmentError> {
        self.place.clear()?;
        self.empty_environment().await?;
        if self.spec.install.is_empty() && self.spec.project.is_none() {
            return Ok(());
        }
        let (private, downloads) = if sources == Sources::Refused {
            (None, self.inner.downloads()?)
        } else {
            let here = std::env::temp_dir();
            let private = TempDir::with_prefix("maestro-build-")
                .map_err(|source| EnvironmentError::Io { path: here, source })?;
            let path = private.path().to_owned();
            (Some(private), path)
        };
        let project = match &private {
            Some(private) => self.copy_of_project(private.path())?,
            None => None,
        };
        let uv = self
            .inner
            .uv
            .as_ref()
            .filter(|_| self.interpreter.version >= OLDEST_FOR_UV);
        let mut command = match uv {
            Some(uv) => self.with_uv(uv, sources, &downloads),
            None => self.with_pip(sources, &downloads).await?,
        };
        command.writable.push(downloads.clone());
        command.readable.push(self.interpreter.prefix.clone());
        if sources == Sources::BuiltTheOldWay {
            let constraint = downloads.join("build-constraints.txt");
            fs::write(&constraint, old_setuptools(self.interpreter.version)).map_err(|source| {
                EnvironmentError::Io {
                    path: constraint.clone(),
                    source,
                }
            })?;
            let constraint = constraint.to_string_lossy().into_owned();
            // pip's name for it until version 25.3, and since.
            for name in [
                "PIP_CONSTRAINT",
                "PIP_BUILD_CONSTRAINT",
                "UV_BUILD_CONSTRAINT",
            ] {
                command
                    .variables
                    .insert(name.to_owned(), constraint.clone());
            }
        }
        // Set apart from options; the requirements have been checked not to be any.
        command.argv.push("--".to_owned());
        command.argv.extend(self.spec.install.iter().cloned());
        command.argv.extend(project);
        command.limits = self.limits.clone();
        let finished = self.inner.sandbox.run(&command, self.cancel).await?;
        self.success(&finished)
    }

    /// Without pip: it is not part of what the tests are to see, and making it takes longer than all the rest.
    async fn empty_environment(&self) -> Result<(), EnvironmentError> {
        let root = self.place.root();
        let python = self.interpreter.path.to_string_lossy().into_owned();
        let root_text = root.to_string_lossy().into_owned();
        let mut command = Command::new(
            [&python, "-I", "-m", "venv", "--without-pip", &root_text],
            root,
        );
        command.readable = vec![self.interpreter.prefix.clone()];
        let finished = self.inner.sandbox.run(&command, self.cancel).await?;
        if finished.ended.succeeded() {
            return Ok(());
        }
        if finished.ended == super::super::finished::Ended::Cancelled {
            return Err(EnvironmentError::Cancelled);
        }
        let said = finished
            .stderr_text()
            .lines()
            .last()
            .unwrap_or("it said nothing")
            .to_owned();
        Err(EnvironmentError::NoVenv {
            python: self.interpreter.path.clone(),
            said,
        })
    }

    async fn with_pip(
        &self,
        sources: Sources,
        downloads: &Path,
    ) -> Result<Command, EnvironmentError> {
        let pip = self.inner.pip(self.interpreter, self.cancel).await?;
        let root = self.place.root();
        let mut argv: Vec<String> = vec![root.join("bin/python").to_string_lossy().into_owned()];
        argv.extend(
            [
                "-m",
                "pip",
                "install",
                "--no-input",
                "--disable-pip-version-check",
                // Without one pip does not say that it was the network.
                "--retries=2",
                "--no-warn-script-location",
                "--progress-bar=off",
            ]
            .map(str::to_owned),
        );
        if sources == Sources::Refused {
            argv.push("--only-binary=:all:".to_owned());
        }
        let mut command = self.inner.installer_command(argv, root);
        command
            .variables
            .insert("PYTHONPATH".to_owned(), pip.to_string_lossy().into_owned());
        command.variables.insert(
            "PIP_CACHE_DIR".to_owned(),
            downloads.join("pip").to_string_lossy().into_owned(),
        );
        command.readable.push(pip);
        self.version_of_project(&mut command.variables);
        Ok(command)
    }

    fn with_uv(&self, uv: &Path, sources: Sources, downloads: &Path) -> Command {
        let root = self.place.root();
        let mut argv: Vec<String> = vec![uv.to_string_lossy().into_owned()];
        argv.extend(
            // Copied and not linked: the environment and the cache are mounted apart. Compiled, since a test run
            // cannot write what it compiles.
            [
                "pip",
                "install",
                "--quiet",
                "--no-config",
                "--no-progress",
                "--color=never",
                "--link-mode=copy",
                "--compile-bytecode",
            ]
            .map(str::to_owned),
        );
        argv.push(format!("--python={}", root.join("bin/python").display()));
        argv.push(format!("--cache-dir={}", downloads.join("uv").display()));
        if sources == Sources::Refused {
            argv.push("--no-build".to_owned());
        }
        let mut command = self.inner.installer_command(argv, root);
        command.readable.push(uv.to_owned());
        command
            .variables
            .insert("UV_PYTHON_DOWNLOADS".to_owned(), "never".to_owned());
        self.version_of_project(&mut command.variables);
        command
    }

    /// Projects that read their version from git find none: the tree comes without its history.
    fn version_of_project(&self, variables: &mut BTreeMap<String, String>) {
        if self
            .spec
            .project
            .as_ref()
            .is_some_and(|project| !project.tree.join("PKG-INFO").exists())
        {
            for name in ["SETUPTOOLS_SCM_PRETEND_VERSION", "PBR_VERSION"] {
                variables.insert(name.to_owned(), "0.0.0".to_owned());
            }
        }
    }

    /// A copy of the project's tree for its build to write to, as the installer is to be given it.
    fn copy_of_project(&self, private: &Path) -> Result<Option<String>, EnvironmentError> {
        let Some(project) = &self.spec.project else {
            return Ok(None);
        };
        let copy = private.join("project");
        super::super::checkout::copy_of(&project.tree, &copy).map_err(|error| {
            EnvironmentError::Project {
                tree: project.tree.clone(),
                why: error.to_string(),
            }
        })?;
        let extras = if project.extras.is_empty() {
            String::new()
        } else {
            format!("[{}]", project.extras.join(","))
        };
        Ok(Some(format!("{}{extras}", copy.display())))
    }

    fn success(&self, finished: &Finished) -> Result<(), EnvironmentError> {
        if finished.ended.succeeded() {
            Ok(())
        } else {
            Err(failure::read(finished, self.limits))
        }
    }
}

/// The last setuptools with `use_2to3` and its kind, or where that does not run the last with `pkg_resources`.
fn old_setuptools(python: (u8, u8)) -> &'static str {
    if python < (3, 12) {
        "setuptools<58\n"
    } else {
        "setuptools<81\n"
    }
}
