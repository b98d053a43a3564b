//! Counts what a Python test file checks, so that no repair can drop a check unseen.

use tree_sitter::{Node, Parser};

/// The number of checks in a source text: `assert` statements, calls of `assert…` methods and functions, and the
/// context managers and functions that expect an exception or a warning. A text that does not parse is counted
/// as far as its tree reaches.
pub fn count(source: &str) -> u32 {
    let mut parser = Parser::new();
    if parser
        .set_language(&tree_sitter_python::LANGUAGE.into())
        .is_err()
    {
        return 0;
    }
    let Some(tree) = parser.parse(source, None) else {
        return 0;
    };
    let mut total = 0;
    let mut open = vec![tree.root_node()];
    while let Some(node) = open.pop() {
        total += u32::from(is_check(node, source));
        let mut cursor = node.walk();
        open.extend(node.children(&mut cursor));
    }
    total
}

fn is_check(node: Node<'_>, source: &str) -> bool {
    match node.kind() {
        "assert_statement" => true,
        "call" => node
            .child_by_field_name("function")
            .and_then(|function| function.utf8_text(source.as_bytes()).ok())
            .is_some_and(|name| {
                let last = name.rsplit('.').next().unwrap_or(name);
                last.starts_with("assert")
                    || last.starts_with("fail") && name.contains('.')
                    || matches!(
                        last,
                        "raises" | "warns" | "deprecated_call" | "eq_" | "ok_" | "approx"
                    )
            }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_methods_and_expected_exceptions_are_counted() {
        let source = "def test():\n    assert x\n    self.assertEqual(1, 2)\n    with pytest.raises(E):\n        f()\n    eq_(a, b)\n    print('assert')\n";
        assert_eq!(count(source), 4);
    }

    #[test]
    fn dropping_an_assertion_is_seen() {
        assert!(count("assert a\nassert b\n") > count("assert a\n"));
    }
}
