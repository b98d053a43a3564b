//! Small defects in Python source, one at a time: an operator swapped, a comparison flipped, a condition negated, a
//! constant changed, a returned value lost, a statement removed. Only lines that were run get one.

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::Defect;
use super::slip::{Slip, Slips};
use crate::source::edit::Splice;
use crate::source::{Source, ancestors};

/// Operators, and what a slip of the hand makes of them.
const SWAPS: &[(&str, &str)] = &[
    ("<", ">="),
    (">=", "<"),
    (">", "<="),
    ("<=", ">"),
    ("==", "!="),
    ("!=", "=="),
    ("in", "not in"),
    ("not in", "in"),
    ("is", "is not"),
    ("is not", "is"),
    ("+", "-"),
    ("-", "+"),
    ("*", "+"),
    ("/", "*"),
    ("//", "*"),
    ("%", "*"),
    ("**", "*"),
    ("and", "or"),
    ("or", "and"),
    ("+=", "-="),
    ("-=", "+="),
    ("*=", "+="),
];

/// Functions whose calls say something to a person only; without one of them nothing is wrong.
const TALK: [&str; 9] = [
    "print",
    "debug",
    "info",
    "warning",
    "warn",
    "error",
    "exception",
    "log",
    "critical",
];

/// At most one defect a line, the most telling first, one of each function before a second of any.
pub(crate) fn defects(path: &str, source: &Source, lines: &BTreeSet<u32>) -> Vec<Defect> {
    let mut slips = Slips::default();
    for node in source.nodes() {
        let line = Source::line(node);
        if !lines.contains(&line) {
            continue;
        }
        let Some(function) = ancestors(node).find(|outer| outer.kind() == "function_definition")
        else {
            continue;
        };
        let Some(slip) = slip(source, node) else {
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
            (source.slice(value) != "None").then(|| Slip {
                rank: 1,
                splice: Splice::replace(value.byte_range(), "None"),
                what: "None is returned".to_owned(),
            })
        }
        "if_statement" | "elif_clause" => {
            let condition = node.child_by_field_name("condition")?;
            Some(Slip {
                rank: 2,
                splice: Splice::replace(
                    condition.byte_range(),
                    format!("not ({})", source.slice(condition)),
                ),
                what: "the condition is negated".to_owned(),
            })
        }
        "comparison_operator" | "binary_operator" | "boolean_operator" | "augmented_assignment" => {
            swap(source, node)
        }
        "integer" => constant(source, node),
        "true" => Some(replaced(source, node, 5, "False")),
        "false" => Some(replaced(source, node, 5, "True")),
        "expression_statement" => removed(source, node),
        _ => None,
    }
}

fn swap(source: &Source, node: Node<'_>) -> Option<Slip> {
    let mut cursor = node.walk();
    let mut operators = node.children(&mut cursor).filter_map(|child| {
        let (_, other) = SWAPS.iter().find(|(kind, _)| *kind == child.kind())?;
        Some((child, *other))
    });
    let (operator, other) = operators.next()?;
    let rank = if node.kind() == "comparison_operator" {
        0
    } else {
        3
    };
    Some(replaced(source, operator, rank, other))
}

fn constant(source: &Source, node: Node<'_>) -> Option<Slip> {
    // An index or a slice of a constant is as telling as any; a default of a parameter is not run with its line.
    let value: i64 = source.slice(node).parse().ok()?;
    Some(replaced(source, node, 4, &(value + 1).to_string()))
}

fn replaced(source: &Source, node: Node<'_>, rank: u32, text: &str) -> Slip {
    Slip {
        rank,
        splice: Splice::replace(node.byte_range(), text),
        what: format!("{} becomes {text}", source.slice(node)),
    }
}

/// A statement that does something to the world outside its function: a call, or an assignment to an attribute or
/// an element.
fn removed(source: &Source, node: Node<'_>) -> Option<Slip> {
    let inner = node.named_child(0)?;
    let acts = match inner.kind() {
        "call" => {
            let name = source.slice(inner.child_by_field_name("function")?);
            !TALK.contains(&name.rsplit('.').next().unwrap_or(name))
        }
        "assignment" => inner
            .child_by_field_name("left")
            .is_some_and(|left| matches!(left.kind(), "attribute" | "subscript")),
        _ => false,
    };
    acts.then(|| Slip {
        rank: 6,
        splice: Splice::replace(node.byte_range(), "pass"),
        what: "the statement is missing".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planted(text: &str, lines: &[u32]) -> Vec<(u32, String)> {
        let source = Source::parse(text).unwrap();
        defects("p.py", &source, &lines.iter().copied().collect())
            .into_iter()
            .map(|defect| (defect.line, defect.what))
            .collect()
    }

    #[test]
    fn each_line_gets_the_most_telling_slip_and_lines_that_were_not_run_get_none() {
        let text = "def f(a, b):\n    if a < b:\n        return a + 1\n    self.x = b\n    log.info(a)\n    return b * 2\n";
        assert_eq!(
            planted(text, &[2, 3, 4, 5]),
            [
                (2, "< becomes >=".to_owned()),
                (3, "None is returned".to_owned()),
                (4, "the statement is missing".to_owned())
            ]
        );
    }

    #[test]
    fn every_function_has_its_turn_before_one_has_two() {
        let text = "def f():\n    return 1\n\ndef g():\n    x = 1 + y\n    return x\n";
        let lines: Vec<u32> = planted(text, &[2, 5, 6])
            .into_iter()
            .map(|(line, _)| line)
            .collect();
        assert_eq!(lines, [2, 6, 5]);
    }

    #[test]
    fn a_defect_is_one_change_of_a_text_that_still_parses() {
        let text = "def f(a, b):\n    if a in b and b:\n        b += 2\n    return not b\n";
        let source = Source::parse(text).unwrap();
        let all = defects("p.py", &source, &(1..=4).collect());
        assert_eq!(all.len(), 3);
        for defect in all {
            assert_ne!(defect.text, text);
            let broken = Source::parse(defect.text.clone()).unwrap();
            assert!(!broken.root().has_error(), "{}", defect.text);
        }
    }

    #[test]
    fn what_stands_outside_of_functions_is_left_alone() {
        assert_eq!(planted("X = 1\nif X < 2:\n    X += 1\n", &[1, 2, 3]), []);
    }
}
