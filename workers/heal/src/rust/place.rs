//! A copy of a project of Rust: which toolchain it asks for, which packages are its own, and how old its files look.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::compiler::Places;
use super::freshness::Freshness;
use crate::case::{Edit, Installed, Lock};
use crate::edge::{RustEnvironment, WorkCopy};
use crate::laboratory::AttemptError;

/// What the project's own file says (<https://rust-lang.github.io/rustup/overrides.html#the-toolchain-file>).
pub(super) fn channel(copy: &WorkCopy) -> Option<String> {
    let read = |name: &str| {
        let bytes = copy.read(name, 4096).ok()?;
        String::from_utf8(bytes).ok()
    };
    let text = read("rust-toolchain.toml").or_else(|| read("rust-toolchain"))?;
    let stated = text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        (key.trim() == "channel").then(|| value.trim().trim_matches('"').to_owned())
    });
    stated.or_else(|| {
        let line = text.trim();
        (!line.contains(['\n', '[', '='])).then(|| line.to_owned())
    })
}

/// The project's own packages, by their directories as its manifests would name them.
fn members(copy: &WorkCopy, environment: &RustEnvironment) -> Vec<(String, String)> {
    let project = copy.project();
    let here = project.strip_prefix(copy.root()).unwrap_or(Path::new(""));
    environment
        .members
        .iter()
        .map(|(name, directory)| {
            let common = here
                .components()
                .zip(directory.components())
                .take_while(|(a, b)| a == b)
                .count();
            let up = here.components().skip(common).map(|_| OsStr::new(".."));
            let down = directory.components().skip(common);
            let path: PathBuf = up
                .chain(down.map(std::path::Component::as_os_str))
                .collect();
            (name.clone(), path.to_string_lossy().into_owned())
        })
        .collect()
}

/// Where the project and its workspace lie in a copy.
pub(super) fn places(environment: &RustEnvironment, copy: &WorkCopy) -> Places {
    Places {
        project: copy.project(),
        workspace: copy.root().join(&environment.workspace),
    }
}

pub(super) fn installed(copy: &WorkCopy, environment: &RustEnvironment) -> Installed {
    Installed {
        site_packages: environment.root.join("vendor"),
        distributions: environment.installed.clone(),
        rust: environment.toolchain.version,
        members: members(copy, environment),
        lock: settled(copy, environment),
        ..Installed::default()
    }
}

/// The lock file by which the crates were brought together, where it lies in the project's directory.
fn settled(copy: &WorkCopy, environment: &RustEnvironment) -> Option<Lock> {
    let (path, text) = environment.lock.as_ref()?;
    let project = copy.project();
    let here = project.strip_prefix(copy.root()).ok()?;
    Some(Lock {
        of: "Cargo.toml",
        edit: Edit {
            path: path.strip_prefix(here).ok()?.to_str()?.to_owned(),
            text: String::from_utf8(text.clone()).ok()?,
        },
    })
}

/// Says when a file of a copy was changed last.
pub(super) fn date(copy: &WorkCopy, path: &str, at: SystemTime) -> Result<(), AttemptError> {
    copy.set_modified(path, at).map_err(|error| {
        AttemptError::Machine(format!("unable to date {path} of the copy: {error}"))
    })
}

/// Writes the lock file by which the crates were brought together.
pub(super) fn lock(
    copy: &WorkCopy,
    environment: &RustEnvironment,
    freshness: &mut Freshness,
) -> Result<(), AttemptError> {
    let Some((path, text)) = &environment.lock else {
        return Ok(());
    };
    let project = copy.project();
    let below = project.strip_prefix(copy.root()).unwrap_or(Path::new(""));
    let up: PathBuf = below.components().map(|_| OsStr::new("..")).collect();
    let path = up.join(path);
    let path = path.to_string_lossy();
    copy.write(&path, text).map_err(|error| {
        AttemptError::Machine(format!("unable to write {path} of the copy: {error}"))
    })?;
    // A build script that names no files is run again when any is younger than its last run.
    date(copy, &path, freshness.stamp(&path, Some(text)))
}
