//! The strategies for Node. Each file here is one way of repairing a failing test: a pure function from a [`Case`] to
//! [`Finding`]s, which the engine then tries and proves.

mod api_contract_adaptation;
mod assertion_update;
mod dependency_fix;
mod environment_healing;
mod flaky_test_stabilization;
mod scene;
mod syntax_repair;
mod timing_adjustment;

use crate::case::{Candidate, Edit, Repair};
use crate::roles::{Role, Roles};
use crate::search::Repairs;
use maestro_protocol::heal::{RuntimeChanges, Strategy};

#[cfg(doc)]
use crate::case::{Case, Finding};

pub(super) use api_contract_adaptation::explains;

/// Every strategy there is, in the order in which they are asked.
pub(super) fn all() -> Repairs {
    const ALL: &[&dyn Repair] = &[
        &flaky_test_stabilization::FlakyTestStabilization,
        &syntax_repair::SyntaxRepair,
        &dependency_fix::DependencyFix,
        &api_contract_adaptation::ApiContractAdaptation,
        &environment_healing::EnvironmentHealing,
        &timing_adjustment::TimingAdjustment,
        &assertion_update::AssertionUpdate,
    ];
    ALL
}

/// A candidate that installs something.
fn install(requirements: Vec<String>, description: String, rank: u32) -> Candidate {
    Candidate {
        strategy: Strategy::DependencyFix,
        description,
        edits: Vec::new(),
        runtime: RuntimeChanges {
            install: requirements,
            ..RuntimeChanges::default()
        },
        rank,
    }
}

/// A candidate that changes files only.
fn rewrite(strategy: Strategy, description: String, edits: Vec<Edit>, rank: u32) -> Candidate {
    Candidate {
        strategy,
        description,
        edits,
        runtime: RuntimeChanges::default(),
        rank,
    }
}

/// The project's own source files: those that it carries but did not write are left out.
fn own_sources<'c>(case: &'c crate::case::Case<'_>) -> impl Iterator<Item = &'c str> {
    const FOREIGN: &[&str] = &[
        "node_modules",
        "dist",
        "build",
        "out",
        "coverage",
        "vendor",
        "bower_components",
        "fixtures",
        "__fixtures__",
    ];
    case.tree.paths().iter().map(String::as_str).filter(|path| {
        super::has_source_extension(path)
            && !path.split('/').any(|part| FOREIGN.contains(&part))
            && !path.contains(".min.")
    })
}

/// The project's own tests.
fn own_tests<'c>(case: &'c crate::case::Case<'_>) -> impl Iterator<Item = &'c str> {
    let roles = Roles::of_case(case);
    own_sources(case).filter(move |path| roles.of(path) == Role::Test)
}
