//! Which format a report has, told by its content.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::bounds::{Limits, cut};
use crate::json::Unreadable;
use crate::place::Place;
use crate::report::{Gathering, Report};
use crate::{cargo, eslint, mypy, ruff, sarif, tsc};

/// A format of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// [SARIF 2.1.0](https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html).
    Sarif,
    /// [`cargo … --message-format=json`](https://doc.rust-lang.org/cargo/reference/external-tools.html#json-messages).
    Cargo,
    /// [`rustc --error-format=json`](https://doc.rust-lang.org/rustc/json.html).
    Rustc,
    /// [`mypy --output json`](https://mypy.readthedocs.io/en/stable/command_line.html#cmdoption-mypy-output).
    Mypy,
    /// [`ruff check --output-format json`, or `json-lines`](https://docs.astral.sh/ruff/settings/#output-format).
    Ruff,
    /// [`eslint -f json`](https://eslint.org/docs/latest/use/formatters/#json).
    Eslint,
    /// `tsc --pretty false`: `file(line,column): error TS1234: message`.
    Tsc,
}

/// Reads a report of any of the formats. An empty one finds nothing, as that of a checker that is content.
///
/// # Errors
/// When it has none of the formats, or a member of it is not what its format says.
pub fn read(bytes: &[u8], limits: &Limits, place: &Place) -> Result<Report, Unreadable> {
    if bytes.len() > limits.bytes {
        return Err(Unreadable::TooLarge {
            bytes: bytes.len(),
            most: limits.bytes,
        });
    }
    let text =
        std::str::from_utf8(bytes).map_err(|error| Unreadable::Encoding(error.valid_up_to()))?;
    let text = text.trim_start_matches('\u{feff}');
    let Some(format) = format(text)? else {
        return Ok(Gathering::new(None, limits).done());
    };
    let mut gathering = Gathering::new(Some(format), limits);
    match format {
        Format::Sarif => sarif::read(text, place, &mut gathering)?,
        Format::Cargo | Format::Rustc => cargo::read(text, format, place, &mut gathering)?,
        Format::Mypy => mypy::read(text, place, &mut gathering)?,
        Format::Ruff => ruff::read(text, place, &mut gathering)?,
        Format::Eslint => eslint::read(text, place, &mut gathering)?,
        Format::Tsc => tsc::read(text, place, &mut gathering)?,
    }
    Ok(gathering.done())
}

/// `None` of a report in which there is nothing.
fn format(text: &str) -> Result<Option<Format>, Unreadable> {
    let trimmed = text.trim_start();
    match trimmed.chars().next() {
        None => Ok(None),
        Some('[') => of_array(trimmed),
        Some('{') => of_object(trimmed).map(Some),
        Some(_) => match first_object(trimmed) {
            // Cargo's lines may stand among what its programs print.
            Some(object) if object.has("reason") => Ok(Some(Format::Cargo)),
            _ => of_lines(trimmed).map(Some),
        },
    }
}

fn of_array(text: &str) -> Result<Option<Format>, Unreadable> {
    let inside = &text[1..];
    if inside.trim_start().starts_with(']') {
        return Ok(None);
    }
    let Some(first) = members(inside) else {
        let expected = "expected an object";
        // If the JSON is broken, that is what is wrong.
        return crate::json::typed::<IgnoredAny>(text, None).and_then(|_| {
            Err(Unreadable::Member {
                place: "`$[0]`".to_owned(),
                problem: format!("{expected} {OF_RUFF_OR_ESLINT}, but found something else"),
            })
        });
    };
    if first.has("messages") {
        Ok(Some(Format::Eslint))
    } else if first.has("location") || first.has("code") {
        Ok(Some(Format::Ruff))
    } else {
        Err(Unreadable::Member {
            place: "`$[0]`".to_owned(),
            problem: format!(
                "expected an object {OF_RUFF_OR_ESLINT}, but found {}",
                shape(&first)
            ),
        })
    }
}

const OF_RUFF_OR_ESLINT: &str =
    "of ruff (with `code` and `location`) or of eslint (with `filePath` and `messages`)";

fn of_object(text: &str) -> Result<Format, Unreadable> {
    let Some(object) = members(text) else {
        // It says where the JSON ends that it begins with.
        return crate::json::typed::<IgnoredAny>(text, None)
            .and_then(|_| Err(Unreadable::Unknown("other JSON".to_owned())));
    };
    let has = |member: &str| object.has(member);
    if has("runs") || (has("version") && has("$schema")) {
        Ok(Format::Sarif)
    } else if has("reason") {
        Ok(Format::Cargo)
    } else if has("$message_type") || (has("spans") && has("level")) {
        Ok(Format::Rustc)
    } else if has("location") && has("filename") {
        Ok(Format::Ruff)
    } else if has("file") && has("severity") {
        Ok(Format::Mypy)
    } else {
        Err(Unreadable::Unknown(shape(&object)))
    }
}

fn of_lines(text: &str) -> Result<Format, Unreadable> {
    if tsc::is_pretty(text) {
        return Err(Unreadable::Unknown(
            "what `tsc` prints for a terminal, so run it with `--pretty false`".to_owned(),
        ));
    }
    if text.lines().any(tsc::is_line) {
        return Ok(Format::Tsc);
    }
    let line = text.lines().next().unwrap_or_default();
    Err(Unreadable::Unknown(format!(
        "a text that begins with `{}`",
        cut(line, 80).escape_debug()
    )))
}

/// The members of the first JSON object that begins a line: the whole report, or the first of its lines.
fn first_object(text: &str) -> Option<Members> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.starts_with('{') {
            return members(&text[at..]);
        }
        at += line.len();
    }
    None
}

/// The names of an object's members. Nothing is kept of what they hold: a report may be large.
struct Members(BTreeSet<String>);

impl Members {
    fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut names = BTreeSet::new();
                while let Some((name, IgnoredAny)) = map.next_entry()? {
                    names.insert(name);
                }
                Ok(Members(names))
            }
        }
        deserializer.deserialize_map(Names)
    }
}

/// The members of the object that a text begins with.
fn members(text: &str) -> Option<Members> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Members>();
    values.next()?.ok()
}

fn shape(members: &Members) -> String {
    let names: Vec<&str> = members.0.iter().map(String::as_str).take(8).collect();
    match names.as_slice() {
        [] => "an empty object".to_owned(),
        names => format!("an object with `{}`", cut(&names.join("`, `"), 200)),
    }
}
