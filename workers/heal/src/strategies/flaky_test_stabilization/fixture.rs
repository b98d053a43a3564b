//! Fixtures and clean-ups as text, and where in a file they go.

use tree_sitter::Node;

use crate::source::Source;
use crate::source::edit::Splice;
use crate::source::names::Names;

use super::restore::Undo;

/// A fixture of pytest.
pub(super) struct Fixture {
    pub(super) name: String,
    /// Its docstring.
    pub(super) says: String,
    /// Whether every test of the file gets it.
    pub(super) autouse: bool,
    pub(super) parameters: String,
    /// Statements that set something up.
    pub(super) body: Vec<String>,
    pub(super) undo: Undo,
}

impl Fixture {
    /// The fixture before the first function or class of the file. `decorator` is how the file writes `pytest.fixture`.
    pub(super) fn splice(&self, source: &Source, decorator: &str) -> Option<Splice> {
        let newline = source.newline();
        let mut lines = vec![
            format!(
                "@{decorator}{}",
                if self.autouse { "(autouse=True)" } else { "" }
            ),
            format!("def {}({}):", self.name, self.parameters),
            format!("    \"\"\"{}\"\"\"", self.says),
        ];
        if !self.undo.globals.is_empty() {
            let names: Vec<&str> = self.undo.globals.iter().map(String::as_str).collect();
            lines.push(format!("    global {}", names.join(", ")));
        }
        let inner = |line: &String| {
            if line.is_empty() {
                String::new()
            } else {
                format!("    {line}")
            }
        };
        lines.extend(self.undo.before.iter().map(inner));
        lines.extend(self.body.iter().map(inner));
        lines.push("    yield".to_owned());
        lines.extend(self.undo.after.iter().map(inner));
        let text = lines.join(newline);
        let at = first_definition(source)?;
        Some(Splice::insert(
            at,
            format!("{text}{newline}{newline}{newline}"),
        ))
    }
}

/// Where the first function or class of the file begins, its decorators and the comment right above it included.
fn first_definition(source: &Source) -> Option<usize> {
    let root = source.root();
    let mut cursor = root.walk();
    let children: Vec<Node<'_>> = root.named_children(&mut cursor).collect();
    let mut at = children.iter().position(|node| {
        matches!(
            node.kind(),
            "function_definition" | "class_definition" | "decorated_definition"
        )
    })?;
    while let Some(above) = at.checked_sub(1)
        && children[above].kind() == "comment"
        && children[above].end_position().row + 1 == children[at].start_position().row
    {
        at = above;
    }
    Some(children[at].start_byte())
}

/// A name that the file does not use yet.
pub(super) fn free_name(names: &Names<'_>, wanted: &str) -> String {
    std::iter::once(wanted.to_owned())
        .chain((2..100).map(|number| format!("{wanted}_{number}")))
        .find(|name| !names.is_taken(name))
        .unwrap_or_else(|| wanted.to_owned())
}

/// The same for a test of `unittest`: clean-ups, and perhaps statements that set something up, before its first.
pub(super) fn cleanup(source: &Source, test: &str, undo: &Undo, body: &[String]) -> Option<Splice> {
    let function = definition(source, test)?;
    if undo.cleanups.is_empty() && body.is_empty() {
        return None;
    }
    let first = first_statement(source, function)?;
    let indent = source.indent_of(first.start_byte())?;
    let joint = format!("{}{indent}", source.newline());
    let mut lines = String::new();
    for line in undo.cleanups.iter().chain(body) {
        lines.push_str(line);
        lines.push_str(&joint);
    }
    Some(Splice::insert(first.start_byte(), lines))
}

/// The first statement of a function's body behind its docstring.
pub(super) fn first_statement<'s>(source: &'s Source, function: Node<'s>) -> Option<Node<'s>> {
    statements(source, function).into_iter().next()
}

/// The statements of a function's body behind its docstring.
pub(super) fn statements<'s>(_: &'s Source, function: Node<'s>) -> Vec<Node<'s>> {
    let Some(body) = function.child_by_field_name("body") else {
        return Vec::new();
    };
    let mut cursor = body.walk();
    let mut found: Vec<Node<'s>> = body
        .named_children(&mut cursor)
        .filter(|node| node.kind() != "comment")
        .collect();
    let docstring = found.len() > 1
        && found[0].kind() == "expression_statement"
        && found[0]
            .named_child(0)
            .is_some_and(|node| node.kind() == "string");
    if docstring {
        found.remove(0);
    }
    found
}

/// The function that a test's id names: `path::Class::test[1]`, `module.Class.test`.
pub(super) fn definition<'s>(source: &'s Source, test: &str) -> Option<Node<'s>> {
    let plain = test.split('[').next().unwrap_or(test);
    let mut parts: Vec<&str> = match plain.split_once("::") {
        Some((_, rest)) => rest.split("::").collect(),
        None => plain.split('.').collect(),
    };
    let name = parts.pop()?;
    let class = if plain.contains("::") || parts.len() > 1 {
        parts.pop()
    } else {
        None
    };
    source
        .nodes()
        .filter(|node| node.kind() == "function_definition")
        .filter(|node| {
            node.child_by_field_name("name")
                .is_some_and(|known| source.slice(known) == name)
        })
        .find(|node| {
            let owner = crate::source::ancestors(*node)
                .find(|outer| matches!(outer.kind(), "class_definition" | "function_definition"));
            match (class, owner) {
                (None, owner) => owner.is_none(),
                (Some(class), Some(owner)) => owner
                    .child_by_field_name("name")
                    .is_some_and(|known| source.slice(known) == class),
                (Some(_), None) => false,
            }
        })
}

/// The decorator that makes a test of pytest use a fixture, on a line before it.
pub(super) fn use_fixture(
    source: &Source,
    function: Node<'_>,
    mark: &str,
    name: &str,
) -> Option<Splice> {
    let top = function
        .parent()
        .filter(|parent| parent.kind() == "decorated_definition")
        .unwrap_or(function);
    let indent = source.indent_of(top.start_byte())?;
    Some(Splice::insert(
        top.start_byte(),
        format!("@{mark}(\"{name}\"){}{indent}", source.newline()),
    ))
}
