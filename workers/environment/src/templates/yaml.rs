//! YAML as a tree whose every node knows where it stands.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use serde_saphyr::Spanned;

use super::fault::{Misplaced, Place};

/// A node of a document.
#[derive(Debug)]
pub(super) enum Yaml {
    /// Whatever is no string, list or map.
    Scalar(Value),
    Text(String),
    List(Vec<Spanned<Yaml>>),
    Map(Vec<(Spanned<String>, Spanned<Yaml>)>),
}

/// The documents of a file that are not empty. Scalars are read as `kubectl` does, which is YAML 1.1's way: `0440` is octal,
/// `yes` is a boolean.
pub(super) fn documents(text: &str) -> Result<Vec<Spanned<Yaml>>, Misplaced> {
    let options = serde_saphyr::options! {
        legacy_octal_numbers: true,
        with_snippet: false,
    };
    let documents: Vec<Spanned<Yaml>> = serde_saphyr::from_multiple_with_options(text, options)
        .map_err(|error| {
            let location = error.location();
            let at = location.map_or(Place::START, Place::from);
            let offset = location.and_then(|place| place.span().byte_offset());
            let rest = offset
                .and_then(|offset| text.get(usize::try_from(offset).ok()?..))
                .unwrap_or_default();
            Misplaced::new(at, sentence(&error, rest))
        })?;
    Ok(documents
        .into_iter()
        .filter(|document| !matches!(document.value, Yaml::Scalar(Value::Null)))
        .collect())
}

/// The parser's word without the place, which stands elsewhere.
fn sentence(error: &serde_saphyr::Error, rest: &str) -> String {
    if rest.starts_with("{{") {
        return "an expression stands in quotes, `\"{{ … }}\"`, since YAML reads a bare `{` as a map"
            .to_owned();
    }
    let text = error.without_snippet().to_string();
    let line = text.lines().next().unwrap_or_default();
    let line = line.rsplit_once(" at line ").map_or(line, |(word, _)| word);
    let line = line
        .split(", set DuplicateKeyPolicy")
        .next()
        .unwrap_or(line);
    format!("no valid YAML: {line}")
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Yaml;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML that JSON can say too")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Yaml, E> {
        Ok(Yaml::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Yaml, E> {
        Ok(Yaml::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Yaml, E> {
        Ok(Yaml::Scalar(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Yaml, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number without an end"))?;
        Ok(Yaml::Scalar(number.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Yaml, E> {
        Ok(Yaml::Text(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Scalar(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Yaml, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Yaml::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Yaml, A::Error> {
        let mut entries: Vec<(Spanned<String>, Spanned<Yaml>)> = Vec::new();
        while let Some(entry) = access.next_entry::<Spanned<String>, Spanned<Yaml>>()? {
            if entries.iter().any(|(key, _)| key.value == entry.0.value) {
                return Err(A::Error::custom(format_args!(
                    "`{}` stands twice",
                    entry.0.value
                )));
            }
            entries.push(entry);
        }
        Ok(Yaml::Map(entries))
    }
}
