//! Which runner wrote a report.

use maestro_protocol::project::Framework;

use crate::case::Case;

/// The runner, told by the name that it gives its root or a suite.
pub(crate) fn of_suite(name: &str) -> Option<Framework> {
    match name {
        "pytest" | "pytest tests" => Some(Framework::Pytest),
        "nextest-run" | "nextest" => Some(Framework::Cargo),
        "jest tests" => Some(Framework::Jest),
        "vitest tests" => Some(Framework::Vitest),
        _ => None,
    }
}

/// The runner, told by what a failing case looks like.
pub(crate) fn of_case(case: &Case) -> Option<Framework> {
    let extension = |path: &str| {
        path.rsplit_once('.')
            .map(|(_, extension)| extension.to_owned())
    };
    // Node's own reporter writes `classname="test"`, and the file where it knows it.
    if case.classname == "test" {
        return Some(Framework::NodeTest);
    }
    // unittest-xml-reporting appends the class and the time to the suite's name: `tests.test_x.T-20260701120000`.
    if case
        .problem
        .text
        .contains("Traceback (most recent call last):")
    {
        return Some(Framework::Unittest);
    }
    match extension(case.file.as_deref().or_else(|| case.suite_file())?)?.as_str() {
        "py" => Some(Framework::Pytest),
        "rs" => Some(Framework::Cargo),
        _ => None,
    }
}

/// A runner's name as the wire says it.
pub const fn name(framework: Framework) -> &'static str {
    match framework {
        Framework::Pytest => "pytest",
        Framework::Unittest => "unittest",
        Framework::NodeTest => "node-test",
        Framework::Jest => "jest",
        Framework::Vitest => "vitest",
        Framework::Cargo => "cargo",
    }
}
