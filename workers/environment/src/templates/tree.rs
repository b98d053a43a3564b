//! A template's document: a manifest with expressions in it, and three directives.
//!
//! - `$when: expression` in a map leaves the map out unless the expression is true.
//! - `$for: name in expression` in a map that is an item of a list, or a whole document, repeats it.
//! - `$merge: expression` in a map adds the entries of another; those written out win.
//!
//! Keys are never evaluated. A key that begins with `$` is written `$$`.

use minijinja::Environment;
use serde_json::Value;
use serde_saphyr::Spanned;

use super::expression::{Expression, Text};
use super::fault::{Misplaced, Place};
use super::yaml::Yaml;

/// A node, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) at: Place,
    pub(super) shape: Shape,
}

#[derive(Debug, Clone)]
pub(super) enum Shape {
    Scalar(Value),
    Text(Text),
    List(Vec<Node>),
    Map(Map),
}

/// A map with its directives.
#[derive(Debug, Clone, Default)]
pub(super) struct Map {
    pub(super) when: Option<Expression>,
    pub(super) each: Option<Each>,
    pub(super) merge: Option<Expression>,
    pub(super) entries: Vec<(String, Node)>,
}

/// `$for: variable in list`.
#[derive(Debug, Clone)]
pub(super) struct Each {
    pub(super) variable: String,
    pub(super) list: Expression,
}

/// Whether a map may be repeated where it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeats {
    Yes,
    No,
}

/// Turns YAML into nodes.
pub(super) struct Reader<'a> {
    pub(super) file: &'a str,
    pub(super) engine: &'a Environment<'static>,
}

impl Reader<'_> {
    pub(super) fn node(&self, yaml: &Spanned<Yaml>, repeats: Repeats) -> Result<Node, Misplaced> {
        let at = Place::from(yaml.defined);
        let shape = match &yaml.value {
            Yaml::Scalar(value) => Shape::Scalar(value.clone()),
            Yaml::Text(text) => {
                let start = yaml.defined.span().byte_offset();
                let start = start.and_then(|start| usize::try_from(start).ok());
                let start = start.unwrap_or(self.file.len());
                Shape::Text(Text::new(text, self.file, start, at, self.engine)?)
            }
            Yaml::List(items) => Shape::List(
                items
                    .iter()
                    .map(|item| self.node(item, Repeats::Yes))
                    .collect::<Result<_, _>>()?,
            ),
            Yaml::Map(entries) => Shape::Map(self.map(entries, repeats)?),
        };
        Ok(Node { at, shape })
    }

    fn map(
        &self,
        entries: &[(Spanned<String>, Spanned<Yaml>)],
        repeats: Repeats,
    ) -> Result<Map, Misplaced> {
        let mut map = Map::default();
        for (key, value) in entries {
            let at = Place::from(key.defined);
            match key.value.as_str() {
                "$when" => map.when = Some(self.expression(&key.value, value)?),
                "$merge" => map.merge = Some(self.expression(&key.value, value)?),
                "$for" if repeats == Repeats::Yes => map.each = Some(self.each(value)?),
                "$for" => {
                    return Err(Misplaced::new(
                        at,
                        "`$for` stands in an item of a list or at the top of a document, since only there can something \
                         be repeated",
                    ));
                }
                other if other.contains("{{") => {
                    return Err(Misplaced::new(
                        at,
                        "keys are not evaluated; `$merge` adds entries whose keys are not known beforehand",
                    ));
                }
                other => {
                    let plain = match other.strip_prefix('$') {
                        None => other,
                        Some(escaped) if escaped.starts_with('$') => escaped,
                        Some(_) => {
                            return Err(Misplaced::new(
                                at,
                                format!(
                                    "`{other}` is no directive; there are `$when`, `$for` and `$merge`, and a key that \
                                     begins with `$` is written `$$`"
                                ),
                            ));
                        }
                    };
                    map.entries
                        .push((plain.to_owned(), self.node(value, Repeats::No)?));
                }
            }
        }
        Ok(map)
    }

    /// The value of a directive: an expression without braces.
    fn expression(&self, directive: &str, yaml: &Spanned<Yaml>) -> Result<Expression, Misplaced> {
        let at = Place::from(yaml.defined);
        match &yaml.value {
            Yaml::Text(text) if !text.trim_start().starts_with("{{") => {
                Expression::new(text, at, self.engine)
            }
            Yaml::Scalar(value @ Value::Bool(_)) => {
                Expression::new(&value.to_string(), at, self.engine)
            }
            _ => Err(Misplaced::new(
                at,
                format!("`{directive}` takes one expression, without braces around it"),
            )),
        }
    }

    fn each(&self, yaml: &Spanned<Yaml>) -> Result<Each, Misplaced> {
        let wrong = || {
            Misplaced::new(
                yaml.defined.into(),
                "`$for` takes `name in expression`, without braces around it",
            )
        };
        let Yaml::Text(text) = &yaml.value else {
            return Err(wrong());
        };
        let (variable, list) = text.split_once(" in ").ok_or_else(wrong)?;
        let variable = variable.trim();
        let named = variable
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !named || !variable.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return Err(wrong());
        }
        Ok(Each {
            variable: variable.to_owned(),
            list: Expression::new(list, yaml.defined.into(), self.engine)?,
        })
    }
}

impl Node {
    /// Where the value at `path` of what this renders to comes from; the nearest node that is known where it comes
    /// from an expression or an item was left out.
    pub(super) fn place_of(&self, path: &[&str]) -> Place {
        let Some((first, rest)) = path.split_first() else {
            return self.at;
        };
        let below = match &self.shape {
            Shape::Map(map) => map.entries.iter().find(|(key, _)| key == first),
            Shape::List(items) => {
                let repeated = items
                    .iter()
                    .any(|item| matches!(&item.shape, Shape::Map(map) if map.each.is_some()));
                return match first.parse::<usize>().ok().and_then(|at| items.get(at)) {
                    Some(item) if !repeated => item.place_of(rest),
                    _ => self.at,
                };
            }
            _ => None,
        };
        below.map_or(self.at, |(_, node)| node.place_of(rest))
    }
}
