//! Python, with pytest and unittest.

use std::collections::BTreeSet;

use super::{Adapter, gained, has_extension};
use crate::assertions;
use crate::case::Case;
use crate::checker;
use crate::classify::{Diagnosis, diagnose};
use crate::roles::Role;
use crate::search::Repairs;
use crate::source::Source;
use crate::strategies;
use crate::teeth::{Defect, plant};

/// See the module.
#[derive(Debug, Clone, Copy)]
pub struct Python;

/// Marks that hide a test; a repair that adds one is none.
const HIDING: [&str; 8] = [
    "pytest.skip",
    "pytest.mark.skip",
    "pytest.mark.xfail",
    "pytest.xfail",
    "unittest.skip",
    "unittest.expectedFailure",
    "pytest.importorskip",
    "mark.flaky",
];

impl Adapter for Python {
    fn is_source(&self, path: &str) -> bool {
        has_extension(path, &["py"])
    }

    fn role(&self, directory: &str, name: &str) -> Option<Role> {
        if name == "conftest.py" || is_test_file(name) {
            return Some(Role::Test);
        }
        is_config(directory, name).then_some(Role::Config)
    }

    fn assertions(&self, _path: &str, text: &str) -> u32 {
        assertions::count(text)
    }

    fn hides(&self, _path: &str, before: &str, after: &str) -> Option<String> {
        gained(&HIDING, before, after)
            .or_else(|| checker::silences(before, after))
            .map(str::to_owned)
    }

    fn diagnose(&self, case: &Case<'_>) -> Option<Diagnosis> {
        diagnose(case)
    }

    fn repairs(&self) -> Repairs {
        strategies::all()
    }

    fn plant(&self, path: &str, text: &str, lines: &BTreeSet<u32>) -> Vec<Defect> {
        Source::parse(text)
            .map(|source| plant::defects(path, &source, lines))
            .unwrap_or_default()
    }
}

/// [pytest's own names](https://docs.pytest.org/en/stable/explanation/goodpractices.html#conventions-for-python-test-discovery)
/// and Django's `tests.py`.
fn is_test_file(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".py") else {
        return false;
    };
    stem.starts_with("test_")
        || stem.ends_with("_test")
        || stem.ends_with("_tests")
        || matches!(stem, "test" | "tests")
}

fn is_config(directory: &str, name: &str) -> bool {
    let requirements =
        name.starts_with("requirements") || directory.rsplit('/').next() == Some("requirements");
    matches!(
        name,
        "setup.cfg"
            | "tox.ini"
            | "pytest.ini"
            | ".pytest.ini"
            | "pyproject.toml"
            | "setup.py"
            | "noxfile.py"
            | ".coveragerc"
            | "Pipfile"
            | "MANIFEST.in"
    ) || (requirements && [".txt", ".in"].iter().any(|end| name.ends_with(end)))
}
