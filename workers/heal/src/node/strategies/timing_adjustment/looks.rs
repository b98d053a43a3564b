//! Whether an expression may be evaluated again and again: it names, joins and compares, and calls nothing but what only
//! looks. Functions of the product are read for that.

use tree_sitter::Node;

use super::super::own_sources;
use crate::case::Case;
use crate::node::source::{Source, is_function};
use crate::roles::{Role, Roles};
use crate::source::descendants;

/// Functions and methods that change nothing.
const OBSERVERS: &[&str] = &[
    "Array",
    "Boolean",
    "Number",
    "Object",
    "String",
    "at",
    "called",
    "charAt",
    "concat",
    "entries",
    "endsWith",
    "existsSync",
    "from",
    "getTime",
    "has",
    "includes",
    "indexOf",
    "isArray",
    "isInteger",
    "isNaN",
    "join",
    "keys",
    "lastIndexOf",
    "listenerCount",
    "parse",
    "parseInt",
    "readFileSync",
    "readdirSync",
    "slice",
    "split",
    "startsWith",
    "statSync",
    "stringify",
    "test",
    "toISOString",
    "toLowerCase",
    "toString",
    "toUpperCase",
    "trim",
    "values",
];
/// How far calls of the product are followed.
const DEEPEST: usize = 2;
/// More files than this are not read.
const MOST_FILES: usize = 200;

/// The product's files as trees.
pub(super) struct Product(Vec<Source>);

impl Product {
    pub(super) fn of(case: &Case<'_>) -> Self {
        let roles = Roles::of_case(case);
        Self(
            own_sources(case)
                .filter(|path| roles.of(path) == Role::Product)
                .take(MOST_FILES)
                .filter_map(|path| Source::parse(path, case.tree.read(path)?))
                .collect(),
        )
    }

    /// Whether an expression only looks.
    pub(super) fn only_looks(&self, source: &Source, expression: Node<'_>) -> bool {
        self.looks(source, expression, 0)
    }

    fn looks(&self, source: &Source, below: Node<'_>, depth: usize) -> bool {
        descendants(below).all(|node| match node.kind() {
            "call_expression" => node
                .child_by_field_name("function")
                .is_some_and(|function| {
                    let name = source.slice(function);
                    let name = name.rsplit('.').next().unwrap_or(name);
                    OBSERVERS.contains(&name) || depth < DEEPEST && self.function_looks(name, depth)
                }),
            "new_expression" => node
                .child_by_field_name("constructor")
                .is_some_and(|of| matches!(source.slice(of), "Set" | "Map" | "Date" | "URL")),
            "unary_expression" => !source.slice(node).starts_with("delete"),
            "assignment_expression"
            | "augmented_assignment_expression"
            | "update_expression"
            | "await_expression"
            | "yield_expression"
            | "throw_statement" => false,
            // What it does, whoever is handed it decides.
            _ => depth > 0 || !is_function(node),
        })
    }

    /// Whether every function of the product by this name only looks, and there is one. What is asynchronous has no
    /// answer yet.
    fn function_looks(&self, name: &str, depth: usize) -> bool {
        let mut any = false;
        for source in &self.0 {
            for (_, function) in functions(source).filter(|(known, _)| *known == name) {
                any = true;
                let looks = function.child_by_field_name("body").is_some_and(|body| {
                    !source.slice(function).starts_with("async")
                        && self.looks(source, body, depth + 1)
                });
                if !looks {
                    return false;
                }
            }
        }
        any
    }

    /// The names of the parameters at this place of the product's functions, methods and constructors by a name.
    pub(super) fn parameters(&self, name: &str, at: usize) -> Vec<&str> {
        let mut found = Vec::new();
        for source in &self.0 {
            for (known, function) in functions(source) {
                if known != name {
                    continue;
                }
                let Some(list) = function.child_by_field_name("parameters") else {
                    continue;
                };
                let mut cursor = list.walk();
                let parameter = list
                    .named_children(&mut cursor)
                    .filter(|node| node.kind() != "comment")
                    .nth(at);
                found.extend(parameter.map(|node| source.slice(node)));
            }
        }
        found
    }
}

/// The functions of a file by the names that they are called by: a class's constructor by that of the class.
fn functions(source: &Source) -> impl Iterator<Item = (&str, Node<'_>)> {
    source.nodes().filter_map(|node| {
        let named = |field: &str| {
            let text = source.slice(node.child_by_field_name(field)?);
            Some(text.rsplit('.').next().unwrap_or(text))
        };
        let valued = |field: &str| {
            node.child_by_field_name(field)
                .filter(|value| is_function(*value))
        };
        match node.kind() {
            "function_declaration" | "generator_function_declaration" => {
                Some((named("name")?, node))
            }
            "method_definition" => {
                let name = named("name")?;
                if name == "constructor" {
                    let class = node.parent()?.parent()?;
                    return Some((source.slice(class.child_by_field_name("name")?), node));
                }
                Some((name, node))
            }
            "variable_declarator" => Some((named("name")?, valued("value")?)),
            "pair" => Some((named("key")?, valued("value")?)),
            "assignment_expression" => Some((named("left")?, valued("right")?)),
            _ => None,
        }
    })
}
