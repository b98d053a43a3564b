//! Rust as a tree that can be asked and edited: its functions, and which parts of a file are tests.

use std::collections::BTreeSet;
use std::ops::Range;

use tree_sitter::{Node, Parser, Tree};

use crate::source::{ancestors, descendants};

/// Larger files are data or made by a program.
const LARGEST: usize = 1 << 20;

/// A parsed file.
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
            .set_language(&tree_sitter_rust::LANGUAGE.into())
            .ok()?;
        let tree = parser.parse(&text, None)?;
        Some(Self { text, tree })
    }

    /// The text it was parsed from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether all of it parsed.
    pub fn is_whole(&self) -> bool {
        !self.tree.root_node().has_error()
    }

    /// The text of one node.
    pub fn slice(&self, node: Node<'_>) -> &str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    /// Every node, parents before children, in the order of the text.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        descendants(self.tree.root_node())
    }

    /// The smallest node that holds a range of bytes.
    pub fn at(&self, range: &Range<usize>) -> Option<Node<'_>> {
        self.tree
            .root_node()
            .descendant_for_byte_range(range.start, range.end)
    }

    /// The line, counted from 1, on which a node begins.
    pub fn line(node: Node<'_>) -> u32 {
        u32::try_from(node.start_position().row).map_or(u32::MAX, |row| row + 1)
    }

    /// The lines that a node takes.
    pub fn lines(node: Node<'_>) -> impl Iterator<Item = u32> {
        let last = u32::try_from(node.end_position().row).map_or(u32::MAX, |row| row + 1);
        Self::line(node)..=last
    }

    /// The functions that have a body.
    pub fn functions(&self) -> impl Iterator<Item = Node<'_>> {
        self.nodes()
            .filter(|node| node.kind() == "function_item" && body_of(*node).is_some())
    }

    /// A function's name.
    pub fn name(&self, function: Node<'_>) -> &str {
        function
            .child_by_field_name("name")
            .map_or("", |name| self.slice(name))
    }

    /// The attributes in front of an item.
    pub fn attributes_of(&self, item: Node<'_>) -> impl Iterator<Item = &str> {
        std::iter::successors(item.prev_named_sibling(), Node::prev_named_sibling)
            .take_while(|node| {
                matches!(
                    node.kind(),
                    "attribute_item" | "line_comment" | "block_comment"
                )
            })
            .filter(|node| node.kind() == "attribute_item")
            .map(|node| self.slice(node))
    }

    /// Whether a function is a test, by any macro that makes one.
    pub fn is_test(&self, function: Node<'_>) -> bool {
        self.attributes_of(function).any(|attribute| {
            let path = attribute
                .trim_start_matches("#[")
                .split(['(', ']'])
                .next()
                .unwrap_or_default();
            let last = path.rsplit("::").next().unwrap_or(path).trim();
            matches!(
                last,
                "test" | "rstest" | "test_case" | "quickcheck" | "proptest"
            )
        })
    }

    /// The parts of the file that are only there for tests: items under `cfg(test)`, and tests.
    pub fn test_parts(&self) -> Vec<Range<usize>> {
        self.nodes()
            .filter(|node| {
                matches!(
                    node.kind(),
                    "mod_item" | "function_item" | "use_declaration" | "impl_item"
                )
            })
            .filter(|node| {
                let only_tests = self.attributes_of(*node).any(|attribute| {
                    attribute.starts_with("#[cfg(")
                        && words(attribute).any(|word| word == "test")
                        && !words(attribute).any(|word| matches!(word, "not" | "any"))
                });
                only_tests || node.kind() == "function_item" && self.is_test(*node)
            })
            .map(|node| node.byte_range())
            .collect()
    }

    /// Whether a byte lies in a part that is only there for tests.
    pub fn is_in_test(&self, byte: usize) -> bool {
        self.test_parts().iter().any(|part| part.contains(&byte))
    }

    /// The names that are called below a node, macros' arguments included: there calls are words in front of brackets.
    pub fn called(&self, below: Node<'_>) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for node in descendants(below) {
            let name = match node.kind() {
                "call_expression" => node.child_by_field_name("function").map(|function| {
                    let text = self.slice(function);
                    text.rsplit(['.', ':']).next().unwrap_or(text).to_owned()
                }),
                "identifier" if in_macro(node) => {
                    let called = node
                        .next_sibling()
                        .is_some_and(|next| self.slice(next).starts_with('('));
                    called.then(|| self.slice(node).to_owned())
                }
                _ => None,
            };
            found.extend(name);
        }
        found
    }
}

/// The body of a function.
pub fn body_of(function: Node<'_>) -> Option<Node<'_>> {
    function.child_by_field_name("body")
}

/// The function that a node stands in.
pub fn function_of(node: Node<'_>) -> Option<Node<'_>> {
    ancestors(node).find(|node| node.kind() == "function_item")
}

fn in_macro(node: Node<'_>) -> bool {
    node.parent().is_some_and(|up| up.kind() == "token_tree")
}

/// The words of a text.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c != '_' && !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

/// The bytes in which two texts differ: of the one, and of the other.
pub(super) fn changed(before: &str, after: &str) -> (Range<usize>, Range<usize>) {
    let front = before
        .bytes()
        .zip(after.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let most = before.len().min(after.len()) - front;
    let back = before
        .bytes()
        .rev()
        .zip(after.bytes().rev())
        .take(most)
        .take_while(|(a, b)| a == b)
        .count();
    (front..before.len() - back, front..after.len() - back)
}

/// Whether a change of a file lies in a part of it that is only there for tests, before and after.
pub(super) fn changes_tests_alone(before: &str, after: &str) -> bool {
    let (of_before, of_after) = changed(before, after);
    let inside = |text: &str, range: &Range<usize>| {
        Source::parse(text).is_some_and(|source| {
            source
                .test_parts()
                .iter()
                .any(|part| part.start < range.start && range.end < part.end)
        })
    };
    inside(before, &of_before) && inside(after, &of_after)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "pub fn price(n: u32) -> u32 {\n    n * 2\n}\n\n#[cfg(test)]\nmod tests {\n    use super::*;\n\n    #[test]\n    fn doubles() {\n        assert_eq!(price(2), 4);\n        helper();\n    }\n}\n";

    #[test]
    fn tests_among_the_product_are_told_from_it() {
        let source = Source::parse(FILE).unwrap();
        assert!(source.is_in_test(FILE.find("assert_eq").unwrap()));
        assert!(!source.is_in_test(FILE.find("n * 2").unwrap()));
        assert!(changes_tests_alone(
            FILE,
            &FILE.replace("price(2)", "price(3)")
        ));
        assert!(!changes_tests_alone(FILE, &FILE.replace("n * 2", "n * 3")));
        let both = FILE
            .replace("price(2)", "price(3)")
            .replace("n * 2", "n * 3");
        assert!(!changes_tests_alone(FILE, &both));
        let unlocked = FILE.replace("#[cfg(test)]\n", "");
        assert!(!changes_tests_alone(FILE, &unlocked));
    }

    #[test]
    fn what_a_test_calls_is_seen_in_its_macros_as_well() {
        let source = Source::parse(FILE).unwrap();
        let test = source.functions().find(|f| source.is_test(*f)).unwrap();
        let called: Vec<String> = source.called(test).into_iter().collect();
        assert_eq!(called, ["helper", "price"]);
    }
}
