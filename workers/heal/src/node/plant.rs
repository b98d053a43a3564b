//! Small defects in JavaScript and TypeScript source, one at a time: an operator swapped, a condition negated, a constant
//! changed, a returned value lost, a statement removed. Only lines that were run get one.

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::source::{Source, function_of};
use crate::source::edit::Splice;
use crate::teeth::Defect;
use crate::teeth::slip::{Slip, Slips};

/// Operators, and what a slip of the hand makes of them.
const SWAPS: &[(&str, &str)] = &[
    ("<", ">="),
    (">=", "<"),
    (">", "<="),
    ("<=", ">"),
    ("===", "!=="),
    ("!==", "==="),
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

/// At most one defect a line, the most telling first, one of each function before a second of any.
pub(super) fn defects(path: &str, text: &str, lines: &BTreeSet<u32>) -> Vec<Defect> {
    let Some(source) = Source::parse(path, text).filter(Source::is_whole) else {
        return Vec::new();
    };
    let mut slips = Slips::default();
    for node in source.nodes() {
        let line = Source::line(node);
        if !lines.contains(&line) {
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
        "return_statement" => {
            let value = node.named_child(0)?;
            (source.slice(value) != "undefined").then(|| Slip {
                rank: 1,
                splice: Splice::replace(value.byte_range(), "undefined"),
                what: "undefined is returned".to_owned(),
            })
        }
        "if_statement" | "ternary_expression" => {
            let condition = node.child_by_field_name("condition")?;
            Some(Slip {
                rank: 2,
                splice: Splice::replace(
                    condition.byte_range(),
                    if node.kind() == "if_statement" {
                        format!("(!{})", source.slice(condition))
                    } else {
                        format!("!({})", source.slice(condition))
                    },
                ),
                what: "the condition is negated".to_owned(),
            })
        }
        "binary_expression" | "augmented_assignment_expression" => {
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
        "number" => {
            let value: i64 = source.slice(node).parse().ok()?;
            Some(replaced(source, node, 4, &(value + 1).to_string()))
        }
        "true" => Some(replaced(source, node, 5, "false")),
        "false" => Some(replaced(source, node, 5, "true")),
        "expression_statement" => removed(source, node),
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

/// A statement that does something to the world outside its function: a call, or an assignment to a member.
fn removed(source: &Source, node: Node<'_>) -> Option<Slip> {
    let inner = node.named_child(0)?;
    let acts = match inner.kind() {
        "call_expression" => {
            let called = source.slice(inner.child_by_field_name("function")?);
            !called.starts_with("console.") && !called.starts_with("debug") && called != "super"
        }
        "assignment_expression" => inner.child_by_field_name("left").is_some_and(|left| {
            matches!(left.kind(), "member_expression" | "subscript_expression")
        }),
        _ => false,
    };
    acts.then(|| Slip {
        rank: 6,
        splice: Splice::replace(node.byte_range(), ";"),
        what: "the statement is missing".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planted(text: &str, lines: &[u32]) -> Vec<(u32, String)> {
        defects("p.js", text, &lines.iter().copied().collect())
            .into_iter()
            .map(|defect| (defect.line, defect.what))
            .collect()
    }

    #[test]
    fn each_line_gets_the_most_telling_slip_and_lines_that_were_not_run_get_none() {
        let text = "function f(a, b) {\n  if (a < b) {\n    return a + 1;\n  }\n  this.x = b;\n  console.log(a);\n  return b * 2;\n}\n";
        assert_eq!(
            planted(text, &[2, 3, 5, 6]),
            [
                (2, "< becomes >=".to_owned()),
                (3, "undefined is returned".to_owned()),
                (5, "the statement is missing".to_owned())
            ]
        );
    }

    #[test]
    fn a_defect_is_one_change_of_a_text_that_still_parses() {
        let text = "const f = (a, b) => {\n  if (a && b) b += 2;\n  return a ? !b : 3;\n};\n";
        let all = defects("p.js", text, &(1..=4).collect());
        assert_eq!(all.len(), 2);
        for defect in all {
            assert_ne!(defect.text, text);
            let broken = Source::parse("p.js", defect.text.clone()).unwrap();
            assert!(broken.is_whole(), "{}", defect.text);
        }
    }

    #[test]
    fn what_stands_outside_of_functions_is_left_alone() {
        assert_eq!(planted("let x = 1;\nif (x < 2) x += 1;\n", &[1, 2]), []);
    }
}
