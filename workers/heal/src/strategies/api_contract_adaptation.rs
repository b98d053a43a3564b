//! Calls to an API that moved, was renamed or whose signature changed.

use maestro_protocol::heal::Strategy;

use crate::case::{Case, Finding, Repair};

/// See the module.
pub struct ApiContractAdaptation;

impl Repair for ApiContractAdaptation {
    fn strategy(&self) -> Strategy {
        Strategy::ApiContractAdaptation
    }

    fn examine(&self, _case: &Case<'_>) -> Vec<Finding> {
        Vec::new()
    }
}
