//! A tolerance that no scheduler can keep: a comparison of measured times to less than ten milliseconds. It is widened to
//! two hundred, or a quarter of the shortest time that it is about, whichever is less. A tolerance that a machine can keep is
//! the test's own statement, and so is every other bound.

use tree_sitter::Node;

use super::Moment;
use crate::case::Finding;
use crate::durations::{Tolerance, WIDENED, judged, kept};
use crate::node::source::arguments;
use crate::source::descendants;
use crate::source::edit::Splice;
use crate::strategies::rank;

pub(super) fn examine(moment: &Moment<'_>) -> Vec<Finding> {
    // Other clocks count in other units.
    let in_milliseconds = moment.clocks(moment.function).all(|clock| {
        let text = moment.source.slice(clock);
        !text.starts_with("process.")
    });
    let Some((node, tolerance)) = tolerance_in(moment).filter(|_| in_milliseconds) else {
        return vec![moment.under_test()];
    };
    let durations = descendants(moment.statement)
        .filter(|other| other.id() != node.id())
        .filter_map(|other| moment.number(other))
        .map(|number| number / 1000.0);
    let wide = match judged(tolerance / 1000.0, durations) {
        Tolerance::Kept => {
            let place = format!("{}:{}", moment.path, moment.line);
            return vec![Finding::Refuse(kept(&place, &format!("{tolerance} ms")))];
        }
        Tolerance::Tight => return vec![moment.under_test()],
        Tolerance::Impossible(wide) => wide * 1000.0,
    };
    let candidate = moment.candidate(
        &format!(
            "durations are compared to {wide} ms, not to {tolerance} ms, which no machine keeps"
        ),
        &[Splice::replace(node.byte_range(), format!("{wide}"))],
        rank::WAIT,
    );
    candidate
        .map(|candidate| Finding::Propose(candidate, WIDENED.to_owned()))
        .into_iter()
        .collect()
}

/// The literal of the tolerance, and its milliseconds: `Math.abs(a - b) < 1`, `closeTo(took, 400, 1)`,
/// `expect(Math.abs(took - 400)).toBeLessThan(1)`.
fn tolerance_in<'s>(moment: &Moment<'s>) -> Option<(Node<'s>, f64)> {
    let source = moment.source;
    let is_absolute = |node: Node<'_>| {
        node.kind() == "call_expression"
            && node
                .child_by_field_name("function")
                .is_some_and(|called| source.slice(called) == "Math.abs")
    };
    descendants(moment.statement).find_map(|node| match node.kind() {
        "binary_expression" => {
            let operator = source.slice(node.child_by_field_name("operator")?);
            let left = node.child_by_field_name("left")?;
            let right = node.child_by_field_name("right")?;
            (is_absolute(left) && matches!(operator, "<" | "<="))
                .then(|| moment.number(right).map(|number| (right, number)))?
        }
        "call_expression" => {
            let called = node.child_by_field_name("function")?;
            let name = source.slice(called).rsplit('.').next()?;
            let given = arguments(node);
            match name {
                "closeTo" | "approximately" => {
                    let tolerance = *given.last()?;
                    (given.len() >= 2)
                        .then(|| moment.number(tolerance).map(|number| (tolerance, number)))?
                }
                "toBeLessThan" | "toBeLessThanOrEqual" => {
                    let expected = called.child_by_field_name("object")?;
                    let subject = *arguments(expected).first()?;
                    let tolerance = *given.first()?;
                    is_absolute(subject)
                        .then(|| moment.number(tolerance).map(|number| (tolerance, number)))?
                }
                _ => None,
            }
        }
        _ => None,
    })
}
