//! What the public knows of APIs that went, and of packages whose module has another name: data, one line of
//! YAML to each fact with the page that says it, and the loader that checks it. No rule names a package under test:
//! rules name public APIs of the standard library and of frameworks.

mod pattern;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

pub use pattern::matches;

/// One fact about an API.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// A short name of its own.
    pub id: String,
    /// Since when the old form is gone: `python 3.10`, `pytest 8`.
    pub since: String,
    /// The page that says so.
    pub source: String,
    /// The new form may behave differently in a corner that the old one had.
    #[serde(default)]
    pub approximate: bool,
    /// `Exception: message` wordings, `*` for anything, that call for it in addition to those that follow from
    /// what it changes.
    #[serde(default)]
    pub when: Vec<String>,
    /// Only the line that failed is changed: the old name alone does not say enough of what it belongs to.
    #[serde(default)]
    pub here_only: bool,
    /// Requirements that the new form needs.
    #[serde(default)]
    pub install: Vec<String>,
    /// What becomes of the old form.
    pub change: Change,
    /// A text before and after.
    pub example: Option<Example>,
}

/// What becomes of the old form.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// Names of one module are found in another.
    Moved(Moved),
    /// A whole module has another name.
    Module(Renamed),
    /// An attribute has another name, whatever carries it.
    Attributes(BTreeMap<String, String>),
    /// A builtin of Python 2 that is another one now.
    Builtins(BTreeMap<String, String>),
    /// An argument is dropped from calls, or has another name.
    Keyword(Keyword),
    /// Calls are written otherwise.
    Rewrite(Rewrite),
    /// What data cannot say: a transformation by its name in the code.
    Transform(String),
}

/// Names of one module that are found in another.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moved {
    /// The module they were in.
    pub from: String,
    /// The module they are in.
    pub to: String,
    /// Those that kept their name.
    #[serde(default)]
    pub names: Vec<String>,
    /// Those that did not: old, new.
    #[serde(default)]
    pub renamed: BTreeMap<String, String>,
    /// The module that they were in is gone altogether.
    #[serde(default)]
    pub gone: bool,
}

/// A whole module under another name.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renamed {
    /// As it was.
    pub from: String,
    /// As it is.
    pub to: String,
}

/// An argument that calls no longer take.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keyword {
    /// The qualified functions, or `.method`s of anything.
    pub of: Vec<String>,
    /// The arguments that are dropped.
    #[serde(default)]
    pub drop: Vec<String>,
    /// The arguments that have another name.
    #[serde(default)]
    pub rename: BTreeMap<String, String>,
}

/// Calls that are written otherwise.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    /// The qualified function, `.method` of anything, or `module.Class().method` of what was just made.
    pub call: String,
    /// Templates; the first that fits the call's arguments exactly is taken. `{0}` is an argument by position,
    /// `{name}` by keyword, `{*}` all as they stand, `{self}` what the method is called on, and `@{module.name}` a
    /// name, written as the file can.
    pub to: Vec<String>,
    /// The module that the function was in is gone altogether.
    #[serde(default)]
    pub gone: bool,
}

/// A text before and after a rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// `Exception: message` that calls for the rule.
    pub failure: String,
    /// Before.
    pub before: String,
    /// After.
    pub after: String,
}

/// A module whose distribution has another name, or that another distribution brings back.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distribution {
    /// The module, as imported.
    pub module: String,
    /// Requirements that bring it, the best first.
    pub install: Vec<String>,
    /// What brings it is another's continuation of what its authors gave up, a package or a module of the standard library: to port away from it
    /// lasts longer, where there is a port.
    #[serde(default)]
    pub fork: bool,
    /// It was part of the standard library until this version of Python.
    #[serde(default)]
    pub until: Option<(u8, u8)>,
}

/// What a plugin of a test runner brings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plugin {
    /// The requirement.
    pub install: String,
    /// Fixtures.
    #[serde(default)]
    pub fixtures: Vec<String>,
    /// Command-line options; `*` at the end for all that begin so.
    #[serde(default)]
    pub options: Vec<String>,
    /// Options of its section in the configuration file.
    #[serde(default)]
    pub ini: Vec<String>,
    /// Markers.
    #[serde(default)]
    pub marks: Vec<String>,
}

/// Every table of API rules, by file.
const API: &[(&str, &str)] = &[
    (
        "standard_library.yaml",
        include_str!("standard_library.yaml"),
    ),
    ("python2.yaml", include_str!("python2.yaml")),
    ("unittest.yaml", include_str!("unittest.yaml")),
    ("pytest.yaml", include_str!("pytest.yaml")),
    ("nose.yaml", include_str!("nose.yaml")),
    ("numeric.yaml", include_str!("numeric.yaml")),
    ("web.yaml", include_str!("web.yaml")),
    ("django.yaml", include_str!("django.yaml")),
    ("packages.yaml", include_str!("packages.yaml")),
];

/// All API rules. A table that does not load is a defect of this program, which its tests exclude; at run time it
/// counts as empty.
pub fn api() -> &'static [Rule] {
    static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
        API.iter()
            .flat_map(|(_, text)| serde_saphyr::from_str::<Vec<Rule>>(text).unwrap_or_default())
            .collect()
    });
    &RULES
}

/// Modules whose distribution has another name.
pub fn distributions() -> &'static [Distribution] {
    static TABLE: LazyLock<Vec<Distribution>> = LazyLock::new(|| {
        serde_saphyr::from_str(include_str!("distributions.yaml")).unwrap_or_default()
    });
    &TABLE
}

/// Plugins of pytest.
pub fn plugins() -> &'static [Plugin] {
    static TABLE: LazyLock<Vec<Plugin>> =
        LazyLock::new(|| serde_saphyr::from_str(include_str!("plugins.yaml")).unwrap_or_default());
    &TABLE
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_table_loads() {
        for (name, text) in API {
            if let Err(error) = serde_saphyr::from_str::<Vec<Rule>>(text) {
                panic!("{name}: {error}");
            }
        }
        serde_saphyr::from_str::<Vec<Distribution>>(include_str!("distributions.yaml")).unwrap();
        serde_saphyr::from_str::<Vec<Plugin>>(include_str!("plugins.yaml")).unwrap();
    }

    #[test]
    fn every_rule_has_a_name_of_its_own_a_source_and_an_example() {
        let mut seen = BTreeSet::new();
        for rule in api() {
            assert!(seen.insert(rule.id.as_str()), "{} twice", rule.id);
            assert!(rule.source.starts_with("https://"), "{}", rule.id);
            assert!(rule.example.is_some(), "{} has no example", rule.id);
        }
    }

    #[test]
    fn a_port_comes_before_a_distribution_that_brings_a_module_of_the_standard_library_back() {
        for rule in api() {
            let Change::Moved(Moved {
                from, gone: true, ..
            }) = &rule.change
            else {
                continue;
            };
            let brought_back = |entry: &&Distribution| {
                entry.module == *from && entry.until.is_some() && !entry.install.is_empty()
            };
            if let Some(entry) = distributions().iter().find(brought_back) {
                assert!(entry.fork, "{} has the port {}", entry.module, rule.id);
            }
        }
    }

    #[test]
    fn no_module_is_listed_twice() {
        let mut seen = BTreeSet::new();
        for entry in distributions() {
            assert!(seen.insert(entry.module.as_str()), "{} twice", entry.module);
            assert!(
                !entry.install.is_empty() || entry.until.is_some(),
                "{}",
                entry.module
            );
        }
    }
}
