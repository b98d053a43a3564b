//! What part a file plays, by the field's conventions: a patch of a test may be applied, a patch of the product
//! needs a person, and a traceback that ends in the one means something else than one that ends in the other.

use std::collections::BTreeSet;

use crate::adapter;
use crate::case::Case;
use crate::failure::{Failure, Phase};
use crate::runner::is_python;

/// The part that a file plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A test, or what only tests use.
    Test,
    /// What the tests are about.
    Product,
    /// Says how tests are run, or how the project is built.
    Config,
}

/// Tells the part of each file of one project.
#[derive(Debug, Clone, Default)]
pub struct Roles {
    named: BTreeSet<String>,
}

impl Roles {
    /// Roles by convention alone, but for the files that the test command names: those are tests whatever they
    /// are called. Arguments may carry a test's id (`path.py::name`).
    pub fn naming<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let named = arguments
            .into_iter()
            .filter_map(test_file)
            .map(str::to_owned)
            .collect();
        Self { named }
    }

    /// Roles by convention, and by the tests that failed.
    pub fn of_case(case: &Case<'_>) -> Self {
        Self::naming(
            case.failures
                .iter()
                .filter_map(|failure| failure.test.as_deref()),
        )
    }

    /// The part of one file, by its path relative to the project's directory.
    pub fn of(&self, path: &str) -> Role {
        let path = path.strip_prefix("./").unwrap_or(path);
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        if self.named.contains(path) {
            return Role::Test;
        }
        let said = adapter::all()
            .into_iter()
            .find_map(|adapter| adapter.role(directory, name));
        match said {
            Some(role) => role,
            None if directory.split('/').any(is_test_directory) => Role::Test,
            None => Role::Product,
        }
    }
}

/// The file in a test's id. A doctest's id names the product's own file, which does not make that a test.
fn test_file(id: &str) -> Option<&str> {
    let (path, rest) = id.split_once("::").unwrap_or((id, ""));
    let item = rest.split('[').next().unwrap_or_default();
    let doctest = is_python(path) && !item.contains("::") && item.contains('.');
    let names = adapter::of_file(path).is_some_and(adapter::Adapter::ids_name_files);
    (names && !doctest).then(|| path.strip_prefix("./").unwrap_or(path))
}

fn is_test_directory(name: &str) -> bool {
    matches!(
        name,
        "test"
            | "tests"
            | "testing"
            | "unittests"
            | "unit_tests"
            | "functional_tests"
            | "integration_tests"
            | "testsuite"
            | "__tests__"
            | "__mocks__"
            | "spec"
            | "specs"
    ) || name.starts_with("test_")
        || name.ends_with("_tests")
}

/// The line of test code where a test failed in its body: the file, its text, and the line counted from 1.
pub(crate) fn failing_line(case: &Case<'_>, failure: &Failure) -> Option<(String, String, u32)> {
    let roles = Roles::of_case(case);
    let frame = failure
        .innermost_own()
        .filter(|frame| failure.phase == Phase::Call && roles.of(&frame.path) == Role::Test)?;
    Some((frame.path.clone(), case.tree.read(&frame.path)?, frame.line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conventional_names_are_told_apart() {
        let roles = Roles::default();
        for path in [
            "tests/support.py",
            "pkg/tests/data.py",
            "test_one.py",
            "one_test.py",
            "pkg/conftest.py",
            "app/tests.py",
            "pkg/testing/tools.py",
        ] {
            assert_eq!(roles.of(path), Role::Test, "{path}");
        }
        for path in [
            "setup.cfg",
            "tox.ini",
            "pyproject.toml",
            "setup.py",
            "requirements/dev.txt",
            "requirements-test.txt",
        ] {
            assert_eq!(roles.of(path), Role::Config, "{path}");
        }
        for path in [
            "pkg/core.py",
            "src/pkg/latest.py",
            "contest.py",
            "attestation/x.py",
        ] {
            assert_eq!(roles.of(path), Role::Product, "{path}");
        }
    }

    #[test]
    fn a_file_that_the_command_names_is_a_test_but_a_doctest_leaves_the_product_the_product() {
        let roles = Roles::naming(["checks/odd.py::test_a", "pkg/core.py::pkg.core.add"]);
        assert_eq!(roles.of("checks/odd.py"), Role::Test);
        assert_eq!(roles.of("pkg/core.py"), Role::Product);
    }
}
