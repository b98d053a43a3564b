//! Packages of npm in a directory of their own, built once for what is asked, and shared: `node_modules` of an empty
//! project, or of the project's own manifest.
//!
//! No package's script runs, neither the project's nor that of what it needs (`--ignore-scripts`): an installation only
//! unpacks, and so may write the shared cache of downloads. The project's `.npmrc` is not there when npm runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::sync::Arc;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::super::checkout::hexadecimal;
use super::super::command::{Command, Network};
use super::super::finished::{Ended, Finished};
use super::super::limits::Limits;
use super::super::npm_settings::NpmSettings;
use super::super::program;
use super::shelf::{Held, Reserved};
use super::{EnvironmentError, Environments, Inner, blocking};

/// Changes when an environment built by an older version of this program is not good enough any more.
const GENERATION: u32 = 1;
/// The oldest major version whose test runner takes a reporter, and whose errors have what is read of them.
pub const OLDEST_NODE: u32 = 18;
/// Members of a manifest that say what is installed. Scripts, workspaces and all else stay behind.
const KEPT: [&str; 7] = [
    "name",
    "version",
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
    "overrides",
];

/// What an environment of Node is asked to have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeSpec {
    /// Node's version; its major part counts. The host's default without it.
    pub node: Option<String>,
    /// Packages in npm's notation: `tape@4`, `@scope/name@^1`.
    pub install: Vec<String>,
    /// The project's own manifest, where what it asks for is installed.
    pub project: Option<Manifest>,
}

/// What a project asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// `package.json`.
    pub package: String,
    /// `package-lock.json` or `npm-shrinkwrap.json`, where there is one.
    pub lock: Option<String>,
    /// Whether what only the project's developers need is left out.
    pub without_dev: bool,
}

impl NodeSpec {
    /// Refuses what npm would take for an option, a file or a URL.
    fn check(&self) -> Result<(), EnvironmentError> {
        for requirement in &self.install {
            if !is_requirement(requirement) {
                return Err(EnvironmentError::NotARequirement(requirement.clone()));
            }
        }
        Ok(())
    }

    fn key(&self, node: &Interpreter, settings: &NpmSettings) -> String {
        let mut install = self.install.clone();
        install.sort_unstable();
        install.dedup();
        let project = self
            .project
            .as_ref()
            .map(|project| json!([project.package, project.lock, project.without_dev]).to_string());
        let text = format!(
            "{GENERATION}\n{}\n{install:?}\n{project:?}\n{}",
            node.release,
            settings.which_registry()
        );
        let digest = Sha256::digest(text.as_bytes());
        format!("node{}-{}", node.major, hexadecimal(&digest[..16]))
    }
}

/// A name of npm and a range of versions or a tag behind it; no URL, file, alias or option.
pub(crate) fn is_requirement(text: &str) -> bool {
    let (name, range) = match text.get(1..).and_then(|rest| rest.find('@')) {
        Some(at) => (&text[..=at], text.get(at + 2..)),
        None => (text, None),
    };
    let part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    let named = match name.strip_prefix('@') {
        Some(scoped) => scoped
            .split_once('/')
            .is_some_and(|(scope, name)| part(scope) && part(name)),
        None => part(name),
    };
    let ranged = range.is_none_or(|range| {
        !range.is_empty()
            && range
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-+^~<>=|* ".contains(c))
    });
    named && ranged && text.len() < 512
}

/// A Node of the host.
#[derive(Debug, Clone)]
pub(super) struct Interpreter {
    path: PathBuf,
    release: String,
    major: u32,
    minor: u32,
}

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

/// Where a program that lies outside of the system's own places keeps what belongs to it: `…/bin/node` of `…`.
fn home_of(program: &Path) -> Option<PathBuf> {
    let home = program.parent()?.parent()?;
    (!program.starts_with("/usr") && home != Path::new("/")).then(|| home.to_owned())
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
    pub(in super::super) async fn ask_npm(
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
            return Err(failure(&finished, self.limits));
        }
        Err(failure(&finished, self.limits))
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

/// What of a manifest says what is installed. Packages that are files, links or parts of a workspace are left out: they
/// lie in the project's tree. What is only for development is not told to be left out but taken away, since npm would
/// leave it out even where it is asked for beside the manifest.
fn reduced(package: &str, without_dev: bool) -> String {
    let Ok(Value::Object(manifest)) = serde_json::from_str::<Value>(package) else {
        return r#"{"private":true}"#.to_owned();
    };
    let mut kept = Map::new();
    for (name, value) in manifest {
        if !KEPT.contains(&name.as_str()) || without_dev && name == "devDependencies" {
            continue;
        }
        let value = match value {
            Value::Object(of) if name.ends_with("ependencies") => Value::Object(
                of.into_iter()
                    .filter(|(_, range)| {
                        range.as_str().is_some_and(|range| {
                            !["file:", "link:", "workspace:", "portal:", "."]
                                .iter()
                                .any(|local| range.starts_with(local))
                        })
                    })
                    .collect(),
            ),
            other => other,
        };
        kept.insert(name, value);
    }
    kept.insert("private".to_owned(), Value::Bool(true));
    Value::Object(kept).to_string()
}

/// The manifest without a package that cannot be had; `None` where it does not ask for it.
fn without_package(manifest: &str, requirement: &str) -> Option<String> {
    let name = name_of(requirement);
    let mut manifest: Value = serde_json::from_str(manifest).ok()?;
    let mut found = false;
    for member in [
        "devDependencies",
        "optionalDependencies",
        "peerDependencies",
    ] {
        if let Some(Value::Object(of)) = manifest.get_mut(member) {
            found |= of.remove(name).is_some();
        }
    }
    found.then(|| manifest.to_string())
}

/// The name in front of a requirement: `@scope/name` of `@scope/name@^1`.
pub(crate) fn name_of(requirement: &str) -> &str {
    match requirement.get(1..).and_then(|rest| rest.find('@')) {
        Some(at) => &requirement[..=at],
        None => requirement,
    }
}

/// What npm's failure means. npm names its errors: `npm error code E404`.
fn failure(finished: &Finished, limits: &Limits) -> EnvironmentError {
    match finished.ended {
        Ended::Cancelled => return EnvironmentError::Cancelled,
        Ended::TimedOut => {
            return EnvironmentError::TimedOut {
                seconds: limits.wall.as_secs(),
            };
        }
        ended if ended.overran() => {
            return EnvironmentError::BuildFailed {
                excerpt: format!("the installation {ended}"),
            };
        }
        _ => {}
    }
    let stderr = finished.stderr_text();
    let lines: Vec<&str> = stderr
        .lines()
        .map(|line| {
            line.trim_start_matches("npm ERR! ")
                .trim_start_matches("npm error ")
        })
        .filter(|line| !line.is_empty() && !line.contains("complete log of this run"))
        .collect();
    let code = lines
        .iter()
        .find_map(|line| line.strip_prefix("code "))
        .unwrap_or_default();
    let excerpt = lines[..lines.len().min(12)].join("\n");
    match code {
        "E404" | "ETARGET" | "EBADENGINE" => EnvironmentError::NoMatchingDistribution {
            requirement: not_found(&lines).unwrap_or(excerpt),
        },
        "ERESOLVE" => EnvironmentError::Conflict { excerpt },
        "ENOTFOUND" | "ECONNREFUSED" | "ECONNRESET" | "ETIMEDOUT" | "EAI_AGAIN"
        | "ERR_SOCKET_TIMEOUT" | "E502" | "E503" | "E504" | "EIDLETIMEOUT" => {
            EnvironmentError::Unreachable { excerpt }
        }
        _ => EnvironmentError::BuildFailed { excerpt },
    }
}

/// `404  'no-such@*' is not in this registry`, `notarget No matching version found for x@99.`
fn not_found(lines: &[&str]) -> Option<String> {
    lines.iter().find_map(|line| {
        let quoted = line
            .split_once('\'')
            .and_then(|(_, rest)| rest.split_once('\''))
            .filter(|(_, behind)| {
                behind.contains("is not in") || behind.contains("could not be found")
            })
            .map(|(name, _)| name);
        let named = line
            .split_once("No matching version found for ")
            .map(|(_, rest)| rest.trim_end_matches('.').split(' ').next().unwrap_or(rest))
            .map(|name| name.trim_end_matches('.'));
        quoted.or(named).map(str::to_owned)
    })
}

/// npm's own script.
fn npm() -> Option<PathBuf> {
    let path = program::find("npm")?.canonicalize().ok()?;
    (path.extension().is_some_and(|extension| extension == "js")).then_some(path)
}

/// The Node that is asked for: the one on the path, or one that a version manager keeps.
fn find(wanted: Option<&str>) -> Result<Interpreter, EnvironmentError> {
    let major = wanted.and_then(|version| version.split('.').next()?.parse::<u32>().ok());
    let mut seen = Vec::new();
    for path in candidates() {
        let Some(node) = ask(&path) else { continue };
        if major.map_or(node.major >= OLDEST_NODE, |major| node.major == major) {
            return Ok(node);
        }
        seen.push(node.release);
    }
    seen.dedup();
    let here = if seen.is_empty() {
        "there is none here; on Debian it is the package nodejs".to_owned()
    } else {
        format!("there is {} here", seen.join(", "))
    };
    Err(EnvironmentError::NoNode(match wanted {
        Some(version) => format!("the tests ask for Node {version}, and {here}"),
        None => format!("the tests need Node {OLDEST_NODE} or newer, and {here}"),
    }))
}

fn candidates() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = program::directories()
        .into_iter()
        .flat_map(|directory| [directory.join("node"), directory.join("nodejs")])
        .collect();
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let managed = [
        std::env::var_os("NVM_DIR")
            .map(PathBuf::from)
            .or_else(|| Some(home.as_ref()?.join(".nvm")))
            .map(|root| root.join("versions/node")),
        home.as_ref()
            .map(|home| home.join(".local/share/fnm/node-versions")),
        Some(PathBuf::from("/opt")),
    ];
    for root in managed.into_iter().flatten() {
        let mut versions: Vec<PathBuf> = root
            .read_dir()
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .flat_map(|place| [place.join("bin/node"), place.join("installation/bin/node")])
            .collect();
        versions.sort();
        versions.reverse();
        found.extend(versions);
    }
    found.retain(|path| program::is_executable(path));
    found
}

/// Asks an executable of the host what it is.
fn ask(path: &Path) -> Option<Interpreter> {
    let output = Process::new(path)
        .arg("--version")
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let release = String::from_utf8(output.stdout).ok()?;
    let release = release.trim().strip_prefix('v')?.to_owned();
    let mut numbers = release.split('.').map_while(|part| part.parse().ok());
    let (major, minor) = (numbers.next()?, numbers.next()?);
    Some(Interpreter {
        path: path.canonicalize().ok()?,
        release,
        major,
        minor,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_ranges_are_requirements() {
        for good in [
            "tape",
            "tape@4",
            "@scope/name",
            "@scope/name@^1.2.3",
            "x@>=1 <3",
            "x@1.0.0-rc.1",
            "lodash.get",
            "core-js@2",
            "x@latest",
        ] {
            assert!(is_requirement(good), "{good}");
        }
        for bad in [
            "",
            "-g",
            "--registry=https://evil.example",
            "./x",
            "../x",
            "/etc",
            "x@file:../y",
            "x@https://evil.example/x.tgz",
            "git+ssh://evil.example/x",
            "user/repo",
            "x@npm:y",
            "@scope",
            "@/x",
            "x@",
            "x\n--global",
        ] {
            assert!(!is_requirement(bad), "{bad}");
        }
    }

    #[test]
    fn of_a_manifest_only_what_is_installed_is_kept_and_nothing_that_runs_or_is_a_file() {
        let kept = reduced(
            r#"{"name":"x","scripts":{"preinstall":"curl evil"},"workspaces":["a"],"dependencies":{"a":"^1","b":"file:../../etc","c":"workspace:*"}}"#,
            false,
        );
        let kept: Value = serde_json::from_str(&kept).unwrap();
        assert_eq!(
            kept,
            json!({"name": "x", "dependencies": {"a": "^1"}, "private": true})
        );
        assert_eq!(reduced("nonsense", false), r#"{"private":true}"#);
        let without = reduced(r#"{"devDependencies":{"a":"1"}}"#, true);
        assert_eq!(without, r#"{"private":true}"#);
    }

    #[test]
    fn what_npm_cannot_find_is_named() {
        let lines = [
            "code E404",
            "404 Not Found - GET x",
            "404  'no-such@*' is not in this registry.",
        ];
        assert_eq!(not_found(&lines).as_deref(), Some("no-such@*"));
        let lines = [
            "code ETARGET",
            "notarget No matching version found for tape@99.",
        ];
        assert_eq!(not_found(&lines).as_deref(), Some("tape@99"));
        assert_eq!(name_of("@a/b@1"), "@a/b");
        assert_eq!(name_of("@a/b"), "@a/b");
        assert_eq!(name_of("a@1"), "a");
    }

    #[test]
    fn a_node_that_is_not_here_is_refused_with_those_that_are() {
        let error = find(Some("99")).unwrap_err().to_string();
        assert!(
            error.starts_with("the tests ask for Node 99, and there is "),
            "{error}"
        );
    }
}
