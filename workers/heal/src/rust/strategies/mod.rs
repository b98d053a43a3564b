//! The strategies for Rust. Each file here is one way of repairing a failing test: a pure function from a [`Case`] to
//! [`Finding`]s, which the engine then tries and proves.

mod api_contract_adaptation;
mod assertion_update;
mod claim;
mod dependency_fix;
mod environment_healing;
mod flaky_test_stabilization;
mod syntax_repair;
mod timing_adjustment;

use maestro_protocol::heal::{RuntimeChanges, Strategy};

use super::reach::is_test_file;
use super::source::changes_tests_alone;
use super::subject::{Subject, subject};
use crate::case::{Candidate, Case, Edit, Repair};
use crate::search::Repairs;
use crate::source::edit::{Splice, apply};

#[cfg(doc)]
use crate::case::Finding;

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

/// Whether the first failure comes each time: what does not says nothing by what it looks like.
fn is_steady(case: &Case<'_>) -> bool {
    case.failures
        .first()
        .is_some_and(|failure| subject(failure) != Subject::Unsteady)
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

/// Files with splices in them; those that contradict one another leave their file as it is.
fn edited(case: &Case<'_>, splices: &[(String, Splice)]) -> Vec<Edit> {
    let mut paths: Vec<&String> = splices.iter().map(|(path, _)| path).collect();
    paths.sort();
    paths.dedup();
    paths
        .into_iter()
        .filter_map(|path| {
            let of_file: Vec<Splice> = splices
                .iter()
                .filter(|(other, _)| other == path)
                .map(|(_, splice)| splice.clone())
                .collect();
            let before = case.tree.read(path)?;
            let text = apply(&before, &of_file).filter(|text| *text != before)?;
            Some(Edit {
                path: path.clone(),
                text,
            })
        })
        .collect()
}

/// Whether an edit changes tests and nothing of the product.
fn is_of_tests(case: &Case<'_>, edit: &Edit) -> bool {
    is_test_file(&edit.path)
        || case
            .tree
            .read(&edit.path)
            .is_some_and(|before| changes_tests_alone(&before, &edit.text))
}
