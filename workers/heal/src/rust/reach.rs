//! The lines of the product that a test most probably runs: those of the functions that it calls by name, and of those
//! that these call. The tools that would count what was run are no part of a plain toolchain.

use std::collections::{BTreeMap, BTreeSet};

use super::report::Known;
use super::source::{Source, body_of};
use crate::adapter;
use crate::case::Tree;
use crate::runner::belongs;

/// How far calls are followed.
const DEEPEST: usize = 2;
/// More files than this are not read.
const MOST_FILES: usize = 400;
/// A test whose calls lead to more functions than this says nothing about each.
const MOST_FUNCTIONS: usize = 60;

/// A function of the product.
struct Function {
    path: String,
    lines: Vec<u32>,
    calls: BTreeSet<String>,
}

/// By file: the lines.
pub(super) fn lines(
    tree: &dyn Tree,
    tests: &[String],
    known: &BTreeMap<String, Known>,
) -> BTreeMap<String, BTreeSet<u32>> {
    let names: BTreeSet<&str> = known
        .iter()
        .filter(|(id, _)| tests.iter().any(|test| belongs(id, test)))
        .map(|(_, known)| known.name.rsplit("::").next().unwrap_or(&known.name))
        .collect();
    let mut product: BTreeMap<String, Vec<Function>> = BTreeMap::new();
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    for path in sources(tree) {
        let Some(source) = tree.read(path).and_then(Source::parse) else {
            continue;
        };
        let parts = source.test_parts();
        for function in source.functions() {
            let name = source.name(function).to_owned();
            let calls = source.called(function);
            let beside = parts
                .iter()
                .any(|part| part.contains(&function.start_byte()))
                || is_test_file(path);
            if names.contains(name.as_str()) && (source.is_test(function) || beside) {
                wanted.extend(calls);
            } else if !beside && let Some(body) = body_of(function) {
                product.entry(name).or_default().push(Function {
                    path: path.to_owned(),
                    lines: Source::lines(body).collect(),
                    calls,
                });
            }
        }
    }
    let mut found: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut count = 0;
    for _ in 0..DEEPEST {
        let mut next = BTreeSet::new();
        for name in wanted {
            if !seen.insert(name.clone()) {
                continue;
            }
            for function in product.get(&name).into_iter().flatten() {
                count += 1;
                if count > MOST_FUNCTIONS {
                    return found;
                }
                found
                    .entry(function.path.clone())
                    .or_default()
                    .extend(function.lines.iter().copied());
                next.extend(function.calls.iter().cloned());
            }
        }
        wanted = next;
    }
    found
}

/// The project's own files of Rust.
pub(super) fn sources(tree: &dyn Tree) -> impl Iterator<Item = &str> {
    tree.paths()
        .iter()
        .map(String::as_str)
        .filter(|path| {
            super::compiler::is_source(path) && !path.split('/').any(|part| part == "vendor")
        })
        .take(MOST_FILES)
}

/// The product's files as trees.
pub(super) fn product(tree: &dyn Tree) -> impl Iterator<Item = Source> {
    sources(tree)
        .filter(|path| !is_test_file(path))
        .filter_map(|path| Source::parse(tree.read(path)?))
}

/// Whether a file holds tests and nothing else, by where it lies.
pub(super) fn is_test_file(path: &str) -> bool {
    crate::roles::Roles::default().of(path) == crate::roles::Role::Test
        && adapter::of_file(path).is_some()
}

#[cfg(test)]
mod tests {
    use super::super::compiler::Built;
    use super::*;
    use crate::strategies::fake::Files;

    #[test]
    fn the_functions_that_a_test_calls_and_those_behind_them_are_reached_and_no_others() {
        let tree = Files::new(&[
            (
                "src/lib.rs",
                "pub fn price(n: u32) -> u32 {\n    rate(n)\n}\nfn rate(n: u32) -> u32 {\n    n * 2\n}\npub fn unused() -> u32 {\n    3\n}\n",
            ),
            (
                "tests/price.rs",
                "#[test]\nfn doubles() {\n    assert_eq!(shop::price(2), 4);\n}\n#[test]\nfn other() {\n    shop::unused();\n}\n",
            ),
        ]);
        let known = BTreeMap::from([(
            "tests/price.rs::doubles".to_owned(),
            Known {
                of: Built::default(),
                name: "doubles".to_owned(),
            },
        )]);
        let found = lines(&tree, &["tests/price.rs::doubles".to_owned()], &known);
        assert_eq!(found["src/lib.rs"], BTreeSet::from([1, 2, 3, 4, 5, 6]));
    }
}
