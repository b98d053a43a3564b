//! What `pytest.raises` gives, whose text was that of the exception until pytest 5
//! (<https://docs.pytest.org/en/stable/changelog.html#pytest-5-0-0-2019-06-28>).

use std::collections::BTreeSet;

use tree_sitter::Node;

use super::port::Order;
use crate::source::edit::Splice;
use crate::source::names::Names;
use crate::source::{Source, scope};

/// `str(info)` is asked of the exception: `str(info.value)`; with the exception's name in front, as it was, where that is what is looked for.
pub(super) fn raised_text(
    source: &Source,
    names: &Names<'_>,
    _: &Order<'_>,
) -> Option<Vec<Splice>> {
    let bound: BTreeSet<(&str, usize)> = source
        .nodes()
        .filter(|node| node.kind() == "as_pattern")
        .filter_map(|node| {
            let call = node.named_child(0).filter(|call| call.kind() == "call")?;
            let raises = names.resolve(call.child_by_field_name("function")?)?;
            let alias = node.child_by_field_name("alias")?;
            (raises.qualified == "pytest.raises").then(|| (source.slice(alias), scope(node)))
        })
        .collect();
    let splices: Vec<Splice> = source
        .nodes()
        .filter(|node| node.kind() == "call")
        .filter_map(|call| {
            let function = call.child_by_field_name("function")?;
            let arguments = call.child_by_field_name("arguments")?;
            let info = arguments
                .named_child(0)
                .filter(|_| arguments.named_child_count() == 1)?;
            let is_text = source.slice(function) == "str"
                && bound.contains(&(source.slice(info), scope(call)));
            is_text.then(|| {
                if looked_for(source, call).is_some_and(begins_with_a_name) {
                    let text = format!("{}.exconly()", source.slice(info));
                    Splice::replace(call.byte_range(), text)
                } else {
                    Splice::insert(info.end_byte(), ".value")
                }
            })
        })
        .collect();
    (!splices.is_empty()).then_some(splices)
}

/// The text that a comparison looks for in a call's answer: `'...' in call`.
fn looked_for<'s>(source: &'s Source, call: Node<'_>) -> Option<&'s str> {
    let comparison = call.parent()?;
    let is_in = comparison.kind() == "comparison_operator"
        && source.slice(comparison.child(1)?) == "in"
        && comparison.named_child(1)? == call;
    let left = is_in.then(|| comparison.named_child(0)).flatten()?;
    source.nodes().find_map(|node| {
        let inside =
            node.kind() == "string_content" && left.byte_range().contains(&node.start_byte());
        inside.then(|| source.slice(node))
    })
}

/// `KeyError: ...`
fn begins_with_a_name(text: &str) -> bool {
    text.split_once(": ").is_some_and(|(name, _)| {
        name.starts_with(char::is_uppercase) && name.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::edit::apply;

    #[test]
    fn the_text_of_what_was_raised_is_the_exceptions() {
        let text = "import pytest\n\n\ndef test(other):\n    with pytest.raises(E) as info:\n        f()\n    assert 'no' in str(info)\n    assert ('E: no %d' % 1) in str(info)\n    assert str(other) == str(info.value)\n\n\ndef test_other(info):\n    assert str(info)\n";
        let source = Source::parse(text).unwrap();
        let names = Names::of(&source);
        let order = Order {
            rules: &[],
            missing: None,
            hot: &BTreeSet::new(),
            defined: &BTreeSet::new(),
            fixture: None,
        };
        let splices = raised_text(&source, &names, &order).unwrap();
        assert_eq!(
            apply(text, &splices).unwrap(),
            text.replace("'no' in str(info)", "'no' in str(info.value)")
                .replace("1) in str(info)", "1) in info.exconly()")
        );
    }
}
