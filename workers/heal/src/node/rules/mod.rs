//! What is known of public APIs of Node and of packages that tests use, as data: each entry with the release that made
//! the change as its source.

use std::sync::LazyLock;

use serde::Deserialize;

/// A package that goes by another name now.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fork {
    /// The name that is imported.
    pub(super) module: String,
    /// What is installed for it.
    pub(super) install: String,
    /// Why, one clause.
    pub(super) because: String,
    /// Where that is said.
    #[expect(dead_code, reason = "for whoever reads the table")]
    source: String,
}

/// A call, a member or a module that was removed or renamed, and what means the same.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    /// The module that had it (`module:name`: a name that it gives out), or the object that is always there: `jest`,
    /// `process`, what `expect()` answers, or `globals`.
    pub(super) of: String,
    /// Its member; none where the module itself is gone.
    #[serde(default)]
    pub(super) member: Option<String>,
    /// `.name` renames the member. With `$0`, `$1` …, the arguments, it is what stands in the place of the whole call, else
    /// of what is called. For a module it is the other one's name, with `#name` behind it where that is a name there.
    pub(super) to: String,
    /// What the error says, where the call is still there and throws.
    #[serde(default)]
    pub(super) says: Option<String>,
    /// How many arguments the call has to have.
    #[serde(default)]
    pub(super) args: Option<usize>,
    /// Whether it may behave otherwise in a corner.
    #[serde(default)]
    pub(super) approximate: bool,
    /// The release that made the change.
    pub(super) since: String,
    /// Where that is said.
    #[expect(dead_code, reason = "for whoever reads the table")]
    source: String,
}

fn table<T: for<'de> Deserialize<'de>>(name: &str, text: &str) -> Vec<T> {
    serde_saphyr::from_str(text).unwrap_or_else(|error| {
        tracing::error!(name, %error, "a table of rules cannot be read; it is as if it were empty");
        Vec::new()
    })
}

/// The packages that go by another name.
pub(super) fn forks() -> &'static [Fork] {
    static FORKS: LazyLock<Vec<Fork>> =
        LazyLock::new(|| table("forks", include_str!("forks.yaml")));
    &FORKS
}

/// The changed APIs.
pub(super) fn rules() -> &'static [Rule] {
    static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
        [
            ("core", include_str!("core.yaml")),
            ("runners", include_str!("runners.yaml")),
            ("packages", include_str!("packages.yaml")),
        ]
        .into_iter()
        .flat_map(|(name, text)| table(name, text))
        .collect()
    });
    &RULES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_read_and_every_rule_says_something() {
        assert!(!forks().is_empty());
        for name in ["core", "runners", "packages"] {
            let text = match name {
                "core" => include_str!("core.yaml"),
                "runners" => include_str!("runners.yaml"),
                _ => include_str!("packages.yaml"),
            };
            let rules: Vec<Rule> = serde_saphyr::from_str(text).unwrap();
            assert!(!rules.is_empty(), "{name}");
            for rule in rules {
                assert!(!rule.to.is_empty() && !rule.since.is_empty(), "{rule:?}");
                let changes = rule.member.as_deref() != Some(rule.to.as_str());
                assert!(changes, "{rule:?}");
            }
        }
    }
}
