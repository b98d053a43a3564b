//! Nodes of pytest, which are made by their parents
//! (<https://docs.pytest.org/en/stable/deprecations.html#node-construction-changed-to-node-from-parent>).

use tree_sitter::Node;

use super::port::Order;
use crate::source::Source;
use crate::source::edit::Splice;
use crate::source::names::Names;

/// `Item(name, parent=collector)` in the traceback becomes `Item.from_parent(collector, name=name)`.
pub(super) fn from_parent(
    source: &Source,
    _: &Names<'_>,
    order: &Order<'_>,
) -> Option<Vec<Splice>> {
    let calls = source
        .nodes()
        .filter(|node| node.kind() == "call" && order.hot.contains(&Source::line(*node)));
    Some(
        calls
            .filter_map(|call| by_its_parent(source, call))
            .collect(),
    )
}

fn by_its_parent(source: &Source, call: Node<'_>) -> Option<Splice> {
    let made = source.slice(call.child_by_field_name("function")?);
    let class = made.rsplit('.').next()?;
    // A file's node has a path for a name, which newer versions call otherwise.
    let of_a_file = ["File", "Module", "Package", "Session", "Directory"];
    if !class.starts_with(char::is_uppercase) || of_a_file.iter().any(|end| class.ends_with(end)) {
        return None;
    }
    let arguments = call.child_by_field_name("arguments")?;
    let mut cursor = arguments.walk();
    let (mut name, mut parent, mut others) = (None, None, String::new());
    for argument in arguments.named_children(&mut cursor) {
        match argument.kind() {
            "keyword_argument" => {
                let value = source.slice(argument.child_by_field_name("value")?);
                match source.slice(argument.child_by_field_name("name")?) {
                    "name" => name = Some(value),
                    "parent" => parent = Some(value),
                    _ => {
                        others.push_str(", ");
                        others.push_str(source.slice(argument));
                    }
                }
            }
            "list_splat" | "dictionary_splat" | "comment" => return None,
            _ if name.is_none() => name = Some(source.slice(argument)),
            _ if parent.is_none() => parent = Some(source.slice(argument)),
            _ => return None,
        }
    }
    let text = format!("{made}.from_parent({}, name={}{others})", parent?, name?);
    Some(Splice::replace(call.byte_range(), text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::source::edit::apply;

    fn ported(call: &str) -> String {
        let text = format!("def hook(collector, name, obj):\n    return {call}\n");
        let source = Source::parse(text.as_str()).unwrap();
        let names = Names::of(&source);
        let order = Order {
            rules: &[],
            missing: None,
            hot: &BTreeSet::from([2]),
            defined: &BTreeSet::new(),
            fixture: None,
        };
        let splices = from_parent(&source, &names, &order).unwrap();
        let after = apply(&text, &splices).unwrap();
        let line = after.lines().nth(1).unwrap();
        line.trim_start_matches("    return ").to_owned()
    }

    #[test]
    fn a_node_is_made_by_its_parent() {
        for (before, after) in [
            (
                "python.Case(name, parent=collector)",
                "python.Case.from_parent(collector, name=name)",
            ),
            (
                "Case(name, collector, spec=obj)",
                "Case.from_parent(collector, name=name, spec=obj)",
            ),
            (
                "Case.from_parent(collector, name=name)",
                "Case.from_parent(collector, name=name)",
            ),
            ("YamlFile(name, collector)", "YamlFile(name, collector)"),
            ("Case(*args)", "Case(*args)"),
        ] {
            assert_eq!(ported(before), after);
        }
    }
}
