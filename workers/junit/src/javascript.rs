//! Test ids of the three JavaScript runners: the file, and the test's full title.

use maestro_protocol::project::Framework;

use crate::case::Case;

/// `file::title`, or the title alone where the report does not name the file.
pub(crate) fn titled(case: &Case, framework: Framework) -> String {
    let file = match framework {
        // vitest puts the file where others put the class.
        Framework::Vitest => Some(case.classname.as_str()).filter(|name| name.contains('.')),
        _ => case.file.as_deref().or_else(|| case.suite_file()),
    };
    let title = match framework {
        // jest-junit writes the full title into both by default, and the describe block into the class if told so.
        Framework::Jest
            if !case.classname.is_empty() && !case.name.starts_with(&case.classname) =>
        {
            format!("{} {}", case.classname, case.name)
        }
        // Node nests its suites, and a title is unique only within them.
        Framework::NodeTest => case
            .suites()
            .into_iter()
            .chain([case.name.as_str()])
            .collect::<Vec<_>>()
            .join(" > "),
        _ => case.name.clone(),
    };
    match file {
        Some(file) => format!("{file}::{title}"),
        None => title,
    }
}
