//! Modules, plugins and versions that the environment lacks.

use maestro_protocol::heal::Strategy;

use crate::case::{Case, Finding, Repair};

/// See the module.
pub struct DependencyFix;

impl Repair for DependencyFix {
    fn strategy(&self) -> Strategy {
        Strategy::DependencyFix
    }

    fn examine(&self, _case: &Case<'_>) -> Vec<Finding> {
        Vec::new()
    }
}
