//! Tests that yield their cases, as nose ran them and pytest did until 4: each `yield check, a, b` becomes the call
//! that the runner made of it, `check(a, b)`.

use tree_sitter::Node;

use super::port::Order;
use crate::source::edit::Splice;
use crate::source::names::Names;
use crate::source::{Source, ancestors, descendants};

/// `None` where one yield of a test is no case: pytest refuses the file as long as one is left.
pub(super) fn yield_tests(source: &Source, _: &Names<'_>, _: &Order<'_>) -> Option<Vec<Splice>> {
    let mut splices = Vec::new();
    for function in source.nodes().filter(|node| is_test(source, *node)) {
        let yields = descendants(function).filter(|node| {
            node.is_named()
                && node.kind() == "yield"
                && ancestors(*node)
                    .find(|outer| matches!(outer.kind(), "function_definition" | "lambda"))
                    .is_some_and(|outer| outer.id() == function.id())
        });
        for node in yields {
            splices.extend(call(source, node)?);
        }
    }
    Some(splices)
}

/// A function that pytest collects: by its name, at the top of the file or of a class of tests, and not decorated:
/// a fixture and a context manager yield for reasons of their own.
fn is_test(source: &Source, node: Node<'_>) -> bool {
    let named = node.kind() == "function_definition"
        && node
            .child_by_field_name("name")
            .is_some_and(|name| source.slice(name).starts_with("test"));
    let Some(parent) = node.parent().filter(|_| named) else {
        return false;
    };
    match parent.kind() {
        "module" => true,
        "block" => parent
            .parent()
            .is_some_and(|owner| owner.kind() == "class_definition"),
        _ => false,
    }
}

/// The case as a call.
fn call(source: &Source, node: Node<'_>) -> Option<Vec<Splice>> {
    if node.parent()?.kind() != "expression_statement" || node.named_child_count() != 1 {
        return None;
    }
    let case = node.named_child(0)?;
    let parts: Vec<Node<'_>> = match case.kind() {
        "tuple" | "expression_list" => {
            let mut cursor = case.walk();
            case.named_children(&mut cursor).collect()
        }
        // One thing alone is a case only if it can be seen to be a function.
        "identifier" | "call" | "lambda" => vec![case],
        _ => return None,
    };
    if parts.iter().any(|part| part.kind() == "comment") {
        return None;
    }
    // nose took a string in front for the name of the case.
    let parts = match parts.first()?.kind() {
        "string" => parts.get(1..)?,
        _ => &parts[..],
    };
    let (check, arguments) = parts.split_first()?;
    let written = match check.kind() {
        "identifier" | "attribute" | "call" => source.slice(*check).to_owned(),
        "lambda" | "parenthesized_expression" => format!("({})", source.slice(*check)),
        _ => return None,
    };
    let (Some(first), Some(last)) = (arguments.first(), arguments.last()) else {
        return Some(vec![Splice::replace(
            node.byte_range(),
            format!("{written}()"),
        )]);
    };
    let head = format!("{written}(");
    let moved = i64::try_from(node.start_position().column + head.chars().count()).ok()?;
    let aligned = i64::try_from(check.start_position().column).ok()?;
    let mut splices = vec![
        Splice::replace(node.start_byte()..first.start_byte(), head),
        Splice::replace(last.end_byte()..node.end_byte(), ")"),
    ];
    // Lines that stood below the first part of the tuple stand below the first argument.
    for pair in arguments.windows(2) {
        let gap = pair[0].end_byte()..pair[1].start_byte();
        let column = i64::try_from(pair[1].start_position().column).ok()?;
        let between = source.text().get(gap.clone())?;
        if let Some((before, _)) = between.rsplit_once('\n')
            && column == aligned
            && !between.contains('\t')
        {
            let indent = " ".repeat(usize::try_from(moved).ok()?);
            splices.push(Splice::replace(gap, format!("{before}\n{indent}")));
        }
    }
    Some(splices)
}
