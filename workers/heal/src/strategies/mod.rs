//! The strategies. Each file here is one way of repairing a failing test: a pure function from a [`Case`] to
//! [`Finding`]s, which the engine then tries and proves. To add one, add its file and its line in [`all`].

pub(crate) mod api_contract_adaptation;
mod assertion_update;
mod dependency_fix;
pub(crate) use dependency_fix::release;
pub(crate) mod environment_healing;
#[cfg(test)]
pub(crate) mod fake;
mod flaky_test_stabilization;
mod place;
pub mod rank;
mod syntax_repair;
mod timing_adjustment;

use crate::case::{Case, Repair};

/// Every strategy there is, in the order in which they are asked.
pub fn all() -> &'static [&'static dyn Repair] {
    &[
        &flaky_test_stabilization::FlakyTestStabilization,
        &syntax_repair::SyntaxRepair,
        &dependency_fix::DependencyFix,
        &api_contract_adaptation::ApiContractAdaptation,
        &environment_healing::EnvironmentHealing,
        &timing_adjustment::TimingAdjustment,
        &assertion_update::AssertionUpdate,
    ]
}

/// The project's own Python files: those that it carries but did not write are left out.
fn own_python<'c>(case: &'c Case<'_>) -> impl Iterator<Item = &'c str> {
    const FOREIGN: &[&str] = &[
        "build",
        "dist",
        "venv",
        ".venv",
        "env",
        ".tox",
        ".nox",
        ".eggs",
        "node_modules",
        "site-packages",
        ".git",
        "__pycache__",
    ];
    case.tree.paths().iter().map(String::as_str).filter(|path| {
        let python = path
            .rsplit_once('.')
            .is_some_and(|(_, extension)| extension == "py");
        python && !path.split('/').any(|part| FOREIGN.contains(&part))
    })
}
