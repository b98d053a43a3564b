//! A tolerance that no scheduler can keep: a comparison of measured durations to less than a hundredth of a second. It is
//! widened to a fifth, or a quarter of the shortest duration that it is about, whichever is less. A tolerance that a
//! machine can keep is the test's own statement, and stays.

use tree_sitter::Node;

use super::Scene;
use crate::case::Finding;
use crate::durations::{WIDENED, kept};
use crate::source::edit::Splice;
use crate::source::{arguments, descendants};
use crate::strategies::{place, rank};

/// Seconds below which a tolerance is one that no machine keeps.
const IMPOSSIBLE: f64 = 0.01;
/// The most that a tolerance becomes, in seconds.
const WIDEST: f64 = 0.2;

/// `None` where the statement has no tolerance at all.
pub(super) fn examine(scene: &Scene<'_>) -> Option<Vec<Finding>> {
    let (node, tolerance, is_places) = tolerance_in(scene)?;
    if tolerance >= IMPOSSIBLE {
        let place = format!("{}:{}", scene.path, scene.line);
        return Some(vec![Finding::Refuse(kept(
            &place,
            &format!("{tolerance} s"),
        ))]);
    }
    let shortest = descendants(scene.statement)
        .filter(|other| other.kind() == "float" && other.id() != node.id())
        .filter_map(|other| scene.number(other))
        .filter(|number| *number > IMPOSSIBLE)
        .fold(f64::INFINITY, f64::min);
    let wide = if shortest.is_finite() {
        (shortest / 4.0).min(WIDEST)
    } else {
        WIDEST / 4.0
    };
    if wide <= tolerance * 2.0 {
        return Some(Vec::new());
    }
    let text = if is_places {
        // One place: to a twentieth of a second.
        "1".to_owned()
    } else {
        format!("{wide}")
    };
    if is_places && shortest < 0.2 {
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
