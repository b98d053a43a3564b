//! What `inspect.getfullargspec` answers, where a file takes it for what `inspect.getargspec` answered.

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::port::Order;
use crate::source::edit::Splice;
use crate::source::names::Names;
use crate::source::{Source, scope};

/// The fourth field of the older answer is called otherwise in the newer one, which has seven
/// (<https://docs.python.org/3/library/inspect.html#inspect.getfullargspec>): `spec.keywords` is `spec.varkw`, and what
/// is unpacked into four names are its first four.
pub(super) fn argspec_fields(
    source: &Source,
    names: &Names<'_>,
    _: &Order<'_>,
) -> Option<Vec<Splice>> {
    let is_asked = |node: Node<'_>| {
        node.kind() == "call"
            && node
                .child_by_field_name("function")
                .and_then(|function| names.resolve(function))
                .is_some_and(|used| used.qualified == "inspect.getfullargspec")
    };
    let mut splices = Vec::new();
    // Where it is bound: the name, and the function in which the name is that.
    let mut bound: BTreeSet<(&str, usize)> = BTreeSet::new();
    for node in source.nodes().filter(|node| node.kind() == "assignment") {
        let Some(right) = node.child_by_field_name("right").filter(|n| is_asked(*n)) else {
            continue;
        };
        let left = node.child_by_field_name("left")?;
        match left.kind() {
            "identifier" => {
                bound.insert((source.slice(left), scope(node)));
            }
            "pattern_list" | "tuple_pattern" if left.named_child_count() == 4 => {
                splices.push(Splice::insert(right.end_byte(), "[:4]"));
            }
            _ => {}
        }
    }
    for node in source.nodes().filter(|node| node.kind() == "attribute") {
        let name = node.child_by_field_name("attribute")?;
        let object = node.child_by_field_name("object")?;
        let is_spec = is_asked(object) || bound.contains(&(source.slice(object), scope(node)));
        if source.slice(name) == "keywords" && is_spec {
            splices.push(Splice::replace(name.byte_range(), "varkw"));
        }
    }
    Some(splices)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::edit::apply;

    fn ported(text: &str) -> String {
        let source = Source::parse(text).unwrap();
        let names = Names::of(&source);
        let order = Order {
            rules: &[],
            missing: None,
            hot: &BTreeSet::new(),
            defined: &BTreeSet::new(),
            fixture: None,
        };
        let splices = argspec_fields(&source, &names, &order).unwrap();
        apply(text, &splices).unwrap()
    }

    #[test]
    fn only_what_comes_from_the_newer_function_has_the_newer_fields() {
        assert_eq!(
            ported(
                "import inspect\ndef f(g, p):\n    s = inspect.getfullargspec(g)\n    return s.keywords is s.args, p.keywords\ndef h(s):\n    return s.keywords\n"
            ),
            "import inspect\ndef f(g, p):\n    s = inspect.getfullargspec(g)\n    return s.varkw is s.args, p.keywords\ndef h(s):\n    return s.keywords\n"
        );
        assert_eq!(
            ported(
                "from inspect import getfullargspec\na, b, c, d = getfullargspec(f)\nk = getfullargspec(f).keywords\n"
            ),
            "from inspect import getfullargspec\na, b, c, d = getfullargspec(f)[:4]\nk = getfullargspec(f).varkw\n"
        );
    }
}
