//! What of the process a test's own code changes, as its text says.

use tree_sitter::Node;

use crate::rust::source::{Source, body_of};
use crate::source::descendants;

/// One thing that outlives a test.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Thing {
    /// A variable of the environment, as the code writes its name.
    Variable(String),
    /// The working directory.
    Directory,
    /// An atomic static, by the path that the code writes.
    Atomic(String),
}

impl Thing {
    /// What people call it.
    pub(super) fn called(&self) -> String {
        match self {
            Self::Variable(name) => format!("the environment variable {name}"),
            Self::Directory => "the working directory".to_owned(),
            Self::Atomic(path) => format!("`{path}`"),
        }
    }
}

/// What a function's own code leaves, and whether it has to say `unsafe` for it.
pub(super) fn by(source: &Source, function: Node<'_>) -> (Vec<Thing>, bool) {
    let mut found = Vec::new();
    let mut is_unsafe = false;
    for call in body_of(function)
        .into_iter()
        .flat_map(descendants)
        .filter(|node| node.kind() == "call_expression")
    {
        let Some(thing) = of_call(source, call) else {
            continue;
        };
        is_unsafe |= matches!(thing, Thing::Variable(_))
            && crate::source::ancestors(call).any(|outer| outer.kind() == "unsafe_block");
        if !found.contains(&thing) {
            found.push(thing);
        }
    }
    (found, is_unsafe)
}

fn of_call(source: &Source, call: Node<'_>) -> Option<Thing> {
    let function = call.child_by_field_name("function")?;
    let called = source.slice(function);
    let first = call.child_by_field_name("arguments")?.named_child(0);
    match called.rsplit("::").next().unwrap_or(called) {
        "set_var" | "remove_var" => {
            let name = source.slice(first?);
            let written_out = name.starts_with('"')
                || name
                    .chars()
                    .all(|c| c == '_' || c == ':' || c.is_ascii_uppercase() || c.is_ascii_digit());
            written_out.then(|| Thing::Variable(name.to_owned()))
        }
        "set_current_dir" => Some(Thing::Directory),
        _ => {
            let (of, method) = (
                function.child_by_field_name("value")?,
                function.child_by_field_name("field")?,
            );
            let path = source.slice(of);
            let last = path.rsplit("::").next().unwrap_or(path);
            let is_static = last.len() > 1
                && last
                    .chars()
                    .all(|c| c == '_' || c.is_ascii_uppercase() || c.is_ascii_digit());
            let changes = matches!(
                source.slice(method),
                "store"
                    | "swap"
                    | "fetch_add"
                    | "fetch_sub"
                    | "fetch_or"
                    | "fetch_and"
                    | "fetch_max"
                    | "fetch_min"
            );
            (is_static && changes).then(|| Thing::Atomic(path.to_owned()))
        }
    }
}
