//! The strategies. Each file here is one way of repairing a failing test: a pure function from a [`Case`] to
//! [`Finding`]s, which the engine then tries and proves. To add one, add its file and its line in [`all`].

mod api_contract_adaptation;
mod dependency_fix;
mod syntax_repair;

use crate::case::{Case, Finding, Repair};

/// Every strategy there is, in the order in which they are asked.
pub fn all() -> &'static [&'static dyn Repair] {
    &[
        &syntax_repair::SyntaxRepair,
        &dependency_fix::DependencyFix,
        &api_contract_adaptation::ApiContractAdaptation,
    ]
}

/// What every strategy makes of a case: refusals first, then candidates, the cheapest and safest first.
pub fn examine(case: &Case<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = all().iter().flat_map(|repair| repair.examine(case)).collect();
    findings.sort_by_key(|finding| match finding {
        Finding::Refuse(_) => 0,
        Finding::Try(candidate) => candidate.rank.saturating_add(1),
    });
    findings
}
