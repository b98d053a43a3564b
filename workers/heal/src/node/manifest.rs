//! A project's `package.json`, as far as anything here asks for it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::case::Tree;

/// The file's name.
pub(crate) const NAME: &str = "package.json";

/// What it says; empty where there is none, or it does not parse.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Package {
    /// The package's own name.
    pub(super) name: String,
    /// Whether `.js` files are modules (`"type": "module"`).
    pub(super) module: bool,
    /// By name: the ranges of all kinds of dependencies, those for development last.
    pub(super) asked: BTreeMap<String, Asked>,
    /// By name: the scripts.
    pub(super) scripts: BTreeMap<String, String>,
}

/// One package that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// The range of versions.
    pub(super) range: String,
    /// The member that asks: `devDependencies`.
    pub(super) by: &'static str,
}

const KINDS: [&str; 4] = [
    "dependencies",
    "optionalDependencies",
    "peerDependencies",
    "devDependencies",
];

impl Package {
    /// That of a tree.
    pub(crate) fn read(tree: &dyn Tree) -> Self {
        tree.read(NAME)
            .map(|text| Self::parse(&text))
            .unwrap_or_default()
    }

    /// Whether it asks for a package, for whatever purpose.
    pub(crate) fn asks_for(&self, name: &str) -> bool {
        self.asked.contains_key(name)
    }

    /// Reads the text.
    pub(super) fn parse(text: &str) -> Self {
        let Ok(json) = serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}')) else {
            return Self::default();
        };
        let texts = |member: &str| -> Vec<(String, String)> {
            json.get(member)
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                .collect()
        };
        let mut asked = BTreeMap::new();
        for by in KINDS {
            for (name, range) in texts(by) {
                asked.entry(name).or_insert(Asked { range, by });
            }
        }
        Self {
            name: json
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            module: json.get("type").and_then(Value::as_str) == Some("module"),
            asked,
            scripts: texts("scripts").into_iter().collect(),
        }
    }
}
