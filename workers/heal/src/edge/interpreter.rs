//! The Python interpreters of the host, wherever its ways of installing them put them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;

use super::program;

/// The oldest version that environments can be made for: `venv` with a pip that can be brought up to date.
const OLDEST: (u8, u8) = (3, 6);

/// One installed interpreter, `CPython` or compatible with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    /// The executable itself: no link, no shim, not inside a virtual environment.
    pub path: PathBuf,
    /// Where it is installed: what a sandbox must see for it to run.
    pub prefix: PathBuf,
    /// Where its standard library lies.
    pub standard_library: PathBuf,
    /// `major.minor`.
    pub version: (u8, u8),
    /// The whole version, such as `3.13.0` or `3.14.0rc1`, with the implementation's name in front when that is not
    /// `CPython`. Two interpreters of equal release can share an environment's key.
    pub release: String,
}

/// Why there is no interpreter.
#[derive(Debug, Clone, thiserror::Error)]
pub enum InterpreterError {
    /// None of the version asked for.
    #[error(
        "there is no Python {asked} here; there is {there}: ask for one of them, or install it (for example with \
             `uv python install {asked}`)"
    )]
    NotFound {
        /// What was asked for.
        asked: String,
        /// Those that exist, as a sentence's part.
        there: String,
    },
    /// What was asked for is no version.
    #[error("`{0}` is not a version of Python of the form 3.11")]
    NotAVersion(String),
}

/// The interpreters of this host, each asked once what it is.
#[derive(Debug, Clone, Default)]
pub struct Interpreters {
    known: Arc<Mutex<HashMap<PathBuf, Option<Interpreter>>>>,
    listed: Arc<Mutex<Option<Vec<Interpreter>>>>,
}

impl Interpreters {
    /// Nothing is looked for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Finds an interpreter of a version, `3.11` or `3.11.7`; the first `python3` of the `PATH` when none is asked for.
    ///
    /// # Errors
    /// When there is none, naming those that there are.
    pub fn find(&self, version: Option<&str>) -> Result<Interpreter, InterpreterError> {
        let Some(asked) = version.map(str::trim) else {
            let names = ["python3", "python"];
            let on_path = candidates_on_path(&names)
                .into_iter()
                .find_map(|path| self.ask(&path));
            return on_path
                .or_else(|| self.list().into_iter().next())
                .ok_or_else(|| self.not_found("3"));
        };
        let mut numbers = asked.split('.');
        let number = |text: Option<&str>| text.and_then(|text| text.parse::<u8>().ok());
        let (Some(major), Some(minor)) = (number(numbers.next()), number(numbers.next())) else {
            return Err(InterpreterError::NotAVersion(asked.to_owned()));
        };
        let whole = numbers.next().is_some();
        let fits = |found: &Interpreter| {
            found.version == (major, minor) && (!whole || found.release == asked)
        };
        let named = [
            format!("python{major}.{minor}"),
            "python3".to_owned(),
            "python".to_owned(),
        ];
        let on_path = candidates_on_path(&named.each_ref().map(String::as_str));
        on_path
            .into_iter()
            .filter_map(|path| self.ask(&path))
            .find(fits)
            .or_else(|| self.list().into_iter().find(fits))
            .ok_or_else(|| self.not_found(asked))
    }

    /// All that were found, newest version first, one of each release.
    pub fn list(&self) -> Vec<Interpreter> {
        if let Some(listed) = self
            .listed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
        {
            return listed.clone();
        }
        let mut found: Vec<Interpreter> = Vec::new();
        for path in everywhere() {
            if let Some(interpreter) = self.ask(&path)
                && !found
                    .iter()
                    .any(|known| known.release == interpreter.release)
            {
                found.push(interpreter);
            }
        }
        // Stable: of one version, the one that was found first.
        found.sort_by_key(|interpreter| std::cmp::Reverse(interpreter.version));
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = Some(found.clone());
        found
    }

    fn not_found(&self, asked: &str) -> InterpreterError {
        let mut versions: Vec<String> = self
            .list()
            .iter()
            .map(|interpreter| format!("{}.{}", interpreter.version.0, interpreter.version.1))
            .collect();
        versions.dedup();
        let there = if versions.is_empty() {
            "none at all".to_owned()
        } else {
            versions.join(", ")
        };
        InterpreterError::NotFound {
            asked: asked.to_owned(),
            there,
        }
    }

    fn ask(&self, path: &Path) -> Option<Interpreter> {
        let real = path.canonicalize().ok()?;
        if is_shim(&real) {
            return None;
        }
        if let Some(known) = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&real)
        {
            return known.clone();
        }
        let found = ask(&real);
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(real, found.clone());
        found
    }
}

#[derive(Deserialize)]
struct Answer {
    executable: PathBuf,
    prefix: PathBuf,
    standard_library: PathBuf,
    version: (u8, u8),
    release: String,
}

/// Asks an executable of the host what it is, without any of the packages installed beside it.
fn ask(path: &Path) -> Option<Interpreter> {
    const QUESTION: &str = "
import json, os, platform, sys, sysconfig
base = getattr(sys, '_base_executable', None) or sys.executable
release = platform.python_version()
if sys.implementation.name != 'cpython': release = sys.implementation.name + '-' + release
if hasattr(sys, 'abiflags') and 't' in sys.abiflags: release += 't'
print(json.dumps({'executable': os.path.realpath(base), 'prefix': os.path.realpath(sys.base_prefix),
  'standard_library': os.path.realpath(sysconfig.get_paths()['stdlib']),
  'version': sys.version_info[:2], 'release': release}))";
    let output = Process::new(path)
        .args(["-I", "-S", "-c", QUESTION])
        .env_clear()
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let answer: Answer = serde_json::from_slice(&output.stdout).ok()?;
    (answer.version >= OLDEST).then_some(Interpreter {
        path: answer.executable,
        prefix: answer.prefix,
        standard_library: answer.standard_library,
        version: answer.version,
        release: answer.release,
    })
}

/// pyenv's and asdf's shims are scripts that choose a version by the directory they are called in.
fn is_shim(path: &Path) -> bool {
    path.parent()
        .is_some_and(|directory| directory.ends_with("shims"))
        || path
            .file_name()
            .is_some_and(|name| name == "pyenv" || name == "asdf")
}

fn candidates_on_path(names: &[&str]) -> Vec<PathBuf> {
    let directories = program::directories();
    let mut found = Vec::new();
    for name in names {
        for directory in &directories {
            let path = directory.join(name);
            if directory.ends_with("shims") {
                // What stands behind the shim without being chosen by a directory: pyenv's global version.
                found.extend(behind_shim(directory, name));
            } else if program::is_executable(&path) {
                found.push(path);
            }
        }
    }
    found
}

fn behind_shim(shims: &Path, name: &str) -> Option<PathBuf> {
    let root = shims.parent()?;
    let chosen = std::fs::read_to_string(root.join("version")).ok()?;
    chosen
        .split_whitespace()
        .map(|version| root.join("versions").join(version).join("bin").join(name))
        .find(|path| program::is_executable(path))
}

/// Every executable whose name is that of a Python interpreter, in the places where they are installed.
fn everywhere() -> Vec<PathBuf> {
    let mut directories = program::directories();
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let below = |variable: &str, usual: &str| {
        std::env::var_os(variable)
            .map(PathBuf::from)
            .or_else(|| Some(home.as_ref()?.join(usual)))
    };
    let installed = [
        below("UV_PYTHON_INSTALL_DIR", ".local/share/uv/python"),
        below("PYENV_ROOT", ".pyenv").map(|root| root.join("versions")),
        Some(PathBuf::from("/opt")),
        Some(PathBuf::from("/opt/python")),
    ];
    for root in installed.into_iter().flatten() {
        let mut versions: Vec<PathBuf> = root
            .read_dir()
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
            .collect();
        versions.sort();
        directories.extend(versions);
    }
    let mut found = Vec::new();
    for directory in directories {
        if directory.ends_with("shims") {
            found.extend(behind_shim(&directory, "python3"));
            continue;
        }
        let mut names: Vec<PathBuf> = directory
            .read_dir()
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                path.file_name()
                    .and_then(|name| name.to_str())
                    .is_some_and(names_an_interpreter)
            })
            .filter(|path| program::is_executable(path))
            .collect();
        names.sort();
        found.extend(names);
    }
    found
}

/// `python3`, `python3.11`; not `python3-config` or `python3.11-gdb.py`.
fn names_an_interpreter(name: &str) -> bool {
    name.strip_prefix("python3").is_some_and(|rest| {
        rest.is_empty()
            || rest
                .strip_prefix('.')
                .is_some_and(|minor| !minor.is_empty() && minor.bytes().all(|b| b.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::{Interpreters, names_an_interpreter};

    #[test]
    fn an_interpreter_is_known_by_its_name() {
        assert!(names_an_interpreter("python3") && names_an_interpreter("python3.13"));
        assert!(
            !names_an_interpreter("python3-config") && !names_an_interpreter("python3.11-gdb.py")
        );
    }

    #[test]
    fn the_default_interpreter_is_found_again_by_its_version() {
        let interpreters = Interpreters::new();
        let default = interpreters.find(None).unwrap();
        let (major, minor) = default.version;
        let again = interpreters
            .find(Some(&format!("{major}.{minor}")))
            .unwrap();
        assert_eq!(again.version, default.version);
        assert!(
            default.standard_library.join("json").is_dir(),
            "{default:?}"
        );
    }

    #[test]
    fn a_version_that_is_not_here_is_refused_with_those_that_are() {
        let error = Interpreters::new()
            .find(Some("3.99"))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("there is no Python 3.99 here; there is 3."),
            "{error}"
        );
    }
}
