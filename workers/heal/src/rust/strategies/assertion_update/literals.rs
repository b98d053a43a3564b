//! Texts in the literals of a test.

use tree_sitter::Node;

use crate::case::{Case, Edit};
use crate::failure::Frame;
use crate::intended::Drift;
use crate::rust::source::{Source, function_of};
use crate::source::descendants;
use crate::source::edit::{Splice, apply};

/// The texts in which two printed values differ: `Err("a b")` and `Err("a c")` differ in `a b` and `a c`. `None` where they differ
/// in anything else, or in several texts.
pub(super) fn texts(left: &str, right: &str) -> Option<(String, String)> {
    let (left, right): (Vec<&str>, Vec<&str>) = (parts(left), parts(right));
    if left.len() != right.len() || left.len() % 2 == 0 {
        return None;
    }
    let mut differing = left
        .iter()
        .zip(&right)
        .enumerate()
        .filter(|(_, (one, other))| one != other);
    let (at, (one, other)) = differing.next()?;
    // What stands at odd places is within quotes.
    (at % 2 == 1 && differing.next().is_none())
        .then(|| ((*one).to_owned(), (*other).to_owned()))
        .filter(|(one, other)| !one.contains('\\') && !other.contains('\\'))
}

/// A printed value cut at its quotes.
fn parts(value: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, c) in value.char_indices() {
        if c == '"' && !escaped {
            found.push(&value[start..at]);
            start = at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    found.push(&value[start..]);
    found
}

/// The file with the new text in the literals of the failing test.
pub(super) fn edit(case: &Case<'_>, frame: &Frame, drift: &Drift) -> Option<Edit> {
    let source = Source::parse(case.tree.read(&frame.path)?)?;
    let test = test_at(&source, frame.line)?;
    let splices: Vec<Splice> = descendants(test)
        .filter(|node| node.kind() == "string_literal" || node.kind() == "raw_string_literal")
        .filter_map(|node| replaced(&source, node, &drift.was, &drift.now))
        .collect();
    if splices.is_empty() {
        return None;
    }
    Some(Edit {
        path: frame.path.clone(),
        text: apply(source.text(), &splices)?,
    })
}

/// The function around a line.
pub(super) fn test_at(source: &Source, line: u32) -> Option<Node<'_>> {
    source
        .nodes()
        .filter(|node| Source::lines(*node).any(|own| own == line))
        .filter_map(function_of)
        .last()
}

/// A literal with one text in place of another; `None` where it has not the one, or cannot hold the other.
pub(super) fn replaced(source: &Source, literal: Node<'_>, was: &str, now: &str) -> Option<Splice> {
    let text = source.slice(literal);
    let (was, now) = if literal.kind() == "string_literal" {
        (was.replace('"', "\\\""), now.replace('"', "\\\""))
    } else {
        let hashes = text.split('"').next()?.matches('#').count();
        let closing = format!("\"{}", "#".repeat(hashes));
        if now.contains(&closing) {
            return None;
        }
        (was.to_owned(), now.to_owned())
    };
    text.contains(&was)
        .then(|| Splice::replace(literal.byte_range(), text.replace(&was, &now)))
}
