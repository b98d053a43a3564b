//! A time limit of the test's own on a primitive of the standard library: a queue, a future, a process, a thread, an
//! event. It is raised, unless it goes to the product or the test is about it.

use tree_sitter::Node;

use super::Scene;
use crate::case::Finding;
use crate::durations::SLOWER;
use crate::failure::Failure;
use crate::source::edit::Splice;
use crate::source::{arguments, descendants};
use crate::strategies::{place, rank};

/// Limits from here on are no slip.
const LONG: f64 = 2.0;
/// What a limit is raised to, in seconds.
const RAISED: &str = "10.0";

/// The exceptions by which a limit of the standard library shows, and the file that raises them.
const RAISED_BY: &[(&str, &str)] = &[
    ("Empty", "queue.py"),
    ("Full", "queue.py"),
    ("TimeoutExpired", "subprocess.py"),
    ("TimeoutError", "concurrent/futures/_base.py"),
    ("TimeoutError", "asyncio/"),
    ("BrokenBarrierError", "threading.py"),
];

pub(super) fn examine(scene: &Scene<'_>, failure: &Failure) -> Option<Finding> {
    let raised = failure.exception_name().is_some_and(|name| {
        let innermost = failure.frames.last().map_or("", |frame| &frame.path);
        // The primitive was called by the test itself, not by the product.
        let direct = failure
            .frames
            .iter()
            .rposition(|frame| !frame.path.starts_with('/'))
            .is_some_and(|at| failure.frames[at].line == scene.line);
        direct
            && RAISED_BY
                .iter()
                .any(|(known, file)| *known == name && innermost.contains(file))
    });
    let waited = scene.statement.kind() == "assert_statement" && waits_on_primitive(scene);
    if !raised && !waited {
        return None;
    }
    let limit = limit(scene)?;
    let seconds = scene.number(limit)?;
    if seconds >= LONG || seconds <= 0.0 {
        return None;
    }
    if scene.is_about_duration() {
        return Some(Finding::Refuse(scene.under_test()));
    }
    let candidate = scene.candidate(
        &format!("the test waits at most {RAISED} s, in place of {seconds} s, for what it waits for anyway"),
        vec![Splice::replace(limit.byte_range(), RAISED)],
        &scene.spelling(),
        rank::WAIT,
    )?;
    Some(Finding::Propose(candidate, SLOWER.to_owned()))
}

/// The number of the time limit in the failing statement.
fn limit<'s>(scene: &Scene<'s>) -> Option<Node<'s>> {
    descendants(scene.statement)
        .filter(|node| node.kind() == "call")
        .find_map(|call| {
            let position = match place::called(scene.source, call) {
                "wait" | "join" | "result" => 0,
                "get" | "wait_for" | "communicate" => 1,
                "put" => 2,
                _ => return None,
            };
            place::argument(scene.source, call, position, "timeout")
                .filter(|node| scene.number(*node).is_some())
        })
}

/// `assert done.wait(0.01)`, where the test itself made `done` from `threading` or `multiprocessing`.
fn waits_on_primitive(scene: &Scene<'_>) -> bool {
    let Some(receiver) = descendants(scene.statement)
        .filter(|node| node.kind() == "call" && place::called(scene.source, *node) == "wait")
        .find_map(|call| {
            call.child_by_field_name("function")?
                .child_by_field_name("object")
        })
    else {
        return false;
    };
    let name = scene.source.slice(receiver);
    scene
        .source
        .nodes()
        .filter(|node| node.kind() == "assignment")
        .filter(|node| {
            node.child_by_field_name("left")
                .is_some_and(|left| scene.source.slice(left) == name)
        })
        .filter_map(|node| node.child_by_field_name("right"))
        .filter(|right| right.kind() == "call" && arguments(*right).len() <= 1)
        .any(|right| {
            right
                .child_by_field_name("function")
                .and_then(|function| scene.names.resolve(function))
                .is_some_and(|used| {
                    used.qualified.starts_with("threading.")
                        || used.qualified.starts_with("multiprocessing.")
                })
        })
}
