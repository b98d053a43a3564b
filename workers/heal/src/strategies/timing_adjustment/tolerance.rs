//! A tolerance that no scheduler can keep: a comparison of measured durations to less than a hundredth of a second. It is
//! widened to a fifth, or a quarter of the shortest duration that it is about, whichever is less. A tolerance that a
//! machine can keep is the test's own statement, and stays.

use tree_sitter::Node;

use super::Scene;
use crate::case::Finding;
use crate::durations::{Tolerance, WIDENED, judged, kept};
use crate::source::edit::Splice;
use crate::source::{arguments, descendants};
use crate::strategies::{place, rank};

/// What a comparison to one decimal place allows, in seconds.
const ONE_PLACE: f64 = 0.05;

/// `None` where the statement has no tolerance at all.
pub(super) fn examine(scene: &Scene<'_>) -> Option<Vec<Finding>> {
    let (node, tolerance, is_places) = tolerance_in(scene)?;
    let durations = descendants(scene.statement)
        .filter(|other| other.kind() == "float" && other.id() != node.id())
        .filter_map(|other| scene.number(other));
    let wide = match judged(tolerance, durations) {
        Tolerance::Impossible(wide) => wide,
        Tolerance::Tight => return Some(Vec::new()),
        Tolerance::Kept => {
            let place = format!("{}:{}", scene.path, scene.line);
            let reason = kept(&place, &format!("{tolerance} s"));
            return Some(vec![Finding::Refuse(reason)]);
        }
    };
    let text = if is_places {
        "1".to_owned()
    } else {
        format!("{wide}")
    };
    if is_places && wide < ONE_PLACE {
        return Some(Vec::new());
    }
    let candidate = scene.candidate(
        &format!(
            "durations are compared to {text}{}, not to {tolerance} s, which no machine keeps",
            if is_places { " place" } else { " s" }
        ),
        vec![Splice::replace(node.byte_range(), text)],
        &scene.spelling(),
        rank::WAIT,
    );
    Some(
        candidate
            .map(|candidate| Finding::Propose(candidate, WIDENED.to_owned()))
            .into_iter()
            .collect(),
    )
}

/// The literal of the tolerance, its seconds, and whether it is a number of decimal places.
fn tolerance_in<'s>(scene: &Scene<'s>) -> Option<(Node<'s>, f64, bool)> {
    for call in descendants(scene.statement).filter(|node| node.kind() == "call") {
        for argument in arguments(call) {
            if argument.kind() != "keyword_argument" {
                continue;
            }
            let name = scene
                .source
                .slice(argument.child_by_field_name("name")?)
                .to_lowercase();
            let value = argument.child_by_field_name("value")?;
            let Some(number) = scene.number(value) else {
                continue;
            };
            if name == "places" {
                return Some((value, 0.5 * 10_f64.powf(-number), true));
            }
            let tolerates = ["delta", "tol", "eps", "slack", "margin", "precision"]
                .iter()
                .any(|word| name.contains(word))
                || name == "abs" && place::called(scene.source, call) == "approx";
            if tolerates {
                return Some((value, number, false));
            }
        }
    }
    // `abs(a - b) < 0.001`
    descendants(scene.statement)
        .filter(|node| node.kind() == "comparison_operator")
        .find_map(|comparison| {
            let (left, right) = (comparison.named_child(0)?, comparison.named_child(1)?);
            let operator = scene
                .source
                .text()
                .get(left.end_byte()..right.start_byte())?
                .trim();
            let absolute = left.kind() == "call" && place::called(scene.source, left) == "abs"
                || left.kind() == "call" && place::called(scene.source, left) == "fabs";
            (absolute && matches!(operator, "<" | "<="))
                .then(|| scene.number(right).map(|number| (right, number, false)))?
        })
}
