//! From a template's tree to manifests: values go where an expression stands, and can change nothing around it.

use minijinja::Environment;
use serde_json::Value;

use super::expression::{Expression, Scope, Text};
use super::fault::Misplaced;
use super::tree::{Each, Map, Node, Shape};

/// The most times that `$for` repeats something.
const REPEATS: usize = 10_000;

/// Renders nodes with one engine.
pub(super) struct Renderer<'a> {
    pub(super) engine: &'a Environment<'static>,
}

impl Renderer<'_> {
    /// The manifests of a document: one, none with `$when`, any number with `$for`.
    pub(super) fn document(&self, node: &Node, scope: &Scope) -> Result<Vec<Value>, Misplaced> {
        let mut manifests = Vec::new();
        self.items(node, scope, &mut manifests)?;
        Ok(manifests)
    }

    /// `None` for what is left out.
    fn node(&self, node: &Node, scope: &Scope) -> Result<Option<Value>, Misplaced> {
        match &node.shape {
            Shape::Scalar(value) => Ok(Some(value.clone())),
            Shape::Text(text) => self.text(text, scope),
            Shape::List(nodes) => {
                let mut items = Vec::with_capacity(nodes.len());
                for node in nodes {
                    self.items(node, scope, &mut items)?;
                }
                Ok(Some(items.into()))
            }
            Shape::Map(map) => self.map(map, scope),
        }
    }

    /// Adds what an item of a list becomes.
    fn items(&self, node: &Node, scope: &Scope, into: &mut Vec<Value>) -> Result<(), Misplaced> {
        let Shape::Map(
            map @ Map {
                each: Some(Each { variable, list }),
                ..
            },
        ) = &node.shape
        else {
            into.extend(self.node(node, scope)?);
            return Ok(());
        };
        let values = list.evaluate(scope, self.engine)?;
        let values = match values.kind() {
            minijinja::value::ValueKind::Seq => values
                .try_iter()
                .map_err(|error| list.misplaced(error.to_string()))?,
            kind => return Err(list.misplaced(format!("a {kind} is no list"))),
        };
        for (number, value) in values.enumerate() {
            if number >= REPEATS {
                return Err(list.misplaced(format!("more than {REPEATS} items")));
            }
            into.extend(self.map(map, &scope.with(variable, value))?);
        }
        Ok(())
    }

    fn map(&self, map: &Map, scope: &Scope) -> Result<Option<Value>, Misplaced> {
        if let Some(when) = &map.when
            && !self.is_true(when, scope)?
        {
            return Ok(None);
        }
        let mut entries = match &map.merge {
            None => serde_json::Map::new(),
            Some(merge) => match merge.json(scope, self.engine)? {
                None => serde_json::Map::new(),
                Some(Value::Object(entries)) => entries,
                Some(_) => return Err(merge.misplaced("`$merge` takes a map")),
            },
        };
        for (key, node) in &map.entries {
            match self.node(node, scope)? {
                Some(value) => entries.insert(key.clone(), value),
                None => entries.remove(key),
            };
        }
        Ok(Some(entries.into()))
    }

    fn is_true(&self, when: &Expression, scope: &Scope) -> Result<bool, Misplaced> {
        Ok(when.evaluate(scope, self.engine)?.is_true())
    }

    fn text(&self, text: &Text, scope: &Scope) -> Result<Option<Value>, Misplaced> {
        match text {
            Text::Literal(text) => Ok(Some(text.as_str().into())),
            Text::Value(expression) => expression.json(scope, self.engine),
            Text::Mixed(pieces) => {
                let mut whole = String::new();
                for piece in pieces {
                    piece.write(&mut whole, scope, self.engine)?;
                }
                Ok(Some(whole.into()))
            }
        }
    }
}
