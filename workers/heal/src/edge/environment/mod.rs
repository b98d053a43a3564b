//! Isolated Python environments, built once for what is asked, and shared.
//!
//! [`Environments::prepare`] answers with one that is complete, and that nobody removes while the answer lives.
//! [`spec`] says what makes two requests the same, [`build`] makes an environment, [`failure`] reads why it could not
//! be made, [`shelf`] keeps them on disk for all workers of a host.

mod build;
pub mod cargo;
mod error;
mod failure;
mod installed;
pub mod node;
mod shelf;
mod spec;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::command::Command;
use super::index_settings::IndexSettings;
use super::interpreter::{Interpreter, Interpreters};
use super::limits::Limits;
use super::program;
use super::sandbox::Sandbox;
use shelf::{Held, Shelf};

pub use error::EnvironmentError;
pub use spec::{EnvironmentSpec, ProjectInstall};

/// Whether packages that come only as source may be built, which runs their authors' code with the network on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SourceBuilds {
    /// Where there is no wheel. They share nothing with other builds.
    #[default]
    Allowed,
    /// Never.
    Refused,
}

/// The environments of this host; cheap to clone.
#[derive(Debug, Clone)]
pub struct Environments {
    inner: Arc<Inner>,
}

#[derive(Debug, Clone)]
struct Inner {
    shelf: Shelf,
    sandbox: Sandbox,
    interpreters: Interpreters,
    settings: IndexSettings,
    uv: Option<PathBuf>,
    source_builds: SourceBuilds,
}

impl Environments {
    /// Environments kept below `cache`, which workers of one host share. `uv` is used where it is on the `PATH`.
    pub fn new(
        cache: &Path,
        sandbox: Sandbox,
        interpreters: Interpreters,
        settings: IndexSettings,
    ) -> Self {
        let uv = program::find("uv");
        let source_builds = SourceBuilds::default();
        let shelf = Shelf::new(cache);
        Self {
            inner: Arc::new(Inner {
                shelf,
                sandbox,
                interpreters,
                settings,
                uv,
                source_builds,
            }),
        }
    }

    fn change(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.inner));
        self
    }

    /// Uses this `uv`, or none.
    #[must_use]
    pub fn with_uv(self, uv: Option<PathBuf>) -> Self {
        self.change(|inner| inner.uv = uv)
    }

    /// Whether source packages are built. Default: [`SourceBuilds::Allowed`].
    #[must_use]
    pub fn with_source_builds(self, source_builds: SourceBuilds) -> Self {
        self.change(|inner| inner.source_builds = source_builds)
    }

    /// How much the environments together may take on the disk, in bytes; those not used for longest go first, those
    /// in use stay. Default: 5 GiB.
    #[must_use]
    pub fn with_room_for(self, bytes: u64) -> Self {
        self.change(|inner| inner.shelf.limit_bytes = bytes)
    }

    /// The interpreters that environments are made for.
    pub fn interpreters(&self) -> &Interpreters {
        &self.inner.interpreters
    }

    pub(super) fn sandbox(&self) -> &Sandbox {
        &self.inner.sandbox
    }

    /// Where the pip for an interpreter lies.
    pub(super) async fn pip_for(
        &self,
        interpreter: &Interpreter,
        cancel: &CancellationToken,
    ) -> Result<PathBuf, EnvironmentError> {
        self.inner.pip(interpreter, cancel).await
    }

    /// A command of pip that installs nothing and writes nothing but the shared cache of downloads.
    pub(super) fn pip_command(&self, argv: Vec<String>) -> Result<Command, EnvironmentError> {
        let downloads = self.inner.downloads()?;
        let mut command = self.inner.installer_command(argv, &downloads);
        let cache = downloads.join("pip").to_string_lossy().into_owned();
        command.variables.insert("PIP_CACHE_DIR".to_owned(), cache);
        Ok(command)
    }

    /// An environment with what is asked for, built now or earlier, here or by another worker of this host.
    ///
    /// # Errors
    /// See [`EnvironmentError::is_transient`] for those that trying again may cure.
    pub async fn prepare(
        &self,
        spec: &EnvironmentSpec,
        limits: &Limits,
        cancel: &CancellationToken,
    ) -> Result<Environment, EnvironmentError> {
        let interpreter = {
            let (interpreters, python) = (self.inner.interpreters.clone(), spec.python.clone());
            blocking(move || Ok(interpreters.find(python.as_deref())?)).await?
        };
        spec.check()?;
        let key = {
            let (spec, interpreter, settings) = (
                spec.clone(),
                interpreter.clone(),
                self.inner.settings.clone(),
            );
            blocking(move || spec.key(&interpreter, &settings)).await?
        };
        let kept = &self.inner.shelf;
        let mut built = false;
        loop {
            if let Some(held) = kept.borrow(&key, cancel).await? {
                if built {
                    // Only now, that this one is in use: it would be as good to remove as any other.
                    let kept = kept.clone();
                    blocking(move || {
                        kept.make_room();
                        Ok(())
                    })
                    .await?;
                }
                return Environment::read(held, interpreter);
            }
            let Some(place) = kept.reserve(&key, cancel).await? else {
                continue;
            };
            self.inner
                .build(&place, spec, &interpreter, limits, cancel)
                .await?;
            blocking(move || place.complete()).await?;
            built = true;
        }
    }
}

/// Runs what waits for the disk or for a process where waiting holds nobody up.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EnvironmentError> + Send + 'static,
) -> Result<T, EnvironmentError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| EnvironmentError::Cancelled)?
}

/// An environment that is complete. It stays where it is until this, and every clone of it, is dropped.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The interpreter to call.
    pub python: PathBuf,
    /// The environment's root, to be mounted read-only.
    pub root: PathBuf,
    /// Where its packages lie.
    pub site_packages: PathBuf,
    /// Where the standard library lies, outside of the environment.
    pub standard_library: PathBuf,
    /// `major.minor` of the interpreter.
    pub version: (u8, u8),
    /// The interpreter's whole version.
    pub release: String,
    /// Every distribution installed, name as it calls itself and version, sorted.
    pub installed: Vec<(String, String)>,
    prefix: PathBuf,
    #[expect(
        dead_code,
        reason = "held, not read: the shared lock that keeps the environment from being removed"
    )]
    held: Arc<Held>,
}

impl Environment {
    fn read(held: Held, interpreter: Interpreter) -> Result<Self, EnvironmentError> {
        let root = held.root().to_owned();
        let site_packages = installed::site_packages(&root)?;
        let installed = installed::distributions(&site_packages)?;
        Ok(Self {
            python: root.join("bin/python"),
            site_packages,
            standard_library: interpreter.standard_library,
            version: interpreter.version,
            release: interpreter.release,
            installed,
            prefix: interpreter.prefix,
            root,
            held: Arc::new(held),
        })
    }

    /// What a command must be able to read to run in this environment.
    pub fn readable(&self) -> Vec<PathBuf> {
        vec![self.root.clone(), self.prefix.clone()]
    }
}
