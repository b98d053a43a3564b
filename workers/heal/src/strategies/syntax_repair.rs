//! Files that do not parse on this interpreter.

use maestro_protocol::heal::Strategy;

use crate::case::{Case, Finding, Repair};

/// See the module.
pub struct SyntaxRepair;

impl Repair for SyntaxRepair {
    fn strategy(&self) -> Strategy {
        Strategy::SyntaxRepair
    }

    fn examine(&self, _case: &Case<'_>) -> Vec<Finding> {
        Vec::new()
    }
}
