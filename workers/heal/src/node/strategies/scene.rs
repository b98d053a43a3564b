//! A test in its file: the call that declares it, its body, and the names of the file.

use std::collections::BTreeMap;

use tree_sitter::Node;

use crate::case::Case;
use crate::node::source::{Binding, Source, arguments, is_function};
use crate::runner::file_of;
use crate::source::{ancestors, descendants};

/// Functions that declare a test, and those that declare a suite.
const DECLARING: [&str; 6] = ["test", "it", "describe", "suite", "context", "specify"];

/// Those of them that declare a suite.
const SUITES: [&str; 3] = ["describe", "suite", "context"];

/// One test's file.
pub(in crate::node::strategies) struct Scene {
    /// Relative to the project's directory.
    pub(in crate::node::strategies) path: String,
    pub(in crate::node::strategies) source: Source,
    /// What the names of the file are bound to.
    pub(in crate::node::strategies) bindings: BTreeMap<String, Binding>,
    /// The test's title, as its id has it.
    title: String,
}

impl Scene {
    pub(in crate::node::strategies) fn of(case: &Case<'_>, test: &str) -> Option<Self> {
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
    pub(in crate::node::strategies) fn body(&self) -> Option<Node<'_>> {
        declarations(&self.source)
            .find(|call| {
                let titles = titles(&self.source, *call);
                titles.join(" > ") == self.title || titles.join(" ") == self.title
            })
            .and_then(|call| {
                arguments(call)
                    .into_iter()
                    .find(|argument| is_function(*argument))
            })
    }

    /// The nodes that are the test's own code: its body, and the functions of the file that it calls by name.
    pub(in crate::node::strategies) fn own(&self) -> Vec<Node<'_>> {
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
    pub(in crate::node::strategies) fn declared(
        &self,
        name: &str,
    ) -> Option<(Option<Node<'_>>, bool)> {
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
pub(in crate::node::strategies) fn top_level(source: &Source) -> impl Iterator<Item = Node<'_>> {
    let root = source.root();
    let mut cursor = root.walk();
    let statements: Vec<Node<'_>> = root.named_children(&mut cursor).collect();
    statements.into_iter()
}

/// The calls that declare tests and suites.
pub(in crate::node::strategies) fn declarations(source: &Source) -> impl Iterator<Item = Node<'_>> {
    source.nodes().filter(|node| is_declaration(source, *node))
}

/// The titles of the suites around a declaration, and its own.
pub(in crate::node::strategies) fn titles<'s>(source: &'s Source, call: Node<'_>) -> Vec<&'s str> {
    let mut titles: Vec<&str> = std::iter::once(call)
        .chain(ancestors(call).filter(|outer| is_declaration(source, *outer)))
        .filter_map(|call| source.string(*arguments(call).first()?))
        .collect();
    titles.reverse();
    titles
}

/// The call that declares the test which a node is part of; `None` for what is of no single test.
pub(in crate::node::strategies) fn test_around<'s>(
    source: &Source,
    node: Node<'s>,
) -> Option<Node<'s>> {
    ancestors(node).find(|outer| {
        is_declaration(source, *outer)
            && !outer
                .child_by_field_name("function")
                .map(|called| source.slice(called))
                .is_some_and(|called| SUITES.contains(&called.split('.').next().unwrap_or(called)))
    })
}

pub(in crate::node::strategies) fn is_declaration(source: &Source, node: Node<'_>) -> bool {
    node.kind() == "call_expression"
        && node
            .child_by_field_name("function")
            .map(|function| source.slice(function))
            .is_some_and(|called| {
                DECLARING.contains(&called.split('.').next().unwrap_or(called))
                    || called.rsplit('.').next() == Some("test")
            })
}
