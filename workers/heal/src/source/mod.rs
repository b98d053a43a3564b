//! Python source as a tree that can be asked and edited: bytes that no edit names stay as they are, line endings
//! and all.
//!
//! [`Source`] is a parsed text; [`edit::apply`] makes a new text from [`edit::Splice`]s; [`names`] says what a
//! name stands for, through imports and their aliases; [`spelling`] says how a file can write down another.

pub mod edit;
pub mod faults;
pub mod imports;
pub mod names;
pub mod spelling;

use tree_sitter::{Node, Parser, Tree};

/// Larger files are data, not something that a person wrote.
const LARGEST: usize = 1 << 20;

/// A parsed Python file.
pub struct Source {
    text: String,
    tree: Tree,
}

impl Source {
    /// Parses a text, broken or not; `None` where it is too large.
    pub fn parse(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        if text.len() > LARGEST {
            return None;
        }
        let mut parser = Parser::new();
        parser
            .set_language(&tree_sitter_python::LANGUAGE.into())
            .ok()?;
        let tree = parser.parse(&text, None)?;
        Some(Self { text, tree })
    }

    /// The text it was parsed from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The root of its tree.
    pub fn root(&self) -> Node<'_> {
        self.tree.root_node()
    }

    /// The text of one node.
    pub fn slice(&self, node: Node<'_>) -> &str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    /// Every node, parents before children, in the order of the text.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        descendants(self.root())
    }

    /// The line ending that the file uses.
    pub fn newline(&self) -> &'static str {
        if self.text.contains("\r\n") {
            "\r\n"
        } else {
            "\n"
        }
    }

    /// The line, counted from 1, on which a node begins.
    pub fn line(node: Node<'_>) -> u32 {
        u32::try_from(node.start_position().row).map_or(u32::MAX, |row| row + 1)
    }

    /// The white space before the statement that starts at this byte; `None` where something else stands before
    /// it on its line.
    pub fn indent_of(&self, start: usize) -> Option<&str> {
        let before = self.text.get(..start)?;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let indent = before.get(line_start..)?.trim_start_matches('\u{feff}');
        indent
            .chars()
            .all(|c| c == ' ' || c == '\t')
            .then_some(indent)
    }
}

/// A node and everything below it, parents first.
pub fn descendants(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    let mut pending = vec![node];
    std::iter::from_fn(move || {
        let next = pending.pop()?;
        let mut cursor = next.walk();
        let children: Vec<_> = next.children(&mut cursor).collect();
        pending.extend(children.into_iter().rev());
        Some(next)
    })
}

/// A node's ancestors, the nearest first.
pub fn ancestors(node: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    std::iter::successors(node.parent(), Node::parent)
}

/// The function that a node stands in, by its place; the file itself is 0.
pub fn scope(node: Node<'_>) -> usize {
    ancestors(node)
        .find(|ancestor| ancestor.kind() == "function_definition")
        .map_or(0, |function| function.id())
}

/// The positional and keyword arguments of a call, in order; comments left out.
pub fn arguments(call: Node<'_>) -> Vec<Node<'_>> {
    let Some(list) = call.child_by_field_name("arguments") else {
        return Vec::new();
    };
    if list.kind() == "generator_expression" {
        return vec![list];
    }
    let mut cursor = list.walk();
    list.named_children(&mut cursor)
        .filter(|node| node.kind() != "comment")
        .collect()
}
