//! Small defects in Rust source, one at a time: an operator swapped, a condition negated, a constant changed, a result
//! replaced by that of its type that says least. A defect that the compiler refuses says nothing, and is not counted.

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::source::{Source, body_of, function_of};
use crate::source::edit::Splice;
use crate::teeth::Defect;
use crate::teeth::slip::{Slip, Slips};

/// Operators, and what a slip of the hand makes of them.
const SWAPS: &[(&str, &str)] = &[
    ("<", ">="),
    (">=", "<"),
    (">", "<="),
    ("<=", ">"),
    ("==", "!="),
    ("!=", "=="),
    ("+", "-"),
    ("-", "+"),
    ("*", "+"),
    ("/", "*"),
    ("%", "*"),
    ("&&", "||"),
    ("||", "&&"),
    ("+=", "-="),
    ("-=", "+="),
    ("*=", "+="),
];

/// Methods likewise.
const METHODS: &[(&str, &str)] = &[
    ("min", "max"),
    ("max", "min"),
    ("any", "all"),
    ("all", "any"),
    ("first", "last"),
    ("last", "first"),
    ("to_uppercase", "to_lowercase"),
    ("to_lowercase", "to_uppercase"),
    ("starts_with", "ends_with"),
    ("ends_with", "starts_with"),
];

/// At most one defect a line, the most telling first, one of each function before a second of any.
pub(super) fn defects(path: &str, text: &str, lines: &BTreeSet<u32>) -> Vec<Defect> {
    let Some(source) = Source::parse(text).filter(Source::is_whole) else {
        return Vec::new();
    };
    let tests = source.test_parts();
    let mut slips = Slips::default();
    for node in source.nodes() {
        let line = Source::line(node);
        if !lines.contains(&line) || tests.iter().any(|part| part.contains(&node.start_byte())) {
            continue;
        }
        let Some(function) = function_of(node) else {
            continue;
        };
        let Some(slip) = slip(&source, node) else {
            continue;
        };
        slips.add(line, function.id(), slip);
    }
    slips.into_defects(path, source.text())
}

fn slip(source: &Source, node: Node<'_>) -> Option<Slip> {
    match node.kind() {
        "block" => emptied(source, node),
        "if_expression" => {
            let condition = node.child_by_field_name("condition")?;
            let binds = source.slice(condition).contains("let ");
            (!binds).then(|| Slip {
                rank: 2,
                splice: Splice::replace(
                    condition.byte_range(),
                    format!("!({})", source.slice(condition)),
                ),
                what: "the condition is negated".to_owned(),
            })
        }
        "binary_expression" | "compound_assignment_expr" => {
            let operator = node.child_by_field_name("operator")?;
            let (kind, other) = SWAPS.iter().find(|(kind, _)| *kind == operator.kind())?;
            let compares = kind.contains(['<', '>', '=']) && !matches!(*kind, "+=" | "-=" | "*=");
            Some(replaced(
                source,
                operator,
                if compares { 0 } else { 3 },
                other,
            ))
        }
        "field_identifier" => {
            let called = node
                .parent()
                .and_then(|up| up.parent())
                .is_some_and(|up| up.kind() == "call_expression");
            let (_, other) = METHODS
                .iter()
                .find(|(kind, _)| *kind == source.slice(node))?;
            called.then(|| replaced(source, node, 3, other))
        }
        "integer_literal" => {
            let value: i64 = source.slice(node).parse().ok()?;
            Some(replaced(source, node, 4, &(value + 1).to_string()))
        }
        "boolean_literal" => {
            let other = if source.slice(node) == "true" {
                "false"
            } else {
                "true"
            };
            Some(replaced(source, node, 5, other))
        }
        _ => None,
    }
}

fn replaced(source: &Source, node: Node<'_>, rank: u32, text: &str) -> Slip {
    Slip {
        rank,
        splice: Splice::replace(node.byte_range(), text),
        what: format!("{} becomes {text}", source.slice(node)),
    }
}

/// A function that does nothing and answers with the least that its type has.
fn emptied(source: &Source, block: Node<'_>) -> Option<Slip> {
    let function = block.parent().filter(|up| up.kind() == "function_item")?;
    if body_of(function)?.id() != block.id() || block.named_child_count() == 0 {
        return None;
    }
    let answer = match function.child_by_field_name("return_type") {
        None => "{}".to_owned(),
        Some(answer) => {
            let answer = source.slice(answer);
            let least = "::core::default::Default::default()";
            if answer.starts_with("impl") || answer.starts_with("&mut") {
                return None;
            }
            if answer.starts_with("Result") || answer.contains("::Result<") {
                format!("{{ Ok({least}) }}")
            } else {
                format!("{{ {least} }}")
            }
        }
    };
    Some(Slip {
        rank: 1,
        splice: Splice::replace(block.byte_range(), answer),
        what: "the function does nothing".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "pub fn price(amount: u32, member: bool) -> u32 {\n    if member && amount > 10 {\n        return amount - 2;\n    }\n    amount.min(99)\n}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn t() {\n        assert!(1 < 2);\n        let x = 1 < 2;\n    }\n}\n";

    #[test]
    fn each_line_of_the_product_gets_the_most_telling_slip_and_tests_get_none() {
        let found: Vec<(u32, String)> = defects("src/lib.rs", TEXT, &(1..=20).collect())
            .into_iter()
            .map(|defect| (defect.line, defect.what))
            .collect();
        assert_eq!(
            found,
            [
                (2, "> becomes <=".to_owned()),
                (1, "the function does nothing".to_owned()),
                (3, "- becomes +".to_owned()),
                (5, "min becomes max".to_owned())
            ]
        );
    }

    #[test]
    fn a_defect_is_one_change_of_a_text_that_still_parses() {
        for defect in defects("src/lib.rs", TEXT, &(1..=20).collect()) {
            assert_ne!(defect.text, TEXT);
            assert!(
                Source::parse(defect.text.as_str()).unwrap().is_whole(),
                "{}",
                defect.text
            );
        }
    }
}
