//! What differs from language to language: how files are told apart, what a check is, what a failure means, which
//! repairs there are. The engine asks an [`Adapter`] and knows no language; how tests are run is the
//! [`Laboratory`](crate::laboratory::Laboratory)'s, of which each adapter has its own.

mod python;

use std::collections::BTreeSet;
use std::path::Path;

use crate::case::Case;
use crate::classify::Diagnosis;
use crate::node::Node;
use crate::roles::Role;
use crate::rust::Rust;
use crate::search::Repairs;
use crate::teeth::Defect;

pub use python::Python;

/// One language with its runners.
pub trait Adapter: Send + Sync {
    /// Whether a path is that of a file of this language, by its name.
    fn is_source(&self, path: &str) -> bool;
    /// The part that a file plays by the conventions of this language; `None` where they say nothing.
    fn role(&self, directory: &str, name: &str) -> Option<Role>;
    /// Whether the file in a test's id is one of tests for that: not where tests stand among the product.
    fn ids_name_files(&self) -> bool {
        true
    }
    /// The part that a change of a file of the product plays: tests may stand in it.
    fn role_of_change(&self, _path: &str, _before: &str, _after: &str) -> Role {
        Role::Product
    }
    /// The number of checks in a file.
    fn assertions(&self, path: &str, text: &str) -> u32;
    /// What would hide a test or make it less strict in the second text of a file and does not in the first.
    fn hides(&self, path: &str, before: &str, after: &str) -> Option<String>;
    /// What the first failure of a case is.
    fn diagnose(&self, case: &Case<'_>) -> Option<Diagnosis>;
    /// The strategies.
    fn repairs(&self) -> Repairs;
    /// Small defects for these lines of a file, the most telling first.
    fn plant(&self, path: &str, text: &str, lines: &BTreeSet<u32>) -> Vec<Defect>;
}

/// Every adapter.
pub fn all() -> [&'static dyn Adapter; 3] {
    [&Python, &Node, &Rust]
}

/// The adapter whose language a file is written in, by its name.
pub fn of_file(path: &str) -> Option<&'static dyn Adapter> {
    all().into_iter().find(|adapter| adapter.is_source(path))
}

/// Whether a test's id is that of a whole file.
pub(crate) fn names_a_file(test: &str) -> bool {
    !test.contains("::") && of_file(test).is_some()
}

/// Whether a path ends in one of these extensions.
pub(crate) fn has_extension(path: &str, extensions: &[&str]) -> bool {
    Path::new(path)
        .extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| extensions.contains(&extension))
}

/// The first of these marks of which the second text has more than the first.
pub(crate) fn gained<'m>(marks: &[&'m str], before: &str, after: &str) -> Option<&'m str> {
    marks
        .iter()
        .copied()
        .find(|mark| after.matches(mark).count() > before.matches(mark).count())
}
