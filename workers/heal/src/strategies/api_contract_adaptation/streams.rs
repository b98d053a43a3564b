//! The encoding of a standard stream, which is asked for and no longer assigned.

use super::port::Order;
use crate::source::Source;
use crate::source::edit::Splice;
use crate::source::names::Names;

/// `sys.stdout.encoding = "utf-8"` on the streams of Python 2 and those that pytest once put in their place is
/// `sys.stdout.reconfigure(encoding="utf-8")` on a text stream, whose attribute is read-only
/// (<https://docs.python.org/3/library/io.html#io.TextIOWrapper.reconfigure>).
#[expect(
    clippy::unnecessary_wraps,
    reason = "one signature for all transformations"
)]
pub(super) fn stream_encoding(
    source: &Source,
    names: &Names<'_>,
    _: &Order<'_>,
) -> Option<Vec<Splice>> {
    let statements = source.nodes().filter(|node| {
        node.kind() == "assignment"
            && node
                .parent()
                .is_some_and(|parent| parent.kind() == "expression_statement")
    });
    Some(
        statements
            .filter_map(|node| {
                let left = node.child_by_field_name("left")?;
                let right = node.child_by_field_name("right")?;
                if left.kind() != "attribute" || right.kind() == "assignment" {
                    return None;
                }
                let name = left.child_by_field_name("attribute")?;
                let stream = left.child_by_field_name("object")?;
                let used = names.resolve(stream)?;
                let standard = matches!(
                    used.qualified.as_str(),
                    "sys.stdin" | "sys.stdout" | "sys.stderr"
                );
                (standard && source.slice(name) == "encoding").then(|| {
                    let text = format!(
                        "{}.reconfigure(encoding={})",
                        source.slice(stream),
                        source.slice(right)
                    );
                    Splice::replace(node.byte_range(), text)
                })
            })
            .collect(),
    )
}
