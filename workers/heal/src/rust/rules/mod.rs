//! What is known of public APIs of crates that tests use, as data: each entry with the release that made the change as its
//! source.

use std::sync::LazyLock;

use serde::Deserialize;

/// Something that goes by another name now.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::rust) struct Rule {
    /// The crate, as the registry names it.
    #[serde(rename = "crate")]
    pub(in crate::rust) of: String,
    /// The first version that has the new name alone, or both: `0.9`.
    pub(in crate::rust) since: String,
    /// A function, type, trait or module that was renamed.
    #[serde(default)]
    pub(in crate::rust) name: Option<String>,
    /// A method that was renamed.
    #[serde(default)]
    pub(in crate::rust) method: Option<String>,
    /// The new name.
    pub(in crate::rust) to: String,
    /// Whether it may behave otherwise in a corner.
    #[serde(default)]
    pub(in crate::rust) approximate: bool,
    /// Where that is said.
    #[expect(dead_code, reason = "for whoever reads the table")]
    source: String,
}

/// The changed APIs.
pub(in crate::rust) fn rules() -> &'static [Rule] {
    static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
        serde_saphyr::from_str(include_str!("crates.yaml")).unwrap_or_else(|error| {
            tracing::error!(%error, "the table of crates cannot be read; it is as if it were empty");
            Vec::new()
        })
    });
    &RULES
}

/// Whether a version is at least another one.
pub(in crate::rust) fn at_least(version: &str, least: &str) -> bool {
    let numbers = |text: &str| -> Vec<u64> {
        text.split(['.', '-', '+'])
            .map_while(|part| part.parse().ok())
            .collect()
    };
    numbers(version) >= numbers(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_and_every_rule_renames_one_thing() {
        let read: Vec<Rule> = serde_saphyr::from_str(include_str!("crates.yaml")).unwrap();
        assert!(!read.is_empty());
        for rule in &read {
            assert!(rule.name.is_some() != rule.method.is_some(), "{rule:?}");
            let old = rule.name.as_ref().or(rule.method.as_ref());
            assert!(old != Some(&rule.to), "{rule:?}");
        }
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(at_least("0.10.1", "0.9") && at_least("1.0.0", "1.0"));
        assert!(!at_least("0.8.5", "0.9"));
    }
}
