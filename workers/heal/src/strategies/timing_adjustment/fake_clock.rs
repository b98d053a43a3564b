//! A sleep while the test's own fake clock stands still: the clock is moved instead, as the test's library does it.

use tree_sitter::Node;

use super::Scene;
use super::waits::sleep_before;
use crate::case::Finding;
use crate::source::edit::Splice;
use crate::source::{ancestors, arguments, descendants};
use crate::strategies::rank;

pub(super) fn examine(scene: &Scene<'_>) -> Option<Finding> {
    let (sleep, _) = sleep_before(scene)?;
    if !scene.is_call_of(sleep, "time.sleep") {
        return None;
    }
    let (clock, method) = by_with(scene, sleep).or_else(|| by_fixture(scene))?;
    let amount = scene.source.slice(*arguments(sleep).first()?);
    let candidate = scene.candidate(
        &format!("the test moves its own clock by {amount} s, which stands still while it sleeps"),
        vec![Splice::replace(
            sleep.byte_range(),
            format!("{clock}.{method}({amount})"),
        )],
        &scene.spelling(),
        rank::FIXTURE,
    )?;
    Some(Finding::Try(candidate))
}

/// `with freeze_time(…) as clock:` and `with time_machine.travel(…, tick=False) as clock:` around the sleep.
fn by_with<'s>(scene: &Scene<'s>, sleep: Node<'s>) -> Option<(&'s str, &'static str)> {
    ancestors(sleep)
        .filter(|node| node.kind() == "with_statement")
        .find_map(|with| {
            let pattern = descendants(with).find(|node| node.kind() == "as_pattern")?;
            let call = pattern.named_child(0)?;
            let alias = descendants(pattern)
                .find(|node| node.kind() == "as_pattern_target")
                .map(|target| scene.source.slice(target))?;
            if scene.is_call_of(call, "freezegun.freeze_time")
                && !scene.source.slice(call).contains("tick=True")
            {
                return Some((alias, "tick"));
            }
            (scene.is_call_of(call, "time_machine.travel")
                && scene.source.slice(call).contains("tick=False"))
            .then_some((alias, "shift"))
        })
}

/// The `freezer` fixture of pytest-freezer and pytest-freezegun.
fn by_fixture<'s>(scene: &Scene<'s>) -> Option<(&'s str, &'static str)> {
    let parameters = scene.function.child_by_field_name("parameters")?;
    descendants(parameters)
        .find(|node| node.kind() == "identifier" && scene.source.slice(*node) == "freezer")
        .map(|node| (scene.source.slice(node), "tick"))
}
