//! Rust, with `cargo test` and nextest.
//!
//! [`Plan`] is what to run, [`bench`] builds and runs it, [`report`] reads how its tests ended, [`compiler`] and [`panics`]
//! what was said of those that failed; [`classify`] says what a failure means, and [`strategies`] are the ways to
//! repair it. [`source`] has the files as trees, [`manifest`] what a project asks for.

mod arrange;
mod assertions;
pub(crate) mod bench;
mod bite;
mod call;
mod classify;
mod compiler;
mod freshness;
mod manifest;
mod orders;
mod panics;
mod place;
mod plan;
mod plant;
mod reach;
mod report;
mod rules;
pub mod source;
mod strategies;
mod subject;
mod switch;

use std::collections::BTreeSet;

use crate::adapter::{Adapter, has_extension};
use crate::case::Case;
use crate::classify::Diagnosis;
use crate::roles::Role;
use crate::search::Repairs;
use crate::teeth::Defect;

pub(crate) use bench::RustBench;
pub(crate) use plan::is_rust;
pub use plan::{Plan, PlanError};

/// What runs in the processes of a run, by file name.
pub const PROBES: [(&str, &str); 2] = [
    (call::DRIVER, include_str!("probes/maestro_cargo.sh")),
    (
        "maestro_orders.sh",
        include_str!("probes/maestro_orders.sh"),
    ),
];

/// See the module.
#[derive(Debug, Clone, Copy)]
pub struct Rust;

impl Adapter for Rust {
    fn is_source(&self, path: &str) -> bool {
        has_extension(path, &["rs"])
    }

    fn role(&self, directory: &str, name: &str) -> Option<Role> {
        if matches!(
            name,
            "Cargo.toml" | "Cargo.lock" | "rust-toolchain.toml" | "rust-toolchain" | "nextest.toml"
        ) || name == "config.toml" && directory.rsplit('/').next() == Some(".cargo")
        {
            return Some(Role::Config);
        }
        // By Cargo's own layout (https://doc.rust-lang.org/cargo/guide/project-layout.html), and the usual names of modules
        // that only tests have.
        let of_tests = directory
            .split('/')
            .any(|part| matches!(part, "tests" | "benches"))
            || name == "tests.rs"
            || name.ends_with("_tests.rs") && directory.split('/').any(|part| part == "src");
        if !self.is_source(name) {
            return None;
        }
        if of_tests {
            return Some(Role::Test);
        }
        // What others call a directory of tests (`testing`) is a part of many a library.
        directory
            .split('/')
            .any(|part| part == "src")
            .then_some(Role::Product)
    }

    fn ids_name_files(&self) -> bool {
        false
    }

    fn role_of_change(&self, _path: &str, before: &str, after: &str) -> Role {
        if source::changes_tests_alone(before, after) {
            Role::Test
        } else {
            Role::Product
        }
    }

    fn assertions(&self, _path: &str, text: &str) -> u32 {
        assertions::count(text)
    }

    fn hides(&self, _path: &str, before: &str, after: &str) -> Option<String> {
        assertions::hides(before, after)
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

#[cfg(test)]
mod tests {
    use crate::roles::{Role, Roles};

    #[test]
    fn the_files_of_a_rust_project_are_told_apart_and_a_tests_id_makes_no_product_a_test() {
        let roles = Roles::naming(["src/lib.rs::tests::a", "src/lib.rs"]);
        for (path, expected) in [
            ("tests/price.rs", Role::Test),
            ("crates/a/tests/it/main.rs", Role::Test),
            ("src/price/tests.rs", Role::Test),
            ("src/lib.rs", Role::Product),
            ("src/latest.rs", Role::Product),
            ("build.rs", Role::Product),
            ("Cargo.toml", Role::Config),
            ("crates/a/Cargo.lock", Role::Config),
            (".cargo/config.toml", Role::Config),
        ] {
            assert_eq!(roles.of(path), expected, "{path}");
        }
    }
}
