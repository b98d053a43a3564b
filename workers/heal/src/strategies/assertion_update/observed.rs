//! The two texts that an assertion compares, as the runner prints them, and the words in which they differ.

use std::sync::LazyLock;

use regex::Regex;

use crate::failure::Failure;

/// How runners print two texts that are not what they should be to each other. Which of the two is the expected one,
/// the test's source says.
const FORMS: &[&str] = &[
    r"(?s)assert (?:'([^'\n]*)'|\x22([^\x22\n]*)\x22) (?:==|in) (?:'([^'\n]*)'|\x22([^\x22\n]*)\x22)",
    r"(?s)(?:'([^'\n]*)'|\x22([^\x22\n]*)\x22) (?:!=|not found in) (?:'([^'\n]*)'|\x22([^\x22\n]*)\x22)",
    r"(?s)(?:Regex|Expected regex): (?:'([^\n]*)'|\x22([^\n]*)\x22)\n\s*(?:E\s*)?(?:Input|Actual message): (?:'([^\n]*)'|\x22([^\n]*)\x22)",
];

/// The two texts; `None` where they are none, or cut.
pub(super) fn texts(failure: &Failure) -> Option<(String, String)> {
    static COMPILED: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        FORMS
            .iter()
            .filter_map(|form| Regex::new(form).ok())
            .collect()
    });
    for form in COMPILED.iter() {
        let Some(found) = form.captures(&failure.message) else {
            continue;
        };
        let group = |a: usize, b: usize| found.get(a).or(found.get(b)).map(|text| text.as_str());
        let (one, other) = (group(1, 2)?, group(3, 4)?);
        if !one.contains("...") && !other.contains("...") {
            return Some((plain(one), plain(other)));
        }
    }
    of_lines(&failure.message).or_else(|| of_lines(&failure.text))
}

fn plain(text: &str) -> String {
    text.replace("\\\\", "\\").replace("\\'", "'")
}

/// The only lines of a difference: `- expected`, `+ actual`.
fn of_lines(text: &str) -> Option<(String, String)> {
    let line = |mark: &str| {
        let mut lines = text.lines().filter_map(|line| {
            let line = line.strip_prefix('E').unwrap_or(line).trim_start();
            line.strip_prefix(mark)
        });
        let first = lines.next()?;
        lines.next().is_none().then(|| first.trim().to_owned())
    };
    Some((line("- ")?, line("+ ")?))
}
