//! Statements and literals of Python 2, in the form that means the same in Python 3.

use std::fmt::Write as _;
use tree_sitter::Node;

use super::Repaired;
use crate::source::edit::{self, Splice};
use crate::source::faults::{Fault, FaultKind, inside_error};
use crate::source::{Source, ancestors};
use crate::strategies::rank;

/// One pass takes the innermost leftovers; a `print` of a `print`'s arguments needs another.
const MOST_PASSES: usize = 8;

/// Rewrites every leftover; `None` where there is none, or where something stays that is no Python 3.
pub(super) fn repair(text: &str) -> Option<Repaired> {
    let mut current = text.to_owned();
    let mut kinds = Vec::new();
    for _ in 0..MOST_PASSES {
        let source = Source::parse(current.as_str())?;
        let faults = source.faults();
        let mut splices: Vec<Splice> = Vec::new();
        for fault in faults.iter().rev() {
            let range = fault.node.byte_range();
            let crosses =
                |splice: &Splice| splice.range.start < range.end && range.start < splice.range.end;
            if splices.iter().any(crosses) {
                continue;
            }
            if let Some(splice) = rewrite(&source, fault) {
                kinds.push(fault.kind);
                splices.push(splice);
            }
        }
        if splices.is_empty() {
            break;
        }
        current = edit::apply(&current, &splices)?;
    }
    kinds.sort();
    kinds.dedup();
    if kinds.is_empty() || !super::is_sound(&current) {
        return None;
    }
    if kinds.contains(&FaultKind::PrintStatement) {
        current = bare_prints(&current)?;
    }
    let named: Vec<&str> = kinds.iter().map(|kind| name(*kind)).collect();
    Some(Repaired {
        text: current,
        what: format!("{} of Python 2, in Python 3's form", named.join(", ")),
        rank: rank::PYTHON_2,
    })
}

fn name(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::PrintStatement => "print statement",
        FaultKind::ExecStatement => "exec statement",
        FaultKind::ExceptComma => "`except E, e`",
        FaultKind::RaiseComma => "`raise E, message`",
        FaultKind::Diamond => "`<>`",
        FaultKind::Octal => "octal literal",
        FaultKind::Long => "long literal",
        FaultKind::UnicodeRaw => "`ur` literal",
        FaultKind::Keyword => "`async` as a name",
        FaultKind::Backticks => "backticks",
        FaultKind::Unparsable => "text",
    }
}

fn rewrite(source: &Source, fault: &Fault<'_>) -> Option<Splice> {
    let node = fault.node;
    if fault.kind != FaultKind::Keyword && inside_error(node) {
        return None;
    }
    match fault.kind {
        FaultKind::PrintStatement => print_statement(source, node),
        FaultKind::ExecStatement => {
            let mut cursor = node.walk();
            let parts: Vec<&str> = node
                .named_children(&mut cursor)
                .map(|part| source.slice(part))
                .collect();
            Some(Splice::replace(
                node.byte_range(),
                format!("exec({})", parts.join(", ")),
            ))
        }
        FaultKind::ExceptComma => {
            let mut cursor = node.walk();
            let values: Vec<_> = node.children_by_field_name("value", &mut cursor).collect();
            let [first, second] = values.as_slice() else {
                return None;
            };
            (second.kind() == "identifier")
                .then(|| Splice::replace(first.end_byte()..second.start_byte(), " as "))
        }
        FaultKind::RaiseComma => raise_statement(source, node),
        FaultKind::Diamond => Some(Splice::replace(node.byte_range(), "!=")),
        FaultKind::Octal => Some(Splice::insert(node.start_byte() + 1, "o")),
        FaultKind::Long => Some(Splice::replace(node.end_byte() - 1..node.end_byte(), "")),
        FaultKind::UnicodeRaw => {
            // Python 2 read `\u` in it as an escape, which `r` does not.
            let literal = source.slice(node.parent()?);
            (!literal.contains("\\u") && !literal.contains("\\U"))
                .then(|| Splice::replace(node.start_byte()..node.start_byte() + 1, ""))
        }
        FaultKind::Backticks => {
            let inner = source.slice(node).strip_prefix('`')?.strip_suffix('`')?;
            Some(Splice::replace(node.byte_range(), format!("repr({inner})")))
        }
        FaultKind::Keyword => keyword(source, node),
        FaultKind::Unparsable => None,
    }
}

/// `print a, b` and `print >>f, a,`.
fn print_statement(source: &Source, node: Node<'_>) -> Option<Splice> {
    let mut cursor = node.walk();
    let mut file = None;
    let mut arguments = Vec::new();
    for part in node.named_children(&mut cursor) {
        match part.kind() {
            "chevron" => file = Some(source.slice(part.named_child(0)?)),
            "comment" => return None,
            _ => arguments.push(source.slice(part).to_owned()),
        }
    }
    let last = node.child(node.child_count().checked_sub(1)?)?;
    if last.kind() == "," && !arguments.is_empty() {
        arguments.push("end=' '".to_owned());
    }
    if let Some(file) = file {
        arguments.push(format!("file={file}"));
    }
    let mut text = arguments.join(", ");
    // `print ("a")` has its parentheses already.
    if arguments.len() == 1
        && node
            .named_child(0)
            .is_some_and(|part| part.kind() == "parenthesized_expression")
    {
        text = text
            .strip_prefix('(')
            .and_then(|rest| rest.strip_suffix(')'))
            .map_or(text.clone(), str::to_owned);
    }
    Some(Splice::replace(node.byte_range(), format!("print({text})")))
}

/// `raise E, message` and `raise E, message, traceback`.
fn raise_statement(source: &Source, node: Node<'_>) -> Option<Splice> {
    let list = node.named_child(0)?;
    let mut cursor = list.walk();
    let parts: Vec<_> = list.named_children(&mut cursor).collect();
    let (class, value) = (*parts.first()?, *parts.get(1)?);
    if !matches!(class.kind(), "identifier" | "attribute") {
        return None;
    }
    let value = match value.kind() {
        // A tuple was the arguments themselves.
        "tuple" => source.slice(value).to_owned(),
        "none" => "()".to_owned(),
        _ => format!("({})", source.slice(value)),
    };
    let mut text = format!("{}{value}", source.slice(class));
    if let Some(traceback) = parts.get(2) {
        let _ = write!(text, ".with_traceback({})", source.slice(*traceback));
    }
    Some(Splice::replace(list.byte_range(), text))
}

/// `async` and `await` as names, keywords since 3.7: `async_`, as the packages that had them did.
fn keyword(source: &Source, node: Node<'_>) -> Option<Splice> {
    // Where the grammar stumbles over the keyword there is no attribute node to ask.
    let before = source.text().get(..node.start_byte())?;
    if before.ends_with('.') {
        // Of someone else's object only this one is known to have another name.
        return if before.ends_with("asyncio.") {
            Some(Splice::replace(node.byte_range(), "ensure_future"))
        } else {
            before
                .ends_with("self.")
                .then(|| Splice::insert(node.end_byte(), "_"))
        };
    }
    let imported = ancestors(node).any(|ancestor| {
        matches!(
            ancestor.kind(),
            "import_statement" | "import_from_statement"
        )
    });
    (!imported).then(|| Splice::insert(node.end_byte(), "_"))
}

/// A lone `print` is an empty line in Python 2, and nothing at all in Python 3.
fn bare_prints(text: &str) -> Option<String> {
    let source = Source::parse(text)?;
    let splices: Vec<Splice> = source
        .nodes()
        .filter(|node| node.kind() == "identifier" && source.slice(*node) == "print")
        .filter(|node| {
            node.parent().is_some_and(|parent| {
                parent.kind() == "expression_statement" && parent.named_child_count() == 1
            })
        })
        .map(|node| Splice::insert(node.end_byte(), "()"))
        .collect();
    edit::apply(text, &splices)
}
