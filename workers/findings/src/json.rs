//! JSON into types, with errors that name the member and what was expected there.

use serde::de::DeserializeOwned;

/// Why a report cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is no text.
    #[error("expected UTF-8, but found something else at byte {0}")]
    Encoding(usize),
    /// It is too large.
    #[error("it has {bytes} bytes, but a report has at most {most}")]
    TooLarge {
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        most: usize,
    },
    /// It finds too much.
    #[error("it has more than {0} findings")]
    TooMany(usize),
    /// It is in none of the formats.
    #[error(
        "expected SARIF 2.1.0, JSON of cargo, rustc, mypy, ruff or eslint, or the lines of `tsc --pretty false`, but found {0}"
    )]
    Unknown(String),
    /// A member is missing or is something else.
    #[error("at {place}: {problem}")]
    Member {
        /// The member's path: `$.runs[0].tool`, where there are lines with the line's number in front.
        place: String,
        /// What was expected, and what there is.
        problem: String,
    },
}

/// Reads JSON; `line` is its number where a report is one of lines.
pub(crate) fn typed<T: DeserializeOwned>(text: &str, line: Option<usize>) -> Result<T, Unreadable> {
    let deserializer = &mut serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let path = error.path().to_string();
        let path = match path.as_str() {
            "." | "" => "$".to_owned(),
            path if path.starts_with('[') => format!("${path}"),
            path => format!("$.{path}"),
        };
        Unreadable::Member {
            place: match line {
                Some(line) => format!("line {line}, `{path}`"),
                None => format!("`{path}`"),
            },
            problem: sentence(error.inner(), line.is_some()),
        }
    })
}

/// "expected …, but found …" where serde says which; the place in the text is told where the path does not.
fn sentence(error: &serde_json::Error, by_line: bool) -> String {
    let text = error.to_string();
    let (said, at) = text
        .rsplit_once(" at line ")
        .map_or((text.as_str(), None), |(said, at)| (said, Some(at)));
    for what in ["invalid type: ", "invalid value: "] {
        if let Some((found, expected)) = said
            .strip_prefix(what)
            .and_then(|rest| rest.rsplit_once(", expected "))
        {
            return format!("expected {}, but found {found}", in_json(expected));
        }
    }
    if let Some(member) = said.strip_prefix("missing field ") {
        return format!("expected a member {member}, but found none");
    }
    match at {
        Some(at) if !by_line => format!("expected JSON, but found this at line {at}: {said}"),
        _ => format!("expected JSON, but found this: {said}"),
    }
}

/// What serde calls after Rust's types, by the names of JSON.
fn in_json(expected: &str) -> &str {
    match expected {
        "a sequence" => "an array",
        "a map" => "an object",
        text if text.starts_with("struct ") => "an object",
        text => text,
    }
}

/// A value of a list or of an object that may be missing or null.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: serde::Deserialize<'de> + Default,
{
    Ok(<Option<T> as serde::Deserialize>::deserialize(deserializer)?.unwrap_or_default())
}

/// A number of lines or columns; nothing where a tool writes 0 or -1 for "nowhere".
pub(crate) fn counted(number: Option<i64>) -> Option<u32> {
    number
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| *number > 0)
}
