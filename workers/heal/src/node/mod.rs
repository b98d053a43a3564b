//! Node, with its own test runner, jest, vitest, mocha and tape.
//!
//! [`Plan`] is what to run and how its results are read, [`bench`] runs it, [`classify`] says what a failure means, and
//! [`strategies`] are the ways to repair it. [`source`] has the files as trees.

mod arrange;
mod assertions;
pub(crate) mod bench;
mod classify;
mod command;
mod coverage;
pub(crate) mod manifest;
mod plan;
mod plant;
mod records;
mod rules;
pub(crate) mod run;
mod script;
pub mod source;
mod strategies;
mod subject;
mod tap;
mod warm;

use std::collections::BTreeSet;

use crate::adapter::{Adapter, has_extension};
use crate::case::Case;
use crate::checker;
use crate::classify::Diagnosis;
use crate::roles::Role;
use crate::search::Repairs;
use crate::teeth::Defect;

pub(crate) use crate::edge::npm_name as requirement_name;
pub(crate) use bench::NodeBench;
pub(crate) use plan::is_node;
pub use plan::{Plan, PlanError, Runner};

/// What runs in the processes of a run, by file name.
pub const PROBES: [(&str, &str); 12] = [
    ("maestro_node.cjs", include_str!("probes/maestro_node.cjs")),
    (
        "maestro_node_test.mjs",
        include_str!("probes/maestro_node_test.mjs"),
    ),
    ("maestro_jest.cjs", include_str!("probes/maestro_jest.cjs")),
    (
        "maestro_vitest.mjs",
        include_str!("probes/maestro_vitest.mjs"),
    ),
    (
        "maestro_mocha.cjs",
        include_str!("probes/maestro_mocha.cjs"),
    ),
    (
        "maestro_arrange.cjs",
        include_str!("probes/maestro_arrange.cjs"),
    ),
    (
        "maestro_arrange_node.cjs",
        include_str!("probes/maestro_arrange_node.cjs"),
    ),
    (
        "maestro_arrange_node.mjs",
        include_str!("probes/maestro_arrange_node.mjs"),
    ),
    (
        "maestro_arrange_jest.cjs",
        include_str!("probes/maestro_arrange_jest.cjs"),
    ),
    (
        "maestro_node_server.cjs",
        include_str!("probes/maestro_node_server.cjs"),
    ),
    (
        "maestro_node_room.cjs",
        include_str!("probes/maestro_node_room.cjs"),
    ),
    (
        "maestro_node_mocha.cjs",
        include_str!("probes/maestro_node_mocha.cjs"),
    ),
];

/// What source files end in.
const EXTENSIONS: &[&str] = &["js", "cjs", "mjs", "jsx", "ts", "cts", "mts", "tsx"];

/// Whether a path is that of a source file, by its name.
fn has_source_extension(path: &str) -> bool {
    has_extension(path, EXTENSIONS)
}

/// See the module.
#[derive(Debug, Clone, Copy)]
pub struct Node;

impl Adapter for Node {
    fn is_source(&self, path: &str) -> bool {
        has_source_extension(path)
    }

    fn role(&self, _directory: &str, name: &str) -> Option<Role> {
        if is_config(name) {
            return Some(Role::Config);
        }
        (is_test_file(name) || has_extension(name, &["snap"])).then_some(Role::Test)
    }

    fn assertions(&self, path: &str, text: &str) -> u32 {
        assertions::count(path, text)
    }

    fn hides(&self, path: &str, before: &str, after: &str) -> Option<String> {
        assertions::hides(path, before, after)
            .or_else(|| checker::silences(before, after).map(str::to_owned))
    }

    fn diagnose(&self, case: &Case<'_>) -> Option<Diagnosis> {
        classify::diagnose(case)
    }

    fn repairs(&self) -> Repairs {
        strategies::all()
    }

    fn plant(&self, path: &str, text: &str, lines: &BTreeSet<u32>) -> Vec<Defect> {
        plant::defects(path, text, lines)
    }
}

/// The names by which [Node](https://nodejs.org/api/test.html#running-tests-from-the-command-line),
/// [jest](https://jestjs.io/docs/configuration#testmatch-arraystring) and
/// [vitest](https://vitest.dev/config/#include) find tests.
fn is_test_file(name: &str) -> bool {
    let Some((stem, extension)) = name.rsplit_once('.') else {
        return false;
    };
    EXTENSIONS.contains(&extension)
        && (matches!(stem, "test" | "tests" | "spec")
            || stem.starts_with("test-")
            || [".test", ".spec", "_test", "-test", "_spec", "-spec", ".e2e"]
                .iter()
                .any(|ending| stem.ends_with(ending)))
}

fn is_config(name: &str) -> bool {
    let tool = |tool: &str| {
        name.strip_prefix(tool)
            .is_some_and(|rest| rest.starts_with(".config.") || rest.starts_with(".workspace."))
    };
    matches!(
        name,
        "package.json"
            | "package-lock.json"
            | "npm-shrinkwrap.json"
            | "jsconfig.json"
            | "babel.config.json"
    ) || (name.starts_with("tsconfig") && has_extension(name, &["json"]))
        || [
            ".babelrc",
            ".mocharc",
            ".eslintrc",
            ".swcrc",
            ".taprc",
            ".nycrc",
        ]
        .iter()
        .any(|known| name.starts_with(known))
        || [
            "jest", "vitest", "vite", "babel", "webpack", "rollup", "eslint",
        ]
        .into_iter()
        .any(tool)
}

#[cfg(test)]
mod tests {
    use crate::roles::{Role, Roles};

    #[test]
    fn the_files_of_a_node_project_are_told_apart() {
        let roles = Roles::default();
        for path in [
            "test/a.js",
            "src/a.test.ts",
            "src/__tests__/a.js",
            "lib/a.spec.mjs",
            "test.js",
            "src/__snapshots__/a.test.js.snap",
            "spec/a.js",
        ] {
            assert_eq!(roles.of(path), Role::Test, "{path}");
        }
        for path in [
            "package.json",
            "jest.config.js",
            "vitest.config.mts",
            "tsconfig.build.json",
            ".mocharc.cjs",
        ] {
            assert_eq!(roles.of(path), Role::Config, "{path}");
        }
        for path in [
            "index.js",
            "lib/latest.js",
            "src/contest.ts",
            "lib/inspect.js",
        ] {
            assert_eq!(roles.of(path), Role::Product, "{path}");
        }
    }
}
