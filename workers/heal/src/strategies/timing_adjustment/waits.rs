//! A sleep, and behind it an assertion that comes too early. The sleep stays as it is: what holds too early and no
//! longer afterwards would otherwise pass. Behind it the test waits until the condition holds, at most so long.

use tree_sitter::Node;

use super::Scene;
use crate::case::Finding;
use crate::durations::{SLOWER, is_duration, longest_wait};
use crate::source::{Source, arguments, descendants};
use crate::strategies::{place, rank};

/// The condition that an assertion demands, as text; `None` where asking it again may change something.
pub(super) fn condition(source: &Source, statement: Node<'_>) -> Option<String> {
    if statement.kind() == "assert_statement" {
        let condition = statement.named_child(0)?;
        return place::only_looks(source, condition).then(|| source.slice(condition).to_owned());
    }
    let call = statement
        .named_child(0)
        .filter(|node| node.kind() == "call")?;
    let operands: Vec<Node<'_>> = arguments(call)
        .into_iter()
        .filter(|node| node.kind() != "keyword_argument")
        .collect();
    if !operands.iter().all(|node| place::only_looks(source, *node)) {
        return None;
    }
    let text = |index: usize| operands.get(index).map(|node| source.slice(*node));
    let join = |operator: &str| Some(format!("{} {operator} {}", text(0)?, text(1)?));
    match place::called(source, call) {
        "assertTrue" => text(0).map(str::to_owned),
        "assertFalse" => Some(format!("not ({})", text(0)?)),
        "assertEqual" | "assertEquals" => join("=="),
        "assertIn" => join("in"),
        "assertNotIn" => join("not in"),
        "assertIsNone" => Some(format!("{} is None", text(0)?)),
        "assertIsNotNone" => Some(format!("{} is not None", text(0)?)),
        "assertGreater" => join(">"),
        "assertGreaterEqual" => join(">="),
        _ => None,
    }
}

pub(super) fn examine(scene: &Scene<'_>) -> Option<Finding> {
    let (sleep, seconds) = sleep_before(scene)?;
    let wanted = condition(scene.source, scene.statement)?;
    // A constant never becomes true by waiting.
    if !descendants(scene.statement).any(|node| matches!(node.kind(), "identifier" | "attribute")) {
        return None;
    }
    if let Some(given) = shorter_duration(scene, sleep, seconds) {
        return Some(Finding::Refuse(format!(
            "{}:{} waited {seconds} s for something that was given {given} s: waiting longer would hide that the product is late",
            scene.path, scene.line
        )));
    }
    let spelling = scene.spelling();
    let asynchronous = sleep
        .parent()
        .is_some_and(|parent| parent.kind() == "await");
    let monotonic = spelling.write("time", "monotonic", None)?;
    let pause = if asynchronous {
        format!("await {}(0.01)", spelling.write("asyncio", "sleep", None)?)
    } else {
        format!("{}(0.01)", spelling.write("time", "sleep", None)?)
    };
    let limit = longest_wait(seconds);
    let unit = unit(scene);
    let lines = [
        format!("deadline = {monotonic}() + {limit}"),
        format!("while not ({wanted}) and {monotonic}() < deadline:"),
        format!("{unit}{pause}"),
    ];
    let taken = descendants(scene.function)
        .any(|node| node.kind() == "identifier" && scene.source.slice(node) == "deadline");
    if taken {
        return None;
    }
    let splices = vec![place::before(scene.source, scene.statement, &lines)?];
    let candidate = scene.candidate(
        &format!("the test waits until what it asserts holds, at most {limit} s, in place of {seconds} s and no longer"),
        splices,
        &spelling,
        rank::WAIT,
    )?;
    Some(Finding::Propose(candidate, SLOWER.to_owned()))
}

/// The sleep before the failing statement in its block, only assertions between them, and how long it is.
pub(super) fn sleep_before<'s>(scene: &Scene<'s>) -> Option<(Node<'s>, f64)> {
    let mut earlier = scene.statement.prev_named_sibling();
    while let Some(statement) = earlier {
        let sleep = ["time.sleep", "asyncio.sleep"]
            .iter()
            .flat_map(|sleep| scene.calls_of(statement, sleep))
            .next();
        if let Some(sleep) = sleep {
            let seconds = scene.number(*arguments(sleep).first()?)?;
            return (seconds > 0.0).then_some((sleep, seconds));
        }
        if !is_check(scene.source, statement) && statement.kind() != "comment" {
            return None;
        }
        earlier = statement.prev_named_sibling();
    }
    None
}

fn is_check(source: &Source, statement: Node<'_>) -> bool {
    statement.kind() == "assert_statement"
        || statement
            .named_child(0)
            .filter(|node| node.kind() == "call")
            .is_some_and(|call| place::called(source, call).starts_with("assert"))
}

/// A duration that the test gives to what it calls, of which the sleep is at least twice: the sleep is long enough.
fn shorter_duration(scene: &Scene<'_>, sleep: Node<'_>, seconds: f64) -> Option<f64> {
    descendants(scene.function)
        .filter(|node| node.end_byte() <= sleep.start_byte() && node.kind() == "call")
        .filter(|call| {
            !scene.is_call_of(*call, "time.sleep") && !scene.is_call_of(*call, "asyncio.sleep")
        })
        .flat_map(|call| {
            arguments(call).into_iter().filter_map(|argument| {
                let named = argument.kind() == "keyword_argument";
                let value = if named {
                    let name = scene.source.slice(argument.child_by_field_name("name")?);
                    is_duration(name).then(|| argument.child_by_field_name("value"))??
                } else {
                    argument
                };
                // A whole number by position is rather a count.
                let number = scene.number(value)?;
                (named || value.kind() == "float").then_some(number)
            })
        })
        .find(|given| *given > 0.0 && seconds >= given * 2.0)
}

/// One level of the file's indentation.
fn unit(scene: &Scene<'_>) -> String {
    let body = scene.function.child_by_field_name("body");
    let inner = body
        .and_then(|body| body.named_child(0))
        .and_then(|first| scene.source.indent_of(first.start_byte()));
    let outer = scene.source.indent_of(scene.function.start_byte());
    match (inner, outer) {
        (Some(inner), Some(outer)) if inner.len() > outer.len() => inner[outer.len()..].to_owned(),
        _ => "    ".to_owned(),
    }
}
