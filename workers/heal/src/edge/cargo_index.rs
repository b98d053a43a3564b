//! What versions of a crate there are.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::cargo_settings::CargoSettings;
use super::environment::Environments;
use super::index::{Answer, Index, IndexError, ask};

/// No crate's entry of an index is larger.
const LARGEST: u64 = 32 << 20;

/// The registry that cargo knows; answers are remembered.
///
/// cargo itself is had resolve a project that asks for the crate, so that every setting which fetching honours (mirrors,
/// proxies, credentials) is honoured here; then the entry of the [index](https://doc.rust-lang.org/cargo/reference/registry-index.html#index-files)
/// that it kept is read.
#[derive(Debug, Clone)]
pub struct CargoIndex {
    environments: Environments,
    settings: CargoSettings,
    known: Arc<Mutex<HashMap<String, Answer>>>,
}

impl CargoIndex {
    /// Asks with these settings.
    pub fn new(environments: &Environments, settings: &CargoSettings) -> Self {
        Self {
            environments: environments.clone(),
            settings: settings.clone(),
            known: Arc::default(),
        }
    }

    fn ask(&self, name: &str) -> Answer {
        let unreachable = |why: String| IndexError::Unreachable {
            distribution: name.to_owned(),
            why,
        };
        let asked = ask(|| self.environments.resolve_crate(&self.settings, name));
        let (home, finished, lock) = asked.map_err(&unreachable)?;
        if !finished.ended.succeeded() {
            let said = finished.stderr_text();
            return Err(if said.contains("no matching package") {
                IndexError::Missing(name.to_owned())
            } else {
                unreachable(super::cargo_excerpt(&said))
            });
        }
        let newest = locked(&lock, name);
        let mut versions = entry(&home, name)
            .map(|text| newest_first(&text))
            .unwrap_or_default();
        // What cargo itself resolved to is what fits this toolchain.
        if let Some(newest) = newest {
            versions.retain(|version| *version != newest);
            versions.insert(0, newest);
        }
        Ok(versions)
    }
}

/// The version of a crate in a lock file.
fn locked(lock: &str, name: &str) -> Option<String> {
    let wanted = format!("name = \"{name}\"");
    let mut lines = lock.lines().skip_while(|line| *line != wanted);
    lines.next()?;
    lines
        .next()?
        .strip_prefix("version = \"")?
        .strip_suffix('"')
        .map(str::to_owned)
}

/// Where the index has a crate.
fn place(name: &str) -> PathBuf {
    let name = name.to_lowercase();
    match name.len() {
        0..=2 => PathBuf::from(name.len().to_string()).join(name),
        3 => PathBuf::from("3").join(&name[..1]).join(name),
        _ => PathBuf::from(&name[..2]).join(&name[2..4]).join(name),
    }
}

/// The entry that cargo kept of a crate.
fn entry(home: &Path, name: &str) -> Option<Vec<u8>> {
    let mut newest = None;
    for registry in home.join("registry/index").read_dir().ok()? {
        let file = registry.ok()?.path().join(".cache").join(place(name));
        let Ok(of) = file.symlink_metadata() else {
            continue;
        };
        if of.is_file() && of.len() <= LARGEST {
            newest = newest.max(Some((of.modified().ok()?, file)));
        }
    }
    std::fs::read(newest?.1).ok()
}

/// Versions of an entry as cargo keeps it: JSON between zero bytes. Neither pre-releases nor what was taken back.
fn newest_first(entry: &[u8]) -> Vec<String> {
    let mut known: Vec<(Vec<u64>, String)> = entry
        .split(|byte| *byte == 0 || *byte == b'\n')
        .filter(|part| part.first() == Some(&b'{'))
        .filter_map(|part| serde_json::from_slice::<Value>(part).ok())
        .filter(|version| version["yanked"] != Value::Bool(true))
        .filter_map(|version| {
            let text = version["vers"].as_str()?;
            let plain = text.split('+').next().unwrap_or(text);
            let numbers: Option<Vec<u64>> =
                plain.split('.').map(|part| part.parse().ok()).collect();
            Some((numbers?, plain.to_owned()))
        })
        .collect();
    known.sort_by(|a, b| b.0.cmp(&a.0));
    known.into_iter().map(|(_, text)| text).collect()
}

/// Whether a text is a crate's name: nothing that a manifest could take for something else.
pub(crate) fn is_crate_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

impl Index for CargoIndex {
    fn versions(&self, distribution: &str) -> Result<Vec<String>, IndexError> {
        if !is_crate_name(distribution) {
            return Err(IndexError::Missing(distribution.to_owned()));
        }
        let known = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(distribution)
            .cloned();
        if let Some(answer) = known {
            return answer;
        }
        let answer = self.ask(distribution);
        if !matches!(answer, Err(IndexError::Unreachable { .. })) {
            self.known
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(distribution.to_owned(), answer.clone());
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_come_first_without_pre_releases_and_what_was_taken_back() {
        let entry = b"\x03\x02\0\0\0etag: x\x001.0.0\0{\"name\":\"a\",\"vers\":\"1.0.0\",\"yanked\":false}\x001.10.0\0{\"name\":\"a\",\"vers\":\"1.10.0\",\"yanked\":false}\x001.9.0\0{\"name\":\"a\",\"vers\":\"1.9.0\",\"yanked\":true}\x002.0.0-rc.1\0{\"name\":\"a\",\"vers\":\"2.0.0-rc.1\",\"yanked\":false}\0";
        assert_eq!(newest_first(entry), ["1.10.0", "1.0.0"]);
    }

    #[test]
    fn a_crate_has_its_place_in_the_index() {
        for (name, expected) in [
            ("a", "1/a"),
            ("ab", "2/ab"),
            ("abc", "3/a/abc"),
            ("Itoa", "it/oa/itoa"),
        ] {
            assert_eq!(place(name), Path::new(expected));
        }
    }

    #[test]
    fn what_is_no_name_is_not_asked_for() {
        assert!(is_crate_name("serde_json") && is_crate_name("md-5"));
        for bad in ["", "../x", "a\"\n[patch]", "--config", "a.b"] {
            assert!(!is_crate_name(bad), "{bad}");
        }
    }
}
