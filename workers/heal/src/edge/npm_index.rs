//! What versions of a package of npm there are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::environment::Environments;
use super::environment::node::is_requirement;
use super::index::{Answer, Index, IndexError, ask};
use super::npm_settings::NpmSettings;

/// The registry that npm knows; answers are remembered. npm is asked by its command line, so that every setting that an
/// installation honours is honoured here.
#[derive(Debug, Clone)]
pub struct NpmIndex {
    environments: Environments,
    settings: NpmSettings,
    known: Arc<Mutex<HashMap<String, Answer>>>,
}

impl NpmIndex {
    /// Asks with these settings.
    pub fn new(environments: &Environments, settings: &NpmSettings) -> Self {
        Self {
            environments: environments.clone(),
            settings: settings.clone(),
            known: Arc::default(),
        }
    }

    fn ask(&self, package: &str) -> Answer {
        let unreachable = |why: String| IndexError::Unreachable {
            distribution: package.to_owned(),
            why,
        };
        let asked = ask(|| self.environments.ask_npm(&self.settings, package));
        let finished = asked.map_err(&unreachable)?;
        if !finished.ended.succeeded() {
            let said = finished.stderr_text();
            return Err(if said.contains("E404") {
                IndexError::Missing(package.to_owned())
            } else {
                unreachable(said.lines().next().unwrap_or_default().to_owned())
            });
        }
        newest_first(&finished.stdout)
            .ok_or_else(|| unreachable("npm named no versions".to_owned()))
    }
}

/// The version that is called the latest, then the others from the newest down; no pre-releases.
fn newest_first(json: &[u8]) -> Option<Vec<String>> {
    let viewed: Value = serde_json::from_slice(json).ok()?;
    // npm writes a list of one as that one.
    let versions = match viewed.get("versions")? {
        Value::Array(versions) => versions.iter().filter_map(Value::as_str).collect(),
        Value::String(version) => vec![version.as_str()],
        _ => return None,
    };
    let mut known: Vec<(Vec<u64>, String)> = versions
        .into_iter()
        .filter_map(|text| {
            let numbers: Option<Vec<u64>> = text.split('.').map(|part| part.parse().ok()).collect();
            Some((numbers?, text.to_owned()))
        })
        .collect();
    known.sort_by(|a, b| b.0.cmp(&a.0));
    let mut ordered: Vec<String> = known.into_iter().map(|(_, text)| text).collect();
    let latest = viewed.get("dist-tags.latest").and_then(Value::as_str);
    if let Some(at) = latest.and_then(|latest| ordered.iter().position(|version| version == latest))
    {
        let latest = ordered.remove(at);
        ordered.insert(0, latest);
    }
    Some(ordered)
}

impl Index for NpmIndex {
    fn versions(&self, distribution: &str) -> Result<Vec<String>, IndexError> {
        if !is_requirement(distribution) || distribution.trim_start_matches('@').contains('@') {
            return Err(IndexError::Missing(distribution.to_owned()));
        }
        let known = |answers: &Mutex<HashMap<String, Answer>>| {
            answers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get(distribution)
                .cloned()
        };
        if let Some(answer) = known(&self.known) {
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
    use super::newest_first;

    #[test]
    fn the_latest_comes_first_then_the_newest_and_no_pre_releases() {
        let json = br#"{"versions":["1.0.0","2.0.0-rc.1","1.10.0","1.9.0","3.0.0"],"dist-tags.latest":"1.10.0"}"#;
        assert_eq!(
            newest_first(json).unwrap(),
            ["1.10.0", "3.0.0", "1.9.0", "1.0.0"]
        );
        let one = br#"{"versions":"1.0.0","dist-tags.latest":"1.0.0"}"#;
        assert_eq!(newest_first(one).unwrap(), ["1.0.0"]);
    }
}
