//! Which runner wrote a report.

use maestro_protocol::project::Framework;

use super::report::{Case, Report};

/// The runner, told by the names that it gives its suites, else by the files that its tests stand in.
pub(crate) fn of(report: &Report) -> Option<Framework> {
    let names = || report.names.iter().map(String::as_str);
    if names().any(|name| name == "pytest" || name == "pytest tests") {
        return Some(Framework::Pytest);
    }
    if names().any(|name| name == "nextest-run" || name == "nextest") {
        return Some(Framework::Cargo);
    }
    if names().any(|name| name == "jest tests") {
        return Some(Framework::Jest);
    }
    if names().any(|name| name == "vitest tests") {
        return Some(Framework::Vitest);
    }
    report.failing.iter().find_map(of_case)
}

fn of_case(case: &Case) -> Option<Framework> {
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
    match extension(case.file.as_deref().or(case.suite_file.as_deref())?)?.as_str() {
        "py" => Some(Framework::Pytest),
        "rs" => Some(Framework::Cargo),
        _ => None,
    }
}

/// A runner's name as the wire says it.
pub(crate) const fn name(framework: Framework) -> &'static str {
    match framework {
        Framework::Pytest => "pytest",
        Framework::Unittest => "unittest",
        Framework::NodeTest => "node-test",
        Framework::Jest => "jest",
        Framework::Vitest => "vitest",
        Framework::Cargo => "cargo",
    }
}
