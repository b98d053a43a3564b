//! `time.time()` is set while it measures, by NTP and by people; a duration is measured by the monotonic clock. Nothing
//! is loosened by it.

use tree_sitter::Node;

use super::Scene;
use crate::case::Finding;
use crate::source::descendants;
use crate::source::edit::Splice;
use crate::source::names::is_load;
use crate::strategies::rank;

pub(super) fn examine(scene: &Scene<'_>) -> Option<Finding> {
    let readings = scene.calls_of(scene.function, "time.time");
    let whole = scene.source.slice(scene.function);
    let faked = ["patch", "freez", "travel", "time_machine"]
        .iter()
        .any(|word| whole.contains(word));
    if readings.len() < 2 || faked || !readings.iter().all(|call| is_for_difference(scene, *call)) {
        return None;
    }
    let spelling = scene.spelling();
    let monotonic = spelling.write("time", "monotonic", None)?;
    let splices = readings
        .iter()
        .filter_map(|call| call.child_by_field_name("function"))
        .map(|function| Splice::replace(function.byte_range(), monotonic.clone()))
        .collect();
    let candidate = scene.candidate(
        "the duration is measured by the monotonic clock, which nothing sets while it runs",
        splices,
        &spelling,
        rank::EXACT_RULE,
    )?;
    Some(Finding::Try(candidate))
}

/// Whether a reading is only subtracted from another one, at once or by the name that holds it.
fn is_for_difference(scene: &Scene<'_>, call: Node<'_>) -> bool {
    let Some(parent) = call.parent() else {
        return false;
    };
    if is_difference(scene, parent) {
        return true;
    }
    let holder = (parent.kind() == "assignment")
        .then(|| parent.child_by_field_name("left"))
        .flatten();
    holder.is_some_and(|holder| {
        let name = scene.source.slice(holder);
        descendants(scene.function)
            .filter(|node| {
                node.kind() == "identifier" && scene.source.slice(*node) == name && is_load(*node)
            })
            .filter(|node| node.id() != holder.id())
            .all(|node| {
                node.parent()
                    .is_some_and(|parent| is_difference(scene, parent))
            })
    })
}

fn is_difference(scene: &Scene<'_>, node: Node<'_>) -> bool {
    node.kind() == "binary_operator"
        && node
            .child_by_field_name("operator")
            .is_some_and(|operator| scene.source.slice(operator) == "-")
}
