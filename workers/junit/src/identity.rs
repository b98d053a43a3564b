//! The id by which a runner finds a test again.

use maestro_protocol::project::Framework;

use crate::case::Case;
use crate::files::Files;
use crate::{javascript, pytest, unittest};

/// The runner's own id of a case; empty where the case has no name at all.
pub(crate) fn id(case: &Case, framework: Option<Framework>, files: &dyn Files) -> String {
    if case.classname.is_empty() && case.name.is_empty() {
        return String::new();
    }
    match framework {
        Some(Framework::Pytest) => pytest::node_id(case, files),
        Some(Framework::Unittest) => unittest::dotted_name(case),
        Some(runner @ (Framework::Jest | Framework::Vitest | Framework::NodeTest)) => {
            javascript::titled(case, runner)
        }
        // As nextest prints it: the binary's id, then the test's path. What is unknown is named in the same way.
        Some(Framework::Cargo) | None if case.classname.is_empty() => case.name.clone(),
        Some(Framework::Cargo) | None => format!("{} {}", case.classname, case.name),
    }
}
