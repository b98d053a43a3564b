//! Where in a JSON document something stands, written the way `JSONPath` (RFC 9535) writes it: `$.project.install[2]`.

use std::fmt;

/// One step into a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// A member of an object.
    Member(String),
    /// An item of an array, counted from 0.
    Item(usize),
}

/// A place in a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JsonPath(pub Vec<Segment>);

impl JsonPath {
    /// The path of the same place, seen from one level further out.
    #[must_use]
    pub fn inside(mut self, outer: Segment) -> Self {
        self.0.insert(0, outer);
        self
    }

    /// The path of a member of what stands here.
    #[must_use]
    pub fn member(mut self, name: impl Into<String>) -> Self {
        self.0.push(Segment::Member(name.into()));
        self
    }

    /// What stands at this path in a document.
    pub fn find<'a>(&self, document: &'a serde_json::Value) -> Option<&'a serde_json::Value> {
        self.0
            .iter()
            .try_fold(document, |value, segment| match segment {
                Segment::Member(name) => value.get(name),
                Segment::Item(index) => value.get(index),
            })
    }
}

impl From<&serde_path_to_error::Path> for JsonPath {
    fn from(path: &serde_path_to_error::Path) -> Self {
        use serde_path_to_error::Segment as Seen;
        Self(
            path.iter()
                .filter_map(|segment| match segment {
                    Seen::Seq { index } => Some(Segment::Item(*index)),
                    Seen::Map { key } => Some(Segment::Member(key.clone())),
                    // The variant of an enum is the value itself, no step into the document.
                    Seen::Enum { .. } | Seen::Unknown => None,
                })
                .collect(),
        )
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        for segment in &self.0 {
            match segment {
                Segment::Item(index) => write!(f, "[{index}]")?,
                Segment::Member(name) if is_plain(name) => write!(f, ".{name}")?,
                Segment::Member(name) => {
                    let name: String = name.chars().take(64).collect();
                    write!(f, "[{}]", serde_json::Value::String(name))?;
                }
            }
        }
        Ok(())
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_jsonpath_and_quotes_what_is_no_name() {
        let path = JsonPath(vec![
            Segment::Member("runtime".into()),
            Segment::Member("install".into()),
            Segment::Item(2),
            Segment::Member("a.b".into()),
        ]);
        assert_eq!(path.to_string(), "$.runtime.install[2][\"a.b\"]");
        assert_eq!(JsonPath::default().to_string(), "$");
    }
}
