//! The crates of a Rust project in a directory of their own, brought together once for what its manifests and its lock
//! file say, and shared: sources alone, as `cargo vendor` lays them out.
//!
//! Bringing them together runs nobody's code, neither the project's nor a crate's: build scripts and procedural macros run
//! when the tests are built, without network. The project's `.cargo/config.toml` is not read then, and crates come
//! from registries alone: no repository that a manifest names is fetched.

mod failure;
mod toolchain;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::super::cargo_settings::CargoSettings;
use super::super::checkout::{copy_of, hexadecimal};
use super::super::command::{Command, Network, SYSTEM_PROGRAMS};
use super::super::finished::Finished;
use super::super::limits::Limits;
use super::shelf::{Held, Reserved};
use super::{EnvironmentError, Environments, Inner, blocking};
use toolchain::find;

pub(crate) use failure::excerpt;
pub use toolchain::Toolchain;

/// Changes when an environment built by an older version of this program is not good enough any more.
const GENERATION: u32 = 1;
/// The name of every lock file.
const LOCK: &str = "Cargo.lock";
/// Where crates come from when nothing else is said.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// More manifests than this are not read for the key of an environment.
const MOST_MANIFESTS: usize = 2_000;

/// A tree whose crates are wanted: it is read, never written.
#[derive(Debug, Clone)]
pub struct RustProject {
    /// The repository's root.
    pub root: PathBuf,
    /// The directory in it whose manifest counts.
    pub project: PathBuf,
    /// The toolchain that the message or the project asks for: `nightly`, `1.80`.
    pub channel: Option<String>,
}

/// An environment that is complete. It stays where it is until this, and every clone of it, is dropped.
#[derive(Debug, Clone)]
pub struct RustEnvironment {
    /// What compiles.
    pub toolchain: Toolchain,
    /// The environment's root, to be mounted read-only.
    pub root: PathBuf,
    /// The configuration by which cargo finds the crates; none where there are none.
    pub config: Option<PathBuf>,
    /// The lock file that goes with them: its path below the repository's root, and its text.
    pub lock: Option<(PathBuf, Vec<u8>)>,
    /// The workspace's directory below the repository's root.
    pub workspace: PathBuf,
    /// Every crate from a registry, name and version, sorted.
    pub installed: Vec<(String, String)>,
    /// The packages of the project's own: name, and directory below the repository's root.
    pub members: Vec<(String, PathBuf)>,
    #[expect(
        dead_code,
        reason = "held, not read: the shared lock that keeps the environment from being removed"
    )]
    held: Arc<Held>,
}

impl RustEnvironment {
    /// What a command must be able to read to run in this environment.
    pub fn readable(&self) -> Vec<PathBuf> {
        let mut paths = vec![self.root.clone()];
        if !self.toolchain.sysroot.starts_with("/usr") {
            paths.push(self.toolchain.sysroot.clone());
        }
        paths
    }
}

impl Environments {
    /// An environment with what a project asks for, built now or earlier, here or by another worker of this host.
    ///
    /// # Errors
    /// [`EnvironmentError::Conflict`] where its manifests or its lock file cannot be met; see
    /// [`EnvironmentError::is_transient`] for those that trying again may cure.
    pub async fn prepare_rust(
        &self,
        project: &RustProject,
        settings: &CargoSettings,
        limits: &Limits,
        cancel: &CancellationToken,
    ) -> Result<RustEnvironment, EnvironmentError> {
        let toolchain = self.toolchain(project.channel.as_deref()).await?;
        let key = {
            let (project, toolchain, settings) =
                (project.clone(), toolchain.clone(), settings.clone());
            blocking(move || key(&project, &toolchain, &settings)).await?
        };
        let kept = &self.inner.shelf;
        let mut is_new = false;
        loop {
            if let Some(held) = kept.borrow(&key, cancel).await? {
                if is_new {
                    let kept = kept.clone();
                    blocking(move || {
                        kept.make_room();
                        Ok(())
                    })
                    .await?;
                }
                return blocking(move || read(held, toolchain)).await;
            }
            let Some(place) = kept.reserve(&key, cancel).await? else {
                continue;
            };
            let build = Build {
                inner: &self.inner,
                settings,
                toolchain: &toolchain,
                limits,
                cancel,
            };
            build.run(&place, project).await?;
            blocking(move || place.complete()).await?;
            is_new = true;
        }
    }

    /// The Rust of this host.
    ///
    /// # Errors
    /// When there is none.
    pub async fn toolchain(&self, channel: Option<&str>) -> Result<Toolchain, EnvironmentError> {
        let channel = channel.map(str::to_owned);
        blocking(move || find(channel.as_deref())).await
    }

    /// Has cargo resolve a crate's newest version, by which its index comes into the shared cache: the directory of that
    /// cache, and how cargo ended.
    pub(in super::super::super) async fn resolve_crate(
        &self,
        settings: &CargoSettings,
        name: &str,
    ) -> Result<(PathBuf, Finished, String), EnvironmentError> {
        let cancel = CancellationToken::new();
        let toolchain = self.toolchain(None).await?;
        let limits = Limits {
            wall: std::time::Duration::from_mins(1),
            ..Limits::for_installation()
        };
        let build = Build {
            inner: &self.inner,
            settings,
            toolchain: &toolchain,
            limits: &limits,
            cancel: &cancel,
        };
        let place = tempfile::TempDir::with_prefix("maestro-crate-").map_err(|source| {
            EnvironmentError::Io {
                path: std::env::temp_dir(),
                source,
            }
        })?;
        let (major, minor) = toolchain.version;
        let manifest = format!(
            "[package]\nname = \"maestro-asks\"\nversion = \"0.0.0\"\nedition = \"2021\"\nresolver = \"3\"\nrust-version = \"{major}.{minor}\"\n\n[dependencies]\n{name} = \"*\"\n"
        );
        let write = |path: PathBuf, text: &str| {
            path.parent()
                .map_or(Ok(()), std::fs::create_dir_all)
                .and_then(|()| std::fs::write(&path, text))
                .map_err(|source| EnvironmentError::Io { path, source })
        };
        write(place.path().join("Cargo.toml"), &manifest)?;
        write(place.path().join("src/lib.rs"), "")?;
        let words = ["generate-lockfile".to_owned()];
        let finished = build
            .cargo(&words, place.path(), place.path(), Network::Host)
            .await?;
        let lock = std::fs::read_to_string(place.path().join(LOCK)).unwrap_or_default();
        Ok((build.home()?, finished, lock))
    }
}

/// What makes two requests the same: the toolchain, the registries, and every manifest and lock file of the tree.
fn key(
    project: &RustProject,
    toolchain: &Toolchain,
    settings: &CargoSettings,
) -> Result<String, EnvironmentError> {
    let mut digest = Sha256::new();
    let below = project
        .project
        .strip_prefix(&project.root)
        .unwrap_or(Path::new(""));
    digest.update(format!(
        "{GENERATION}\n{}\n{}\n{}\n{}\n",
        toolchain.release,
        toolchain.host,
        settings.which_registry(),
        below.display()
    ));
    let mut pending = vec![project.root.clone()];
    let mut found = Vec::new();
    while let Some(directory) = pending.pop() {
        let failed = |source| EnvironmentError::Io {
            path: directory.clone(),
            source,
        };
        for entry in directory.read_dir().map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            let name = entry.file_name();
            if kind.is_dir() {
                pending.push(entry.path());
            } else if kind.is_file() && (name == "Cargo.toml" || name == LOCK) {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    for path in found.into_iter().take(MOST_MANIFESTS) {
        let text = std::fs::read(&path).map_err(|source| EnvironmentError::Io {
            path: path.clone(),
            source,
        })?;
        let name = path.strip_prefix(&project.root).unwrap_or(&path);
        digest.update(name.as_os_str().as_encoded_bytes());
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text);
    }
    let digest = digest.finalize();
    Ok(format!("rust-{}", hexadecimal(&digest[..16])))
}

struct Build<'a> {
    inner: &'a Inner,
    settings: &'a CargoSettings,
    toolchain: &'a Toolchain,
    limits: &'a Limits,
    cancel: &'a CancellationToken,
}

impl Build<'_> {
    async fn run(&self, place: &Reserved, project: &RustProject) -> Result<(), EnvironmentError> {
        let root = place.root();
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| EnvironmentError::Io { path, source }
        };
        let tree = root.join("tree");
        {
            let (from, to) = (project.root.clone(), tree.clone());
            blocking(move || {
                copy_of(&from, &to).map_err(|error| EnvironmentError::Project {
                    tree: from.clone(),
                    why: error.to_string(),
                })
            })
            .await?;
        }
        let below = project
            .project
            .strip_prefix(&project.root)
            .unwrap_or(Path::new(""));
        let manifest = tree.join(below).join("Cargo.toml");
        let manifest = manifest.display().to_string();
        let metadata = |more: &[&str]| -> Vec<String> {
            [
                "metadata",
                "--format-version=1",
                "--manifest-path",
                &manifest,
            ]
            .iter()
            .chain(more)
            .map(|&word| word.to_owned())
            .collect()
        };
        // What needs no crate needs no network. One that another project had fetched is not there for this one yet.
        let words = metadata(&["--offline"]);
        let mut finished = self.cargo(&words, root, root, Network::None).await?;
        let whole =
            finished.ended.succeeded() && Resolved::read(&finished.stdout, &tree).crates.is_empty();
        if !whole {
            let words = metadata(&["--no-deps", "--offline"]);
            let listed = self.cargo(&words, root, root, Network::None).await?;
            if !listed.ended.succeeded() {
                return Err(failure::read(&listed, self.limits));
            }
            if let Some(why) = self.foreign(&listed.stdout) {
                return Err(EnvironmentError::Project {
                    tree: below.to_owned(),
                    why,
                });
            }
            self.vendor(root, &manifest).await?;
            let config = root.join("config.toml").display().to_string();
            let words = metadata(&["--offline", "--config", &config]);
            finished = self.cargo(&words, root, root, Network::None).await?;
        }
        if !finished.ended.succeeded() {
            return Err(failure::read(&finished, self.limits));
        }
        let resolved = Resolved::read(&finished.stdout, &tree);
        let lock = tree.join(&resolved.workspace).join(LOCK);
        let said = serde_json::to_string(&resolved).unwrap_or_default();
        let file = root.join("resolved.json");
        std::fs::write(&file, said).map_err(io(&file))?;
        if let Ok(text) = std::fs::read(&lock) {
            let file = root.join(LOCK);
            std::fs::write(&file, text).map_err(io(&file))?;
        }
        std::fs::remove_dir_all(&tree).map_err(io(&tree))
    }

    /// Fetches the crates and lays their sources out below `root`.
    async fn vendor(&self, root: &Path, manifest: &str) -> Result<(), EnvironmentError> {
        let place = root.join("vendor").display().to_string();
        let words = [
            "vendor",
            "--respect-source-config",
            "--versioned-dirs",
            "--manifest-path",
            manifest,
            &place,
        ]
        .map(str::to_owned);
        let finished = self.cargo(&words, root, root, Network::Host).await?;
        if !finished.ended.succeeded() {
            return Err(failure::read(&finished, self.limits));
        }
        let path = root.join("config.toml");
        std::fs::write(&path, &finished.stdout)
            .map_err(|source| EnvironmentError::Io { path, source })?;
        let vendor = root.join("vendor");
        if !vendor.is_dir() {
            return Ok(());
        }
        blocking(move || {
            readable(&vendor).map_err(|source| EnvironmentError::Io {
                path: vendor.clone(),
                source,
            })
        })
        .await
    }

    /// What a manifest asks for that no registry of this worker has; one sentence.
    fn foreign(&self, metadata: &[u8]) -> Option<String> {
        let metadata: Value = serde_json::from_slice(metadata).ok()?;
        let known = |source: &str| {
            let index = source
                .strip_prefix("registry+")
                .unwrap_or(source)
                .to_owned();
            source == CRATES_IO
                || self
                    .settings
                    .which_registry()
                    .contains(index.trim_start_matches("sparse+"))
        };
        metadata["packages"]
            .as_array()?
            .iter()
            .filter_map(|package| package["dependencies"].as_array())
            .flatten()
            .find_map(|dependency| {
                let source = dependency["source"].as_str()?;
                let name = dependency["name"].as_str().unwrap_or_default();
                if source.starts_with("git+") {
                    Some(format!(
                        "`{name}` comes from a repository, and only crates of a registry are fetched"
                    ))
                } else if known(source) {
                    None
                } else {
                    Some(format!(
                        "`{name}` comes from a registry that this worker is not configured for"
                    ))
                }
            })
    }

    /// What cargo keeps between projects. No code of anybody runs where it is writable.
    fn home(&self) -> Result<PathBuf, EnvironmentError> {
        let home = self.inner.downloads()?.join("cargo");
        std::fs::create_dir_all(&home).map_err(|source| EnvironmentError::Io {
            path: home.clone(),
            source,
        })?;
        Ok(home)
    }

    /// Runs cargo where no project's configuration is.
    async fn cargo(
        &self,
        words: &[String],
        directory: &Path,
        writable: &Path,
        network: Network,
    ) -> Result<Finished, EnvironmentError> {
        let mut argv = vec![self.toolchain.cargo.display().to_string()];
        if let Some(file) = self.settings.file() {
            argv.extend(["--config".to_owned(), file.display().to_string()]);
        }
        argv.extend(words.iter().cloned());
        let home = self.home()?;
        let path = format!("{}:{SYSTEM_PROGRAMS}", self.toolchain.programs().display());
        let mut variables: BTreeMap<String, String> = self.settings.variables().clone();
        for (name, value) in [
            ("CARGO_HOME", home.display().to_string().as_str()),
            ("PATH", path.as_str()),
            ("CARGO_TERM_COLOR", "never"),
            ("CARGO_TERM_PROGRESS_WHEN", "never"),
            // Repositories are not fetched: git itself refuses every way to one.
            ("CARGO_NET_GIT_FETCH_WITH_CLI", "true"),
            ("GIT_ALLOW_PROTOCOL", "none"),
            ("GIT_TERMINAL_PROMPT", "0"),
        ] {
            variables.insert(name.to_owned(), value.to_owned());
        }
        let mut readable = self.settings.paths();
        if !self.toolchain.sysroot.starts_with("/usr") {
            readable.push(self.toolchain.sysroot.clone());
        }
        let command = Command {
            variables,
            readable,
            writable: vec![writable.to_owned(), home],
            network,
            limits: Limits {
                processes: 1024,
                open_files: 8192,
                output_bytes: 32 << 20,
                ..self.limits.clone()
            },
            ..Command::new(argv, directory)
        };
        Ok(self.inner.sandbox.run(&command, self.cancel).await?)
    }
}

/// Lets everybody read a tree: a crate may have been packed from files that only their author could read, and runs
/// belong to other users than installations do. Links are left as they are.
fn readable(root: &Path) -> std::io::Result<()> {
    let mut pending = vec![root.to_owned()];
    while let Some(path) = pending.pop() {
        let of = path.symlink_metadata()?;
        let mode = of.permissions().mode();
        let wanted = if of.is_dir() {
            pending.extend(
                path.read_dir()?
                    .map(|entry| Ok(entry?.path()))
                    .collect::<std::io::Result<Vec<_>>>()?,
            );
            mode | 0o555
        } else if of.is_file() {
            mode | 0o444
        } else {
            continue;
        };
        if wanted != mode {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(wanted))?;
        }
    }
    Ok(())
}

/// What cargo says of a project whose crates are there.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Resolved {
    /// The workspace's directory below the tree.
    workspace: PathBuf,
    crates: Vec<(String, String)>,
    members: Vec<(String, PathBuf)>,
}

impl Resolved {
    /// Reads `cargo metadata` (<https://doc.rust-lang.org/cargo/commands/cargo-metadata.html>).
    fn read(metadata: &[u8], tree: &Path) -> Self {
        let metadata: Value = serde_json::from_slice(metadata).unwrap_or_default();
        let below = |path: &str| Path::new(path).strip_prefix(tree).map(Path::to_owned).ok();
        let mut resolved = Self {
            workspace: metadata["workspace_root"]
                .as_str()
                .and_then(below)
                .unwrap_or_default(),
            ..Self::default()
        };
        for package in metadata["packages"].as_array().into_iter().flatten() {
            let text = |member: &str| package[member].as_str().map(str::to_owned);
            let Some(name) = text("name") else { continue };
            if package["source"].is_string() {
                let version = text("version").unwrap_or_default();
                resolved.crates.push((name, version));
            } else if let Some(manifest) = text("manifest_path").and_then(|path| below(&path)) {
                let directory = manifest.parent().unwrap_or(Path::new("")).to_owned();
                resolved.members.push((name, directory));
            }
        }
        resolved.crates.sort();
        resolved
    }
}

fn read(held: Held, toolchain: Toolchain) -> Result<RustEnvironment, EnvironmentError> {
    let root = held.root().to_owned();
    let file = root.join("resolved.json");
    let io = |source| EnvironmentError::Io {
        path: file.clone(),
        source,
    };
    let text = std::fs::read_to_string(&file).map_err(io)?;
    let resolved: Resolved =
        serde_json::from_str(&text).map_err(|error| io(std::io::Error::other(error)))?;
    let lock = std::fs::read(root.join(LOCK))
        .ok()
        .map(|text| (resolved.workspace.join(LOCK), text));
    let config = root.join("config.toml");
    Ok(RustEnvironment {
        toolchain,
        config: config.is_file().then_some(config),
        lock,
        workspace: resolved.workspace,
        installed: resolved.crates,
        members: resolved.members,
        root,
        held: Arc::new(held),
    })
}
