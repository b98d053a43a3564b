//! What a fixed sleep looks like: the timers of Node that are awaited, a promise that a timer settles, and the functions
//! that people write around one.

use tree_sitter::Node;

use super::number;
use crate::case::Case;
use crate::node::source::{Binding, Source, arguments, is_function};
use crate::source::descendants;

/// A statement that sleeps.
#[derive(Clone, Copy)]
pub(super) struct Sleep<'s> {
    /// `await …`.
    pub(super) whole: Node<'s>,
    /// The number of its milliseconds.
    pub(super) duration: Node<'s>,
    pub(super) milliseconds: f64,
}

/// The sleeps of one file.
pub(super) struct Sleeps<'s, 'c> {
    pub(super) source: &'s Source,
    pub(super) path: &'s str,
    pub(super) case: &'c Case<'c>,
}

impl<'s> Sleeps<'s, '_> {
    /// The sleep that a statement is.
    pub(super) fn of(&self, statement: Node<'s>) -> Option<Sleep<'s>> {
        if statement.kind() != "expression_statement" {
            return None;
        }
        let whole = statement
            .named_child(0)
            .filter(|node| node.kind() == "await_expression")?;
        let awaited = whole.named_child(0)?;
        let duration = match awaited.kind() {
            "new_expression" => timer_of_promise(self.source, awaited)?,
            "call_expression" if self.is_sleep(awaited) => *arguments(awaited).first()?,
            _ => return None,
        };
        let milliseconds = number(self.source, duration).filter(|number| *number > 0.0)?;
        Some(Sleep {
            whole,
            duration,
            milliseconds,
        })
    }

    /// Whether a call is one of a function that sleeps as long as its first argument says.
    pub(super) fn is_sleep(&self, call: Node<'s>) -> bool {
        let Some(called) = call.child_by_field_name("function") else {
            return false;
        };
        let bindings = self.source.bindings();
        if called.kind() == "member_expression" {
            let (Some(object), Some(member)) = (
                called.child_by_field_name("object"),
                called.child_by_field_name("property"),
            ) else {
                return false;
            };
            let (object, member) = (self.source.slice(object), self.source.slice(member));
            return bindings
                .get(object)
                .is_some_and(|of| match of.member.as_deref() {
                    None | Some("default") => {
                        of.module == "timers/promises" && member == "setTimeout"
                    }
                    Some("promises") => of.module == "timers" && member == "setTimeout",
                    Some("scheduler") => of.module == "timers/promises" && member == "wait",
                    _ => false,
                });
        }
        if called.kind() != "identifier" {
            return false;
        }
        let name = self.source.slice(called);
        match bindings.get(name) {
            Some(of) if of.module == "timers/promises" => {
                of.member.as_deref() == Some("setTimeout")
            }
            Some(of) if of.module == "delay" => true,
            Some(of) => self.is_sleep_elsewhere(of, name),
            None => is_declared_sleep(self.source, name),
        }
    }

    /// Whether a function of another file of the project is one.
    fn is_sleep_elsewhere(&self, of: &Binding, name: &str) -> bool {
        if !of.module.starts_with('.') {
            return false;
        }
        let directory = self.path.rsplit_once('/').map_or("", |(before, _)| before);
        let Some(stem) = joined(directory, &of.module) else {
            return false;
        };
        let name = match of.member.as_deref() {
            None | Some("default") => name,
            Some(member) => member,
        };
        ["", ".js", ".mjs", ".cjs", ".ts", "/index.js", "/index.ts"]
            .iter()
            .map(|ending| format!("{stem}{ending}"))
            .find_map(|path| Source::parse(&path, self.case.tree.read(&path)?))
            .is_some_and(|source| is_declared_sleep(&source, name))
    }
}

/// A relative module's path within the project.
fn joined(directory: &str, module: &str) -> Option<String> {
    let mut parts: Vec<&str> = directory
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    for part in module.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Whether a file declares this name as a function that answers with a promise which a timer settles after the time that
/// is its first parameter.
fn is_declared_sleep(source: &Source, name: &str) -> bool {
    let of_name = |node: Node<'_>, field: &str| {
        node.child_by_field_name(field)
            .map(|named| source.slice(named))
            .is_some_and(|named| named == name || named.rsplit('.').next() == Some(name))
    };
    source.nodes().any(|node| {
        let value = match node.kind() {
            "function_declaration" if of_name(node, "name") => Some(node),
            "variable_declarator" if of_name(node, "name") => node.child_by_field_name("value"),
            "assignment_expression" if of_name(node, "left") => node.child_by_field_name("right"),
            "pair" if of_name(node, "key") => node.child_by_field_name("value"),
            _ => None,
        };
        value.is_some_and(|value| sleeps(source, value))
    })
}

fn sleeps(source: &Source, value: Node<'_>) -> bool {
    if value.kind() == "call_expression" {
        let called = value.child_by_field_name("function");
        return called
            .is_some_and(|called| matches!(source.slice(called), "promisify" | "util.promisify"))
            && arguments(value)
                .first()
                .is_some_and(|of| source.slice(*of) == "setTimeout");
    }
    if !is_function(value) {
        return false;
    }
    let Some(parameter) = first_parameter(source, value) else {
        return false;
    };
    let Some(body) = value.child_by_field_name("body") else {
        return false;
    };
    // Nothing but the promise.
    let promise = match body.kind() {
        "statement_block" if body.named_child_count() == 1 => body
            .named_child(0)
            .filter(|only| matches!(only.kind(), "return_statement" | "expression_statement"))
            .and_then(|only| only.named_child(0)),
        "statement_block" => None,
        _ => Some(body),
    };
    let promise = promise.map(|node| match node.kind() {
        "await_expression" => node.named_child(0).unwrap_or(node),
        _ => node,
    });
    promise
        .and_then(|promise| timer_of_promise(source, promise))
        .is_some_and(|duration| source.slice(duration) == parameter)
}

/// The time of `new Promise((resolve) => setTimeout(resolve, 50))`, in all forms that do nothing else.
fn timer_of_promise<'s>(source: &Source, promise: Node<'s>) -> Option<Node<'s>> {
    let constructor = promise.child_by_field_name("constructor")?;
    if source.slice(constructor) != "Promise" {
        return None;
    }
    let executor = arguments(promise)
        .first()
        .copied()
        .filter(|of| is_function(*of))?;
    let resolve = first_parameter(source, executor)?;
    let mut calls = descendants(executor.child_by_field_name("body")?).filter(|node| {
        matches!(
            node.kind(),
            "call_expression" | "new_expression" | "assignment_expression"
        )
    });
    let timer = calls.next().filter(|call| {
        call.child_by_field_name("function")
            .map(|called| source.slice(called))
            .is_some_and(|called| {
                matches!(
                    called,
                    "setTimeout" | "global.setTimeout" | "globalThis.setTimeout"
                )
            })
    })?;
    let given = arguments(timer);
    let [settles, duration] = given.as_slice() else {
        return None;
    };
    let further: Vec<&str> = calls.map(|call| source.slice(call)).collect();
    let at_once = source.slice(*settles) == resolve && further.is_empty();
    let by_function = is_function(*settles) && further == [format!("{resolve}()")];
    (at_once || by_function).then_some(*duration)
}

/// The name of a function's first parameter, where it has one.
fn first_parameter<'s>(source: &'s Source, function: Node<'_>) -> Option<&'s str> {
    let single = function.child_by_field_name("parameter");
    let first = function
        .child_by_field_name("parameters")
        .and_then(|parameters| parameters.named_child(0))
        .map(|first| first.child_by_field_name("pattern").unwrap_or(first));
    let name = source.slice(single.or(first)?);
    Some(name.split(['=', ':']).next().unwrap_or(name).trim())
}
