//! Whether an expression may be evaluated again and again: it names, joins and compares, and calls nothing but what only
//! looks. Functions of the product are read for that, whatever their name.

use tree_sitter::Node;

use crate::case::Case;
use crate::rust::reach::product;
use crate::rust::source::{Source, body_of};
use crate::source::descendants;

/// Functions and methods of the standard library that change nothing.
const OBSERVERS: &[&str] = &[
    "all",
    "any",
    "as_bytes",
    "as_deref",
    "as_ref",
    "as_slice",
    "as_str",
    "borrow",
    "clone",
    "cloned",
    "collect",
    "contains",
    "contains_key",
    "copied",
    "count",
    "deref",
    "ends_with",
    "exists",
    "expect",
    "filter",
    "first",
    "from",
    "get",
    "into_inner",
    "is_dir",
    "is_empty",
    "is_err",
    "is_file",
    "is_finished",
    "is_none",
    "is_ok",
    "is_some",
    "iter",
    "join",
    "keys",
    "last",
    "len",
    "lines",
    "load",
    "lock",
    "map",
    "max",
    "metadata",
    "min",
    "new",
    "path",
    "read",
    "read_to_string",
    "split",
    "starts_with",
    "strong_count",
    "sum",
    "to_owned",
    "to_string",
    "to_vec",
    "trim",
    "unwrap",
    "unwrap_or",
    "unwrap_or_default",
    "values",
];
/// Macros that change nothing.
const MACROS: &[&str] = &["matches", "vec", "format", "stringify", "concat"];
/// How far calls of the product are followed.
const DEEPEST: usize = 2;

/// The product's files as trees.
pub(super) struct Product(Vec<Source>);

impl Product {
    pub(super) fn of(case: &Case<'_>) -> Self {
        Self(product(case.tree).collect())
    }

    /// Whether an expression only looks.
    pub(super) fn only_looks(&self, source: &Source, expression: Node<'_>) -> bool {
        self.looks(source, expression, 0)
    }

    fn looks(&self, source: &Source, below: Node<'_>, depth: usize) -> bool {
        descendants(below).all(|node| match node.kind() {
            "call_expression" => node
                .child_by_field_name("function")
                .is_some_and(|called| self.call_looks(source.slice(called), depth)),
            "macro_invocation" => node
                .child_by_field_name("macro")
                .is_some_and(|name| MACROS.contains(&source.slice(name))),
            // Among a macro's tokens a call is a name in front of a bracket.
            "token_tree" if source.slice(node).starts_with('(') => {
                node.prev_sibling().is_none_or(|before| {
                    before.kind() != "identifier" || self.call_looks(source.slice(before), depth)
                })
            }
            "assignment_expression"
            | "compound_assignment_expr"
            | "await_expression"
            | "return_expression"
            | "unsafe_block" => false,
            "reference_expression" => !source.slice(node).starts_with("&mut"),
            _ => true,
        })
    }

    fn call_looks(&self, called: &str, depth: usize) -> bool {
        let name = called.rsplit(['.', ':']).next().unwrap_or(called);
        let name = name.split('<').next().unwrap_or(name);
        // A variant or a struct with its values.
        if name.starts_with(char::is_uppercase) {
            return true;
        }
        match self.function_looks(name, depth) {
            Some(looks) => looks,
            None => OBSERVERS.contains(&name),
        }
    }

    /// Whether every function of the product by this name only looks; `None` where there is none.
    fn function_looks(&self, name: &str, depth: usize) -> Option<bool> {
        let mut found = None;
        for source in &self.0 {
            for function in source.functions().filter(|of| source.name(*of) == name) {
                let head = source.slice(function);
                let head = head.split('{').next().unwrap_or_default();
                let looks = depth < DEEPEST
                    && !head.contains("&mut")
                    && !head.contains("async ")
                    && !head.contains("(self")
                    && body_of(function).is_some_and(|body| self.looks(source, body, depth + 1));
                found = Some(looks && found.unwrap_or(true));
            }
        }
        found
    }

    /// The names of the parameters at this place of the product's functions by a name, `self` not counted.
    pub(super) fn parameters(&self, name: &str, at: usize) -> Vec<&str> {
        let mut found = Vec::new();
        for source in &self.0 {
            for function in source.functions().filter(|of| source.name(*of) == name) {
                let Some(list) = function.child_by_field_name("parameters") else {
                    continue;
                };
                let mut cursor = list.walk();
                let parameter = list
                    .named_children(&mut cursor)
                    .filter(|node| node.kind() == "parameter")
                    .nth(at)
                    .and_then(|node| node.child_by_field_name("pattern"));
                found.extend(parameter.map(|node| source.slice(node)));
            }
        }
        found
    }
}
