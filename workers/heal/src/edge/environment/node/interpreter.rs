//! The Nodes of a host, and its npm.

use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

use super::super::super::program;
use super::super::EnvironmentError;

/// The oldest major version whose test runner takes a reporter, and whose errors have what is read of them.
const OLDEST_NODE: u32 = 18;

/// A Node of the host.
#[derive(Debug, Clone)]
pub(super) struct Interpreter {
    pub(super) path: PathBuf,
    pub(super) release: String,
    pub(super) major: u32,
    pub(super) minor: u32,
}

/// Where a program that lies outside of the system's own places keeps what belongs to it: `…/bin/node` of `…`.
pub(super) fn home_of(program: &Path) -> Option<PathBuf> {
    let home = program.parent()?.parent()?;
    (!program.starts_with("/usr") && home != Path::new("/")).then(|| home.to_owned())
}

/// npm's own script.
pub(super) fn npm() -> Option<PathBuf> {
    let path = program::find("npm")?.canonicalize().ok()?;
    (path.extension().is_some_and(|extension| extension == "js")).then_some(path)
}

/// The Node that is asked for: the one on the path, or one that a version manager keeps.
pub(super) fn find(wanted: Option<&str>) -> Result<Interpreter, EnvironmentError> {
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
    use super::find;

    #[test]
    fn a_node_that_is_not_here_is_refused_with_those_that_are() {
        let error = find(Some("99")).unwrap_err().to_string();
        assert!(
            error.starts_with("the tests ask for Node 99, and there is "),
            "{error}"
        );
    }
}
