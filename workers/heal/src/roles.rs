//! What part a file plays, by the field's conventions: a patch of a test may be applied, a patch of the product
//! needs a person, and a traceback that ends in the one means something else than one that ends in the other.

use std::collections::BTreeSet;

use crate::case::Case;

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
        if self.named.contains(path) || name == "conftest.py" {
            return Role::Test;
        }
        if is_config(directory, name) {
            return Role::Config;
        }
        let in_tests = directory.split('/').any(is_test_directory);
        if in_tests || is_test_file(name) {
            Role::Test
        } else {
            Role::Product
        }
    }
}

/// The file in a test's id. A doctest's id names the product's own file, which does not make that a test.
fn test_file(id: &str) -> Option<&str> {
    let (path, rest) = id.split_once("::").unwrap_or((id, ""));
    let item = rest.split('[').next().unwrap_or_default();
    let doctest = !item.contains("::") && item.contains('.');
    let is_python = path
        .rsplit_once('.')
        .is_some_and(|(_, extension)| extension == "py");
    (is_python && !doctest).then(|| path.strip_prefix("./").unwrap_or(path))
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
    ) || name.starts_with("test_")
        || name.ends_with("_tests")
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
