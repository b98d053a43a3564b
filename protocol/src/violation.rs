//! What a payload says that its type does not allow, and where.

use std::fmt;

use serde_json::Value;

use crate::path::{JsonPath, Segment};

/// A place in a payload at which something else was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`data` at `{path}`: expected {expected}, but found {found}")]
pub struct Violation {
    /// Where.
    pub path: JsonPath,
    /// What is allowed there, as a noun phrase.
    pub expected: String,
    /// What stands there, as a noun phrase; long values are cut.
    pub found: String,
}

impl Violation {
    /// A violation of the value at hand; [`Within`] adds where that value stands.
    pub fn new(expected: impl Into<String>, found: impl fmt::Display) -> Self {
        Self {
            path: JsonPath::default(),
            expected: expected.into(),
            found: found.to_string(),
        }
    }

    /// A violation by a string.
    pub fn of_text(expected: impl Into<String>, found: &str) -> Self {
        Self::new(expected, Quoted(found))
    }
}

/// Adds to a violation where the value stood, from the inside out.
pub(crate) trait Within {
    /// It was the value of this member.
    fn member(self, name: &str) -> Self;
    /// It was this item of an array.
    fn item(self, index: usize) -> Self;
}

impl Within for Result<(), Violation> {
    fn member(self, name: &str) -> Self {
        self.map_err(|violation| violation.inside(Segment::Member(name.to_owned())))
    }

    fn item(self, index: usize) -> Self {
        self.map_err(|violation| violation.inside(Segment::Item(index)))
    }
}

impl Violation {
    fn inside(self, outer: Segment) -> Self {
        Self {
            path: self.path.inside(outer),
            ..self
        }
    }
}

/// The most characters of a found value that a sentence repeats.
const SHOWN: usize = 64;

/// A string as JSON, cut where it is long.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(SHOWN) {
            None => write!(f, "{}", Value::from(self.0)),
            Some((cut, _)) => write!(
                f,
                "{} and {} more bytes",
                Value::from(&self.0[..cut]),
                self.0.len() - cut
            ),
        }
    }
}

/// A value as a noun phrase: scalars as they are, arrays and objects by what they are.
pub(crate) fn described(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => Quoted(text).to_string(),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}
