//! The expressions inside a template's strings, and the engine that evaluates them.

use std::collections::BTreeMap;

use minijinja::value::{Serde, ValueKind};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};
use serde_json::Value as Json;

use super::fault::{Misplaced, Place};

/// What one expression may cost, in minijinja's measure: some 50,000 steps, or 3 MB of data.
const FUEL: u64 = 50_000;
/// The most characters of an expression that a sentence repeats.
const SHOWN: usize = 80;

/// Evaluates expressions, and nothing else: no statements, no other templates, no clock, no files.
pub(super) fn engine() -> Environment<'static> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    for function in ["debug", "dict", "namespace"] {
        engine.remove_global(function);
    }
    engine
}

/// The names that expressions may use, and what they stand for.
#[derive(Debug, Clone)]
pub(crate) struct Scope(BTreeMap<String, Value>);

impl Scope {
    /// The names of the members of `facts`, which is a JSON object.
    pub(crate) fn new(facts: serde_json::Map<String, Json>) -> Self {
        Self(
            facts
                .into_iter()
                .map(|(name, fact)| (name, Value::from(Serde(fact))))
                .collect(),
        )
    }

    /// The same names and one more.
    pub(super) fn with(&self, name: &str, value: Value) -> Self {
        let mut names = self.0.clone();
        names.insert(name.to_owned(), value);
        Self(names)
    }
}

/// One expression.
#[derive(Debug, Clone)]
pub(super) struct Expression {
    pub(super) source: String,
    pub(super) at: Place,
}

impl Expression {
    /// Takes it in if the engine can read it.
    pub(super) fn new(
        source: &str,
        at: Place,
        engine: &Environment<'static>,
    ) -> Result<Self, Misplaced> {
        let expression = Self {
            source: source.trim().to_owned(),
            at,
        };
        match engine.compile_expression_owned(expression.source.clone()) {
            Ok(_) => Ok(expression),
            Err(error) => {
                let why = error.detail().unwrap_or("it cannot be read").to_owned();
                Err(expression.misplaced(format!("is no expression: {why}")))
            }
        }
    }

    pub(super) fn evaluate(
        &self,
        scope: &Scope,
        engine: &Environment<'static>,
    ) -> Result<Value, Misplaced> {
        let compiled = engine
            .compile_expression_owned(self.source.clone())
            .map_err(|error| self.misplaced(why(&error)))?;
        let unknown = || {
            let mut roots: Vec<String> = compiled
                .undeclared_variables(false)
                .into_iter()
                .filter(|name| !scope.0.contains_key(name) && name != "range")
                .collect();
            roots.sort_unstable();
            roots.first().map(|name| {
                let known: Vec<&str> = scope.0.keys().map(String::as_str).collect();
                format!(
                    "nothing is called `{name}`; there are `{}`",
                    known.join("`, `")
                )
            })
        };
        match compiled.eval(Value::from(scope.0.clone())) {
            Ok(value) if value.is_undefined() => {
                let problem = unknown().unwrap_or_else(|| "this does not exist".to_owned());
                Err(self.misplaced(problem))
            }
            Ok(value) => Ok(value),
            Err(error) => {
                let problem = match error.kind() {
                    ErrorKind::UndefinedError => unknown().unwrap_or_else(|| why(&error)),
                    _ => why(&error),
                };
                Err(self.misplaced(problem))
            }
        }
    }

    /// The value as JSON; `None` for none, which leaves out whatever it is the value of.
    pub(super) fn json(
        &self,
        scope: &Scope,
        engine: &Environment<'static>,
    ) -> Result<Option<Json>, Misplaced> {
        let value = self.evaluate(scope, engine)?;
        if value.is_none() {
            return Ok(None);
        }
        serde_json::to_value(&value)
            .map(Some)
            .map_err(|error| self.misplaced(format!("is no value for a manifest: {error}")))
    }

    pub(super) fn misplaced(&self, problem: impl AsRef<str>) -> Misplaced {
        let shown = match self.source.char_indices().nth(SHOWN) {
            None => self.source.clone(),
            Some((cut, _)) => format!("{}…", &self.source[..cut]),
        };
        Misplaced::new(self.at, format!("`{shown}`: {}", problem.as_ref()))
    }
}

fn why(error: &Error) -> String {
    match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "it takes more work than an expression may".to_owned(),
        (_, Some(detail)) => detail.to_owned(),
        (kind, None) => kind.to_string(),
    }
}

/// A string of a template.
#[derive(Debug, Clone)]
pub(super) enum Text {
    /// Without expressions.
    Literal(String),
    /// One expression and nothing else: it becomes its value, of whatever type.
    Value(Expression),
    /// Expressions with text around, which are written into it.
    Mixed(Vec<Piece>),
}

/// A part of a [`Text::Mixed`].
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Literal(String),
    Value(Expression),
}

impl Text {
    /// Finds the expressions of a string. `source` is the file from where the string stands at `start` on.
    pub(super) fn new(
        text: &str,
        file: &str,
        start: usize,
        at: Place,
        engine: &Environment<'static>,
    ) -> Result<Self, Misplaced> {
        let mut pieces = Vec::new();
        let mut rest = text;
        // How many `{{` of the string, whatever they are, have been passed: so many are passed in the file, too.
        let mut passed = 0;
        while let Some(open) = rest.find("{{") {
            let (before, from) = rest.split_at(open);
            literal(before, &mut pieces, at)?;
            let place = place_of(file, start, passed).unwrap_or(at);
            let Some(length) = length_of_expression(&from[2..]) else {
                return Err(Misplaced::new(place, "`{{` without its `}}`"));
            };
            let source = &from[2..2 + length];
            pieces.push(Piece::Value(Expression::new(source, place, engine)?));
            passed += 1 + source.matches("{{").count();
            rest = &from[2 + length + 2..];
        }
        literal(rest, &mut pieces, at)?;
        Ok(match <[Piece; 1]>::try_from(pieces) {
            Ok([Piece::Literal(text)]) => Self::Literal(text),
            Ok([Piece::Value(expression)]) => Self::Value(expression),
            Err(pieces) if pieces.is_empty() => Self::Literal(String::new()),
            Err(pieces) => Self::Mixed(pieces),
        })
    }
}

impl Piece {
    /// Writes it into a string; only what has one obvious form as text can be.
    pub(super) fn write(
        &self,
        into: &mut String,
        scope: &Scope,
        engine: &Environment<'static>,
    ) -> Result<(), Misplaced> {
        match self {
            Self::Literal(text) => into.push_str(text),
            Self::Value(expression) => {
                let value = expression.evaluate(scope, engine)?;
                match value.kind() {
                    ValueKind::String | ValueKind::Number => into.push_str(&value.to_string()),
                    ValueKind::Bool => {
                        into.push_str(if value.is_true() { "true" } else { "false" });
                    }
                    kind => {
                        return Err(expression.misplaced(format!(
                            "a {kind} cannot be written into a text; a string or a number can"
                        )));
                    }
                }
            }
        }
        Ok(())
    }
}

fn literal(text: &str, pieces: &mut Vec<Piece>, at: Place) -> Result<(), Misplaced> {
    if text.contains("{%") || text.contains("{#") {
        return Err(Misplaced::new(
            at,
            "statements and comments of Jinja are not read here; `$when` and `$for` take their place, and `{{ '{%' }}` writes \
             it as it is",
        ));
    }
    if !text.is_empty() {
        pieces.push(Piece::Literal(text.to_owned()));
    }
    Ok(())
}

/// How many bytes there are before the `}}` that ends an expression: not one inside of a string or of its maps.
fn length_of_expression(text: &str) -> Option<usize> {
    let (mut quote, mut depth, mut skip) = (None, 0_u32, false);
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        if skip {
            skip = false;
            continue;
        }
        match (quote, byte) {
            (Some(_), b'\\') => skip = true,
            (Some(open), byte) if byte == open => quote = None,
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'{') => depth += 1,
            (None, b'}') if depth > 0 => depth -= 1,
            (None, b'}') if bytes.peek().is_some_and(|(_, next)| *next == b'}') => return Some(at),
            (Some(_) | None, _) => {}
        }
    }
    None
}

/// Where the expression behind the `{{` number `number` begins.
fn place_of(file: &str, start: usize, number: usize) -> Option<Place> {
    let from = file.get(start..)?;
    let (open, _) = from.match_indices("{{").nth(number)?;
    let inside = &from[open + 2..];
    let blank = inside.len() - inside.trim_start().len();
    Some(Place::in_text(file, start + open + 2 + blank))
}
