//! Tests that do not fail each time. Which of their orders and seeds decide, this version cannot arrange for Rust, so it
//! says what was seen and changes nothing: a repair that passes now and then would prove nothing.

use maestro_protocol::heal::Strategy;

use crate::case::{Case, Finding, Repair};
use crate::rust::report::{TOGETHER, UNSTEADY};

/// See the module.
pub(super) struct FlakyTestStabilization;

impl Repair for FlakyTestStabilization {
    fn strategy(&self) -> Strategy {
        Strategy::FlakyTestStabilization
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        let Some(failure) = case.failures.first() else {
            return Vec::new();
        };
        let test = failure.test.as_deref().unwrap_or("a test");
        let said = match failure.code.as_deref() {
            Some(UNSTEADY) => format!(
                "{test} fails now and then when it is run the same way: what it depends on is unknown"
            ),
            Some(TOGETHER) => format!(
                "the tests of {test} pass one by one and fail together: they share something (a variable of the process, a file, a port) that one of them leaves changed"
            ),
            _ => return Vec::new(),
        };
        vec![Finding::Lacking(said)]
    }
}
