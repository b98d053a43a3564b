//! Generators that end by an exception, which since Python 3.7 no longer ends them
//! (<https://peps.python.org/pep-0479/#transition-plan>).

use tree_sitter::Node;

use super::port::Order;
use crate::source::edit::Splice;
use crate::source::names::Names;
use crate::source::{Source, ancestors};

/// `raise StopIteration` in a generator is `return`; a `next()` in the traceback ends its generator by hand. Left alone is what a `try` of
/// the generator itself looks at.
pub(super) fn generator_end(
    source: &Source,
    _: &Names<'_>,
    order: &Order<'_>,
) -> Option<Vec<Splice>> {
    let mut splices = Vec::new();
    for node in source.nodes() {
        match node.kind() {
            "raise_statement" => {
                if let Some(value) = end_of(source, node).filter(|_| ends_a_generator(node)) {
                    splices.push(Splice::replace(
                        node.byte_range(),
                        format!("return {value}").trim_end(),
                    ));
                }
            }
            "expression_statement"
                if order.hot.contains(&Source::line(node))
                    && takes_the_next(source, node)
                    && ends_a_generator(node) =>
            {
                let indent = " ".repeat(node.start_position().column);
                splices.push(Splice::insert(
                    node.start_byte(),
                    format!("try:\n{indent}    "),
                ));
                splices.push(Splice::insert(
                    node.end_byte(),
                    format!("\n{indent}except StopIteration:\n{indent}    return"),
                ));
            }
            _ => {}
        }
    }
    (!splices.is_empty()).then_some(splices)
}

/// The value that `raise StopIteration(value)` ends a generator with, as it is written; empty without one.
fn end_of(source: &Source, raise: Node<'_>) -> Option<String> {
    if raise.named_child_count() != 1 {
        return None;
    }
    let raised = raise.named_child(0)?;
    match raised.kind() {
        "identifier" if source.slice(raised) == "StopIteration" => Some(String::new()),
        "call" if source.slice(raised.child_by_field_name("function")?) == "StopIteration" => {
            let arguments = raised.child_by_field_name("arguments")?;
            match arguments.named_child_count() {
                0 => Some(String::new()),
                1 => Some(source.slice(arguments.named_child(0)?).to_owned()),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether a statement of one line calls `next` with nothing to fall back on.
fn takes_the_next(source: &Source, statement: Node<'_>) -> bool {
    let one_line = statement.start_position().row == statement.end_position().row;
    let alone = source.slice(statement).len() + statement.start_position().column
        == line_of(source, statement).trim_end().len();
    let calls = source.nodes().any(|node| {
        node.kind() == "call"
            && statement.byte_range().contains(&node.start_byte())
            && node
                .child_by_field_name("function")
                .is_some_and(|function| source.slice(function) == "next")
            && node
                .child_by_field_name("arguments")
                .is_some_and(|arguments| arguments.named_child_count() == 1)
    });
    one_line && alone && calls
}

/// The line that a node begins on, from its first column.
fn line_of<'s>(source: &'s Source, node: Node<'_>) -> &'s str {
    let row = node.start_position().row;
    source.text().lines().nth(row).unwrap_or_default()
}

/// Whether what is raised here leaves a generator.
fn ends_a_generator(node: Node<'_>) -> bool {
    in_a_generator(node) && !in_a_try(node)
}

fn in_a_generator(node: Node<'_>) -> bool {
    function_of(node).is_some_and(|function| {
        let mut open = vec![function];
        while let Some(inner) = open.pop() {
            if inner.kind() == "yield" && function_of(inner) == Some(function) {
                return true;
            }
            let mut cursor = inner.walk();
            open.extend(inner.named_children(&mut cursor));
        }
        false
    })
}

/// The function or lambda that a node is run by.
fn function_of(node: Node<'_>) -> Option<Node<'_>> {
    ancestors(node).find(|of| matches!(of.kind(), "function_definition" | "lambda"))
}

fn in_a_try(node: Node<'_>) -> bool {
    let function = function_of(node);
    ancestors(node).any(|of| of.kind() == "try_statement" && function_of(of) == function)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::source::edit::apply;

    fn ported(text: &str, hot: u32) -> String {
        let source = Source::parse(text).unwrap();
        let names = Names::of(&source);
        let order = Order {
            rules: &[],
            missing: None,
            hot: &BTreeSet::from([hot]),
            defined: &BTreeSet::new(),
            fixture: None,
        };
        let splices = generator_end(&source, &names, &order).unwrap_or_default();
        apply(text, &splices).unwrap()
    }

    #[test]
    fn a_generator_returns_where_it_raised_its_end() {
        assert_eq!(
            ported(
                "def g():\n    yield 1\n    if a:\n        raise StopIteration\n    if b:\n        raise StopIteration()\n    raise StopIteration(3)\n",
                1
            ),
            "def g():\n    yield 1\n    if a:\n        return\n    if b:\n        return\n    return 3\n"
        );
    }

    #[test]
    fn an_iterator_and_what_a_generator_looks_at_itself_are_left_alone() {
        for text in [
            "class A:\n    def __next__(self):\n        raise StopIteration\n",
            "def g():\n    def inner():\n        raise StopIteration\n    yield inner\n",
            "def g():\n    try:\n        raise StopIteration\n    except StopIteration:\n        yield 1\n",
            "def g():\n    yield\n    raise StopIteration from error\n",
        ] {
            assert_eq!(ported(text, 3), text);
        }
    }

    #[test]
    fn a_next_in_the_traceback_ends_its_generator_by_hand() {
        let text = "def g(it):\n    while True:\n        a = next(it)\n        yield a, next(it, None)\n        b = next(it)\n";
        assert_eq!(
            ported(text, 3),
            "def g(it):\n    while True:\n        try:\n            a = next(it)\n        except StopIteration:\n            return\n        yield a, next(it, None)\n        b = next(it)\n"
        );
        assert_eq!(ported(text, 4), text);
    }
}
