//! A test in its file: the call that declares it, its body, and the names of the file.

use std::collections::BTreeMap;

use tree_sitter::Node;

use crate::case::Case;
use crate::node::source::{Binding, Source, arguments, is_function};
use crate::runner::file_of;
use crate::source::{ancestors, descendants};

/// Functions that declare a test, and those that declare a suite.
const DECLARING: [&str; 6] = ["test", "it", "describe", "suite", "context", "specify"];

/// One test's file.
pub(super) struct Scene {
    /// Relative to the project's directory.
    pub(super) path: String,
    pub(super) source: Source,
    /// What the names of the file are bound to.
    pub(super) bindings: BTreeMap<String, Binding>,
    /// The test's title, as its id has it.
    title: String,
}

impl Scene {
    pub(super) fn of(case: &Case<'_>, test: &str) -> Option<Self> {
        let path = file_of(case.tree, test)?;
        let (_, title) = test.split_once("::")?;
        let source = Source::parse(&path, case.tree.read(&path)?)?;
        Some(Self {
            bindings: source.bindings(),
            path,
            source,
            title: title.to_owned(),
        })
    }

    /// The function that is the test.
    pub(super) fn body(&self) -> Option<Node<'_>> {
        declarations(&self.source)
            .find(|call| {
                let titles = self.titles(*call);
                titles.join(" > ") == self.title || titles.join(" ") == self.title
            })
            .and_then(|call| {
                arguments(call)
                    .into_iter()
                    .find(|argument| is_function(*argument))
            })
    }

    /// The titles of the suites around a declaration, and its own.
    fn titles(&self, call: Node<'_>) -> Vec<&str> {
        let mut titles: Vec<&str> = std::iter::once(call)
            .chain(ancestors(call).filter(|outer| is_declaration(&self.source, *outer)))
            .filter_map(|call| self.source.string(*arguments(call).first()?))
            .collect();
        titles.reverse();
        titles
    }

    /// The nodes that are the test's own code: its body, and the functions of the file that it calls by name.
    pub(super) fn own(&self) -> Vec<Node<'_>> {
        let Some(body) = self.body() else {
            return Vec::new();
        };
        let called: Vec<&str> = descendants(body)
            .filter(|node| node.kind() == "call_expression")
            .filter_map(|call| call.child_by_field_name("function"))
            .filter(|function| function.kind() == "identifier")
            .map(|function| self.source.slice(function))
            .collect();
        let helpers = self.source.nodes().filter(|node| {
            node.kind() == "function_declaration"
                && node
                    .child_by_field_name("name")
                    .is_some_and(|name| called.contains(&self.source.slice(name)))
        });
        std::iter::once(body)
            .chain(helpers)
            .flat_map(descendants)
            .collect()
    }

    /// The value that a name of the file's top level is declared with, and whether another may take its place.
    pub(super) fn declared(&self, name: &str) -> Option<(Option<Node<'_>>, bool)> {
        let declarator = top_level(&self.source)
            .flat_map(|statement| {
                let statement = match statement.kind() {
                    "export_statement" => statement.child_by_field_name("declaration"),
                    _ => Some(statement),
                };
                statement.into_iter().flat_map(descendants)
            })
            .filter(|node| node.kind() == "variable_declarator")
            .filter(|node| !ancestors(*node).any(is_function))
            .find(|node| {
                node.child_by_field_name("name")
                    .is_some_and(|known| self.source.slice(known) == name)
            })?;
        let changes = declarator
            .parent()
            .is_some_and(|up| !self.source.slice(up).starts_with("const"));
        Some((declarator.child_by_field_name("value"), changes))
    }
}

/// The statements of the file itself.
pub(super) fn top_level(source: &Source) -> impl Iterator<Item = Node<'_>> {
    let root = source.root();
    let mut cursor = root.walk();
    let statements: Vec<Node<'_>> = root.named_children(&mut cursor).collect();
    statements.into_iter()
}

/// The calls that declare tests and suites.
pub(super) fn declarations(source: &Source) -> impl Iterator<Item = Node<'_>> {
    source.nodes().filter(|node| is_declaration(source, *node))
}

fn is_declaration(source: &Source, node: Node<'_>) -> bool {
    node.kind() == "call_expression"
        && node
            .child_by_field_name("function")
            .map(|function| source.slice(function))
            .is_some_and(|called| {
                DECLARING.contains(&called.split('.').next().unwrap_or(called))
                    || called.rsplit('.').next() == Some("test")
            })
}
