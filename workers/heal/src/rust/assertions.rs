//! Counts what a file checks, and finds what would hide a test or make it less strict.

use super::source::{Source, words};

/// The number of checks in a text: macros whose name says that they assert, and tests that are to panic.
pub(super) fn count(text: &str) -> u32 {
    let Some(source) = Source::parse(text) else {
        return 0;
    };
    let checks = source
        .nodes()
        .filter(|node| match node.kind() {
            "macro_invocation" => node.child_by_field_name("macro").is_some_and(|name| {
                let name = source.slice(name);
                is_check(name.rsplit("::").next().unwrap_or(name))
            }),
            // In the arguments of a macro, and where a file does not parse: `assert_eq` and `!`.
            "identifier" => {
                let nested = node
                    .parent()
                    .is_some_and(|up| matches!(up.kind(), "token_tree" | "ERROR"));
                nested
                    && is_check(source.slice(*node))
                    && node
                        .next_sibling()
                        .is_some_and(|next| source.slice(next).starts_with('!'))
            }
            "attribute_item" => words(source.slice(*node)).any(|word| word == "should_panic"),
            _ => false,
        })
        .count();
    u32::try_from(checks).unwrap_or(u32::MAX)
}

fn is_check(name: &str) -> bool {
    ["assert", "debug_assert", "prop_assert"]
        .iter()
        .any(|start| name.starts_with(start))
}

/// Words by which a test is not run, is meant to fail, or cannot.
const HIDING: &[&str] = &[
    "ignore",
    "should_panic",
    "cfg",
    "cfg_attr",
    "catch_unwind",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
];

/// What the second text has more of than the first, of all that hides a test.
pub(super) fn hides(before: &str, after: &str) -> Option<String> {
    let times = |text: &str, mark: &str| words(text).filter(|word| *word == mark).count();
    HIDING
        .iter()
        .find(|mark| times(after, mark) > times(before, mark))
        .map(|mark| (*mark).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checks_of_a_file_are_counted() {
        let text = "#[test]\n#[should_panic]\nfn a() {\n    assert!(x);\n    assert_eq!(a, b);\n    insta::assert_snapshot!(a);\n    println!(\"assert\");\n    check! { assert_ne!(a, b) }\n}\n";
        assert_eq!(count(text), 5);
    }

    #[test]
    fn what_hides_a_test_is_seen() {
        let before = "#[test]\nfn a() { assert!(x); }\n";
        for after in [
            "#[test]\n#[ignore]\nfn a() { assert!(x); }\n",
            "#[test]\n#[should_panic]\nfn a() { assert!(x); }\n",
            "#[cfg(any())]\n#[test]\nfn a() { assert!(x); }\n",
            "#[test]\nfn a() { let _ = std::panic::catch_unwind(|| assert!(x)); }\n",
        ] {
            assert!(hides(before, after).is_some(), "{after}");
        }
        assert_eq!(hides(before, before), None);
    }
}
