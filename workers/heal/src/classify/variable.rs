//! The environment variable that a failure asks for, read from the words of those who ask: `os.environ`, the
//! libraries that read settings, and people's own exceptions.

use std::sync::LazyLock;

use regex::Regex;

use super::subject::Said;
use crate::failure::Failure;

/// Wordings in which a variable is said to be missing; the first group is its name.
const WORDINGS: &[&str] = &[
    // Django's `ImproperlyConfigured` of django-environ, and people's own.
    r"(?i:set the) `?'?([A-Z][A-Z0-9_]+)'?`? (?i:env)",
    // python-decouple.
    r"^([A-Z][A-Z0-9_]+) not found\. Declare it as envvar",
    // environs, and most of what people write.
    r#"(?i:env(?:ironment)?(?: ?var(?:iable)?)?):?\s+[`'"$]*([A-Z][A-Z0-9_]+)[`'"]*"#,
    r#"[`'"$]*\b([A-Z][A-Z0-9_]+)\b[`'"]* (?i:env(?:ironment)? ?var(?:iable)?)"#,
    r#"^[`'"$]*([A-Z][A-Z0-9]*_[A-Z0-9_]+)[`'"]* (?i:is )?(?i:not set|not defined|unset|must be set|is required|is missing)"#,
];

/// The variable that is missing, where the failure says so beyond doubt.
pub(super) fn missing(said: &Said, failure: &Failure) -> Option<String> {
    static COMPILED: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        WORDINGS
            .iter()
            .filter_map(|wording| Regex::new(wording).ok())
            .collect()
    });
    if said.exception == "KeyError" {
        let asked = failure.frames.last().is_some_and(|frame| {
            frame.function == "__getitem__"
                && (frame.path.ends_with("/os.py") || frame.path.contains("frozen os"))
        });
        let name = said.message.trim().trim_matches(['\'', '"']);
        return (asked && is_name(name)).then(|| name.to_owned());
    }
    if said.exception.is_empty() || said.exception == "AssertionError" {
        return None;
    }
    let line = said.message.lines().next().unwrap_or_default();
    let says_missing = [
        "not set",
        "not defined",
        "unset",
        "must be set",
        "required",
        "missing",
        "not found",
        "no environment variable",
        "set the",
        "undefined",
        "please set",
    ];
    let low = line.to_lowercase();
    if !says_missing.iter().any(|words| low.contains(words)) {
        return None;
    }
    COMPILED
        .iter()
        .find_map(|wording| wording.captures(line)?.get(1))
        .map(|name| name.as_str().to_owned())
}

fn is_name(name: &str) -> bool {
    name.chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Phase;
    use crate::strategies::fake::failure;

    fn of(exception: &str, message: &str, innermost: (&str, &str)) -> Option<String> {
        let mut failed = failure(Some("t.py::t"), Phase::Call, "x", &[(innermost.0, 1)]);
        failed.frames[0].function = innermost.1.to_owned();
        let said = Said {
            exception: exception.to_owned(),
            message: message.to_owned(),
        };
        missing(&said, &failed)
    }

    #[test]
    fn a_key_that_the_environment_lacks_is_a_variable_and_any_other_key_is_not() {
        let environ = ("<frozen os>", "__getitem__");
        assert_eq!(of("KeyError", "'API_URL'", environ), Some("API_URL".into()));
        let old = ("/usr/lib/python3.9/os.py", "__getitem__");
        assert_eq!(of("KeyError", "'API_URL'", old), Some("API_URL".into()));
        assert_eq!(of("KeyError", "'API_URL'", ("pkg/a.py", "f")), None);
    }

    #[test]
    fn the_wordings_of_libraries_and_of_people_are_read() {
        let place = ("pkg/a.py", "f");
        for (message, name) in [
            ("Set the DATABASE_URL environment variable", "DATABASE_URL"),
            (
                "API_URL not found. Declare it as envvar or define a default value.",
                "API_URL",
            ),
            ("Environment variable \"REGION\" not set", "REGION"),
            ("environment variable 'REGION' is required", "REGION"),
            ("the REGION environment variable must be set", "REGION"),
            ("APP_HOME is not set", "APP_HOME"),
            ("Missing environment variable: APP_HOME", "APP_HOME"),
        ] {
            assert_eq!(
                of("RuntimeError", message, place).as_deref(),
                Some(name),
                "{message}"
            );
        }
        for message in [
            "HTTP is not set",
            "the column NAME is missing",
            "VALUE is required",
            "APP_HOME is set twice",
        ] {
            assert_eq!(of("ValueError", message, place), None, "{message}");
        }
        assert_eq!(of("AssertionError", "APP_HOME is not set", place), None);
    }
}
