//! Packages of npm in a directory of their own, built once for what is asked, and shared: `node_modules` of an empty
//! project, or of the project's own manifest.
//!
//! No package's script runs, neither the project's nor that of what it needs (`--ignore-scripts`): an installation only
//! unpacks, and so may write the shared cache of downloads. The project's `.npmrc` is not there when npm runs.

mod failure;
mod interpreter;
mod spec;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::super::command::{Command, Network};
use super::super::finished::{Ended, Finished};
use super::super::limits::Limits;
use super::super::npm_settings::NpmSettings;
use super::shelf::{Held, Reserved};
use super::{EnvironmentError, Environments, Inner, blocking};
use interpreter::{Interpreter, find, home_of, npm};
use spec::{reduced, without_package};

pub use spec::{Manifest, NodeSpec};
pub(crate) use spec::{is_requirement, name_of};

/// An environment that is complete. It stays where it is until this, and every clone of it, is dropped.
#[derive(Debug, Clone)]
pub struct NodeEnvironment {
    /// The program to call.
    pub node: PathBuf,
    /// Its whole version: `20.20.2`.
    pub release: String,
    /// Major and minor version.
    pub version: (u32, u32),
    /// The environment's root, to be mounted read-only.
    pub root: PathBuf,
    /// Where its packages lie.
    pub modules: PathBuf,
    /// Every package at the top, name and version, sorted.
    pub installed: Vec<(String, String)>,
    /// What was left out because it cannot be had, one sentence; none where all was installed.
    pub left_out: Option<String>,
    #[expect(
        dead_code,
        reason = "held, not read: the shared lock that keeps the environment from being removed"
    )]
    held: Arc<Held>,
}

impl NodeEnvironment {
    /// What a command must be able to read to run in this environment.
    pub fn readable(&self) -> Vec<PathBuf> {
        let mut paths = vec![self.root.clone()];
        paths.extend(home_of(&self.node));
        paths
    }

    /// The file that a package's command runs, below [`Self::modules`]; `None` where it is not installed.
    pub fn program(&self, package: &str, command: &str) -> Option<PathBuf> {
        let place = self.modules.join(package);
        let manifest = read_json(&place.join("package.json"))?;
        let file = match manifest.get("bin")? {
            Value::String(file) => file.clone(),
            Value::Object(bins) => bins.get(command)?.as_str()?.to_owned(),
            _ => return None,
        };
        let path = place.join(file);
        path.is_file().then_some(path)
    }
}

impl Environments {
    /// An environment with what is asked for, built now or earlier, here or by another worker of this host.
    ///
    /// # Errors
    /// See [`EnvironmentError::is_transient`] for those that trying again may cure.
    pub async fn prepare_node(
        &self,
        spec: &NodeSpec,
        settings: &NpmSettings,
        limits: &Limits,
        cancel: &CancellationToken,
    ) -> Result<NodeEnvironment, EnvironmentError> {
        spec.check()?;
        let node = {
            let wanted = spec.node.clone();
            blocking(move || find(wanted.as_deref())).await?
        };
        let key = spec.key(&node, settings);
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
                return Ok(read(held, &node));
            }
            let Some(place) = kept.reserve(&key, cancel).await? else {
                continue;
            };
            let build = Build {
                inner: &self.inner,
                settings,
                node: &node,
                limits,
                cancel,
            };
            build.run(&place, spec).await?;
            blocking(move || place.complete()).await?;
            is_new = true;
        }
    }

    /// Asks the registry what versions of a package there are: npm's own answer, as JSON.
    pub(in super::super::super) async fn ask_npm(
        &self,
        settings: &NpmSettings,
        package: &str,
    ) -> Result<Finished, EnvironmentError> {
        let cancel = CancellationToken::new();
        let node = blocking(|| find(None)).await?;
        let limits = Limits {
            wall: std::time::Duration::from_mins(1),
            ..Limits::for_installation()
        };
        let build = Build {
            inner: &self.inner,
            settings,
            node: &node,
            limits: &limits,
            cancel: &cancel,
        };
        let place = tempfile::TempDir::with_prefix("maestro-npm-").map_err(|source| {
            EnvironmentError::Io {
                path: std::env::temp_dir(),
                source,
            }
        })?;
        let words = ["view", package, "versions", "dist-tags.latest", "--json"];
        let command = build.npm(&words.map(str::to_owned), place.path())?;
        Ok(self.inner.sandbox.run(&command, &cancel).await?)
    }
}

struct Build<'a> {
    inner: &'a Inner,
    settings: &'a NpmSettings,
    node: &'a Interpreter,
    limits: &'a Limits,
    cancel: &'a CancellationToken,
}

impl Build<'_> {
    async fn run(&self, place: &Reserved, spec: &NodeSpec) -> Result<(), EnvironmentError> {
        let root = place.root();
        let write = |name: &str, text: &str| {
            let path = root.join(name);
            std::fs::write(&path, text).map_err(|source| EnvironmentError::Io { path, source })
        };
        let empty = Manifest {
            package: "{}".to_owned(),
            ..Manifest::default()
        };
        let manifest = spec.project.as_ref().unwrap_or(&empty);
        let kept = reduced(&manifest.package, manifest.without_dev);
        write("package.json", &kept)?;
        if spec.project.is_none() && spec.install.is_empty() {
            return make_modules(root);
        }
        let locked = manifest.lock.as_deref().filter(|_| !manifest.without_dev);
        if let Some(lock) = locked {
            write("package-lock.json", lock)?;
            let done = self.install(root, &["ci".to_owned()]).await;
            match done {
                Ok(()) if spec.install.is_empty() => return make_modules(root),
                Ok(()) => {}
                Err(
                    error @ (EnvironmentError::Unreachable { .. } | EnvironmentError::Cancelled),
                ) => {
                    return Err(error);
                }
                // A lock that does not fit its manifest says nothing.
                Err(_) => {
                    place.clear()?;
                    write("package.json", &kept)?;
                }
            }
        }
        let mut words = vec!["install".to_owned(), "--no-save".to_owned()];
        words.push("--".to_owned());
        words.extend(spec.install.iter().cloned());
        let result = self.install(root, &words).await;
        let Err(EnvironmentError::NoMatchingDistribution { requirement }) = &result else {
            return result.and_then(|()| make_modules(root));
        };
        // One package that is gone is no reason to have none of the others.
        let Some(without) = spec
            .project
            .as_ref()
            .and_then(|_| without_package(&kept, requirement))
        else {
            return result;
        };
        place.clear()?;
        write("package.json", &without)?;
        write("left-out", requirement)?;
        self.install(root, &words).await?;
        make_modules(root)
    }

    async fn install(&self, root: &Path, words: &[String]) -> Result<(), EnvironmentError> {
        let finished = self.once(root, words, false).await?;
        if finished.ended.succeeded() {
            return Ok(());
        }
        // What a package wants of its peers may contradict what the project asks for, and work all the same.
        if finished.stderr_text().contains("ERESOLVE") {
            let finished = self.once(root, words, true).await?;
            if finished.ended.succeeded() {
                return Ok(());
            }
            return Err(failure::read(&finished, self.limits));
        }
        Err(failure::read(&finished, self.limits))
    }

    async fn once(
        &self,
        root: &Path,
        words: &[String],
        any_peers: bool,
    ) -> Result<Finished, EnvironmentError> {
        let mut command = self.npm(words, root)?;
        if any_peers {
            command
                .variables
                .insert("npm_config_legacy_peer_deps".to_owned(), "true".to_owned());
        }
        let finished = self.inner.sandbox.run(&command, self.cancel).await?;
        if finished.ended == Ended::Cancelled {
            return Err(EnvironmentError::Cancelled);
        }
        Ok(finished)
    }

    /// npm in a directory, with the network, and with nothing else to write but the shared cache.
    fn npm(&self, words: &[String], directory: &Path) -> Result<Command, EnvironmentError> {
        let script = npm().ok_or_else(|| {
            EnvironmentError::NoNode(
                "there is no npm here, which the tests of a Node project need; on Debian that is the package npm"
                    .to_owned(),
            )
        })?;
        let cache = self.inner.downloads()?.join("npm");
        std::fs::create_dir_all(&cache).map_err(|source| EnvironmentError::Io {
            path: cache.clone(),
            source,
        })?;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut argv = vec![text(&self.node.path), text(&script)];
        argv.extend(words.iter().cloned());
        let mut variables: BTreeMap<String, String> = self.settings.variables().clone();
        for (name, value) in [
            ("npm_config_cache", text(&cache).as_str()),
            ("npm_config_ignore_scripts", "true"),
            ("npm_config_audit", "false"),
            ("npm_config_fund", "false"),
            ("npm_config_update_notifier", "false"),
            ("npm_config_progress", "false"),
            ("npm_config_fetch_retries", "1"),
            ("npm_config_loglevel", "error"),
            ("npm_config_package_lock", "true"),
            ("npm_config_workspaces", "false"),
        ] {
            variables.insert(name.to_owned(), value.to_owned());
        }
        let mut readable = self.settings.paths();
        readable.extend(home_of(&self.node.path));
        readable.extend(script.ancestors().nth(2).map(Path::to_owned));
        Ok(Command {
            variables,
            readable,
            writable: vec![directory.to_owned(), cache],
            network: Network::Host,
            limits: Limits {
                processes: 1024,
                open_files: 8192,
                ..self.limits.clone()
            },
            ..Command::new(argv, directory)
        })
    }
}

fn make_modules(root: &Path) -> Result<(), EnvironmentError> {
    let path = root.join("node_modules");
    std::fs::create_dir_all(&path).map_err(|source| EnvironmentError::Io { path, source })
}

fn read(held: Held, node: &Interpreter) -> NodeEnvironment {
    let root = held.root().to_owned();
    let modules = root.join("node_modules");
    let left_out = std::fs::read_to_string(root.join("left-out"))
        .ok()
        .map(|package| format!("`{package}` cannot be had and was left out"));
    NodeEnvironment {
        node: node.path.clone(),
        release: node.release.clone(),
        version: (node.major, node.minor),
        installed: packages(&modules),
        left_out,
        modules,
        root,
        held: Arc::new(held),
    }
}

/// Every package directly in `node_modules`, with its version, sorted.
fn packages(modules: &Path) -> Vec<(String, String)> {
    let list = |directory: &Path| -> Vec<String> {
        directory
            .read_dir()
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| !name.starts_with('.'))
            .collect()
    };
    let mut found = Vec::new();
    for name in list(modules) {
        let names = if name.starts_with('@') {
            list(&modules.join(&name))
                .into_iter()
                .map(|inner| format!("{name}/{inner}"))
                .collect()
        } else {
            vec![name]
        };
        for name in names {
            let version = read_json(&modules.join(&name).join("package.json"))
                .and_then(|manifest| Some(manifest.get("version")?.as_str()?.to_owned()));
            found.extend(version.map(|version| (name, version)));
        }
    }
    found.sort();
    found
}

/// A JSON file that a stranger's package brought: a regular one of no more than a manifest's size.
fn read_json(path: &Path) -> Option<Value> {
    let of = path.symlink_metadata().ok()?;
    if !of.is_file() || of.len() > 1 << 20 {
        return None;
    }
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}
