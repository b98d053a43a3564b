//! Places in a test file, and small insertions there: the function around a line, the statement that failed, a
//! statement before another, a fixture more in a test's parameters.

use tree_sitter::Node;

use crate::source::edit::Splice;
use crate::source::{Source, ancestors, arguments, descendants};

/// The innermost function around a line, counted from 1.
pub(super) fn function_at(source: &Source, line: u32) -> Option<Node<'_>> {
    source
        .nodes()
        .filter(|node| node.kind() == "function_definition" && covers(*node, line))
        .last()
}

/// The function that a test's id names, `path.py::Class::test[parameters]`.
pub(super) fn function_of_test<'t>(source: &'t Source, id: &str) -> Option<Node<'t>> {
    let names: Vec<&str> = id
        .split('[')
        .next()
        .unwrap_or(id)
        .split("::")
        .skip(1)
        .collect();
    let (last, classes) = names.split_last()?;
    source
        .nodes()
        .filter(|node| node.kind() == "function_definition" && name_of(source, *node) == *last)
        .find(|node| {
            let around = ancestors(*node)
                .find(|ancestor| ancestor.kind() == "class_definition")
                .map(|class| name_of(source, class));
            around == classes.last().copied()
        })
}

/// A function's or class's own name.
pub(super) fn name_of<'t>(source: &'t Source, node: Node<'_>) -> &'t str {
    node.child_by_field_name("name")
        .map_or("", |name| source.slice(name))
}

/// The innermost statement that covers a line.
pub(super) fn statement_at(source: &Source, line: u32) -> Option<Node<'_>> {
    source
        .nodes()
        .filter(|node| is_statement(*node) && covers(*node, line))
        .last()
}

fn is_statement(node: Node<'_>) -> bool {
    node.parent()
        .is_some_and(|parent| matches!(parent.kind(), "block" | "module"))
        && node.kind() != "comment"
}

fn covers(node: Node<'_>, line: u32) -> bool {
    let end = u32::try_from(node.end_position().row).map_or(u32::MAX, |row| row + 1);
    (Source::line(node)..=end).contains(&line)
}

/// Lines in front of a statement, indented as it is; `None` where it does not begin its line.
pub(super) fn before(source: &Source, statement: Node<'_>, lines: &[String]) -> Option<Splice> {
    let indent = source.indent_of(statement.start_byte())?;
    let mut text = String::new();
    for line in lines {
        text.push_str(line);
        text.push_str(source.newline());
        text.push_str(indent);
    }
    Some(Splice::insert(statement.start_byte(), text))
}

/// Lines in front of a function's first statement, its docstring left where it is.
pub(super) fn at_start(source: &Source, function: Node<'_>, lines: &[String]) -> Option<Splice> {
    let body = function.child_by_field_name("body")?;
    let mut cursor = body.walk();
    let first = body.named_children(&mut cursor).find(|node| {
        let docstring = node.kind() == "expression_statement"
            && node.child(0).is_some_and(|inner| inner.kind() == "string");
        !docstring && node.kind() != "comment"
    })?;
    before(source, first, lines)
}

/// Whether pytest passes fixtures to this function: a test that is no method of a `TestCase`.
pub(super) fn takes_fixtures(source: &Source, function: Node<'_>) -> bool {
    let class = ancestors(function).find(|node| node.kind() == "class_definition");
    let of_unittest = class
        .and_then(|class| class.child_by_field_name("superclasses"))
        .is_some_and(|bases| source.slice(bases).contains("TestCase"));
    name_of(source, function).starts_with("test") && !of_unittest
}

/// Further fixtures behind the parameters that a test has; those that are there already are left out. `None` where
/// the last parameter is none that another can follow.
pub(super) fn with_fixtures(
    source: &Source,
    function: Node<'_>,
    fixtures: &[&str],
) -> Option<Vec<Splice>> {
    let parameters = function.child_by_field_name("parameters")?;
    let mut cursor = parameters.walk();
    let existing: Vec<Node<'_>> = parameters
        .named_children(&mut cursor)
        .filter(|node| node.kind() != "comment")
        .collect();
    if existing
        .iter()
        .any(|parameter| !matches!(parameter.kind(), "identifier" | "typed_parameter"))
    {
        return None;
    }
    let named = |parameter: &Node<'_>| {
        source
            .slice(*parameter)
            .split(':')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let missing: Vec<&str> = fixtures
        .iter()
        .copied()
        .filter(|fixture| !existing.iter().any(|have| named(have) == *fixture))
        .collect();
    if missing.is_empty() {
        return Some(Vec::new());
    }
    let added = missing.join(", ");
    Some(vec![match existing.last() {
        Some(last) => Splice::insert(last.end_byte(), format!(", {added}")),
        None => Splice::insert(parameters.start_byte() + 1, added),
    }])
}

/// Whether an expression may be evaluated again: it names, joins and compares, and calls nothing but what only looks.
pub(super) fn only_looks(source: &Source, expression: Node<'_>) -> bool {
    const OBSERVERS: &[&str] = &[
        "len",
        "str",
        "int",
        "float",
        "bool",
        "list",
        "tuple",
        "dict",
        "set",
        "sorted",
        "sum",
        "min",
        "max",
        "all",
        "any",
        "isinstance",
        "is_set",
        "is_alive",
        "exists",
        "is_file",
        "is_dir",
        "isfile",
        "isdir",
        "getsize",
        "read_text",
        "read_bytes",
        "stat",
        "qsize",
        "empty",
        "full",
        "done",
        "running",
        "poll",
        "keys",
        "values",
        "items",
        "join",
        "dirname",
        "basename",
        "Path",
        "listdir",
        "strip",
        "split",
        "splitlines",
        "lower",
        "upper",
        "startswith",
        "endswith",
        "count",
        "active_count",
        "called",
        "call_count",
    ];
    descendants(expression).all(|node| match node.kind() {
        "call" => node
            .child_by_field_name("function")
            .is_some_and(|function| {
                let name = source.slice(function);
                OBSERVERS.contains(&name.rsplit('.').next().unwrap_or(name))
            }),
        "named_expression" | "await" | "yield" | "lambda" => false,
        _ => true,
    })
}

/// The argument of a call by position or by keyword.
pub(super) fn argument<'t>(
    source: &Source,
    call: Node<'t>,
    position: usize,
    keyword: &str,
) -> Option<Node<'t>> {
    let all = arguments(call);
    let named = all.iter().find(|node| {
        node.kind() == "keyword_argument"
            && node
                .child_by_field_name("name")
                .is_some_and(|name| source.slice(name) == keyword)
    });
    match named {
        Some(node) => node.child_by_field_name("value"),
        None => all
            .into_iter()
            .filter(|node| node.kind() != "keyword_argument")
            .nth(position),
    }
}

/// The value of a plain string literal.
pub(super) fn string_value(source: &Source, node: Node<'_>) -> Option<String> {
    if node.kind() != "string" {
        return None;
    }
    let mut cursor = node.walk();
    let mut value = String::new();
    for child in node.children(&mut cursor) {
        match child.kind() {
            "string_start" if source.slice(child).contains(['f', 'F', 'b', 'B']) => return None,
            "string_start" | "string_end" => {}
            "string_content" if source.slice(child).contains('\\') => return None,
            "string_content" => value.push_str(source.slice(child)),
            _ => return None,
        }
    }
    Some(value)
}

/// The last part of what a call calls: `setenv` of `monkeypatch.setenv(…)`.
pub(super) fn called<'t>(source: &'t Source, call: Node<'_>) -> &'t str {
    call.child_by_field_name("function").map_or("", |function| {
        let name = source.slice(function);
        name.rsplit('.').next().unwrap_or(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::edit::apply;

    const TEXT: &str = "class TestA:\n    def test(self):\n        \"\"\"Doc.\"\"\"\n        with x:\n            y()\n\n\ndef test(a):\n    z()\n";

    #[test]
    fn the_function_and_the_statement_around_a_line_are_the_innermost() {
        let source = Source::parse(TEXT).unwrap();
        let function = function_at(&source, 5).unwrap();
        assert_eq!(Source::line(function), 2);
        assert_eq!(source.slice(statement_at(&source, 5).unwrap()), "y()");
        let of_class = function_of_test(&source, "t.py::TestA::test[1]").unwrap();
        assert_eq!(Source::line(of_class), 2);
        let plain = function_of_test(&source, "t.py::test").unwrap();
        assert_eq!(Source::line(plain), 8);
    }

    #[test]
    fn a_fixture_and_a_first_statement_go_behind_what_is_there() {
        let source = Source::parse(TEXT).unwrap();
        let function = function_at(&source, 5).unwrap();
        let mut splices = with_fixtures(&source, function, &["self", "tmp_path"]).unwrap();
        splices.extend(at_start(&source, function, &["first()".to_owned()]));
        let text = apply(TEXT, &splices).unwrap();
        assert!(text.contains("def test(self, tmp_path):\n        \"\"\"Doc.\"\"\"\n        first()\n        with x:"), "{text}");
    }

    #[test]
    fn what_only_looks_may_be_asked_again_and_what_takes_may_not() {
        let looks = |text: &str| {
            let source = Source::parse(text).unwrap();
            only_looks(&source, source.root())
        };
        assert!(looks("len(done) == 2 and worker.state == 'x'"));
        assert!(looks("path.exists()"));
        assert!(!looks("queue.get_nowait() == 1"));
        assert!(!looks("(n := next_one()) == 1"));
    }
}
