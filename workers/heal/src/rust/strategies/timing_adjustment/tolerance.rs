//! A tolerance that no scheduler can keep: a comparison of measured times to less than a hundredth of a second. It is
//! widened to a fifth, or a quarter of the shortest time that it is about, whichever is less. A tolerance that a machine can
//! keep is the test's own statement, and so is every other bound.

use tree_sitter::Node;

use super::{Moment, number};
use crate::case::Finding;
use crate::durations::{Tolerance, WIDENED, judged, kept};
use crate::source::descendants;
use crate::source::edit::Splice;
use crate::strategies::rank;

pub(super) fn examine(moment: &Moment<'_>) -> Vec<Finding> {
    let (Some((node, tolerance)), Some(unit)) = (tolerance_in(moment), unit(moment)) else {
        return vec![moment.under_test()];
    };
    let claim = &moment.claim;
    let seconds = tolerance / unit;
    let durations = claim
        .operands()
        .flat_map(descendants)
        .filter(|other| other.id() != node.id())
        .filter_map(|other| number(&claim.source, other))
        .map(|number| number / unit);
    let wide = match judged(seconds, durations) {
        Tolerance::Kept => {
            let place = format!("{}:{}", moment.path, moment.line);
            return vec![Finding::Refuse(kept(&place, &format!("{seconds} s")))];
        }
        Tolerance::Tight => return vec![moment.under_test()],
        Tolerance::Impossible(wide) => wide,
    };
    // A literal keeps its type.
    let text = if node.kind() == "float_literal" {
        format!("{:?}", wide * unit)
    } else {
        format!("{:.0}", (wide * unit).floor())
    };
    let candidate = moment.candidate(
        &format!("durations are compared to {wide} s, not to {seconds} s, which no machine keeps"),
        &[claim.moved(Splice::replace(node.byte_range(), text))],
        rank::WAIT,
    );
    candidate
        .map(|candidate| Finding::Propose(candidate, WIDENED.to_owned()))
        .into_iter()
        .collect()
}

/// How many of the unit in which the test reads its times are a second; `None` where it reads them in several.
fn unit(moment: &Moment<'_>) -> Option<f64> {
    let text = moment.source.slice(moment.function);
    let found: Vec<f64> = [
        ("as_secs_f", 1.0),
        ("as_millis", 1e3),
        ("as_micros", 1e6),
        ("as_nanos", 1e9),
    ]
    .into_iter()
    .filter_map(|(name, unit)| text.contains(name).then_some(unit))
    .collect();
    match found.as_slice() {
        [unit] => Some(*unit),
        _ => None,
    }
}

/// The literal of the tolerance: `(a - b).abs() < 0.001`, `a.abs_diff(b) <= 1`.
fn tolerance_in<'m>(moment: &'m Moment<'_>) -> Option<(Node<'m>, f64)> {
    let source = &moment.claim.source;
    moment
        .claim
        .operands()
        .flat_map(descendants)
        .filter(|node| node.kind() == "binary_expression")
        .find_map(|node| {
            let (left, right) = (
                node.child_by_field_name("left")?,
                node.child_by_field_name("right")?,
            );
            let operator = source.slice(node.child_by_field_name("operator")?);
            let method = left
                .child_by_field_name("function")?
                .child_by_field_name("field")?;
            let absolute = matches!(source.slice(method), "abs" | "abs_diff");
            (absolute && matches!(operator, "<" | "<="))
                .then(|| number(source, right).map(|number| (right, number)))?
        })
}
