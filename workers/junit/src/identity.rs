//! The id by which a runner finds a test again.

use std::path::Path;

use maestro_protocol::project::Framework;

use super::report::Case;
use super::{javascript, pytest, unittest};

/// The runner's own id of a case; `directory` is where the tests were run.
pub(crate) fn id(case: &Case, framework: Framework, directory: &Path) -> String {
    match framework {
        Framework::Pytest => pytest::node_id(case, directory),
        Framework::Unittest => unittest::dotted_name(case),
        Framework::Jest | Framework::Vitest | Framework::NodeTest => {
            javascript::titled(case, framework)
        }
        // As nextest prints it: the binary's id, then the test's path.
        Framework::Cargo if case.classname.is_empty() => case.name.clone(),
        Framework::Cargo => format!("{} {}", case.classname, case.name),
    }
}
