//! A sleep, and behind it an assertion that comes too early. In front of the sleep the test waits until the condition holds,
//! at most so long. The sleep stays where it is: what holds for a moment and no longer afterwards would otherwise pass.

use tree_sitter::Node;

use super::looks::Product;
use super::sleeps::{self, Sleep, seconds_of};
use super::{Moment, number, paused};
use crate::case::{Case, Finding};
use crate::durations::{SLOWER, is_duration, longest_wait};
use crate::rust::reach::is_test_file;
use crate::source::edit::Splice;
use crate::source::{ancestors, descendants};
use crate::strategies::rank;

pub(super) fn examine(case: &Case<'_>, moment: &Moment<'_>) -> Option<Finding> {
    let sleep = sleep_before(moment)?;
    let product = Product::of(case);
    let claim = &moment.claim;
    let looks = claim
        .operands()
        .all(|node| product.only_looks(&claim.source, node));
    // A constant never becomes true by waiting.
    let varies = claim
        .operands()
        .any(|node| descendants(node).any(|inner| matches!(inner.kind(), "identifier" | "self")));
    if !looks || !varies {
        return None;
    }
    let slept = moment.source.slice(sleep.duration);
    let digits: String = slept.chars().filter(char::is_ascii_digit).collect();
    // Where time itself is the test's, its sleeps are exact.
    if moment.is_about_duration(&digits) || paused::is_paused(moment) && sleep.awaited {
        return Some(moment.under_test());
    }
    if let Some(given) = shorter_duration(moment, &product, &sleep) {
        return Some(Finding::Refuse(format!(
            "{}:{} waited {} s for something that was given {given} s: waiting longer would hide that the product is late",
            moment.path, moment.line, sleep.seconds
        )));
    }
    let taken = descendants(moment.function)
        .any(|node| node.kind() == "identifier" && moment.source.slice(node) == "deadline");
    if taken {
        return None;
    }
    let limit = longest_wait(sleep.seconds).ceil();
    let line = moment.source.text()[..sleep.statement.start_byte()]
        .rsplit('\n')
        .next()?;
    if !line.chars().all(char::is_whitespace) {
        return None;
    }
    let lines = [
        format!(
            "let deadline = std::time::Instant::now() + std::time::Duration::from_secs({limit});"
        ),
        format!(
            "while {} && std::time::Instant::now() < deadline {{",
            claim.unmet()?
        ),
        format!("    {}", sleep.short(moment.source)?),
        "}".to_owned(),
    ];
    let text = lines.join(&format!("\n{line}")) + "\n" + line;
    let candidate = moment.candidate(
        &format!(
            "the test waits until what it asserts holds, at most {limit} s, before it sleeps its {} s",
            sleep.seconds
        ),
        &[Splice::insert(sleep.statement.start_byte(), text)],
        rank::WAIT,
    )?;
    Some(Finding::Propose(candidate, SLOWER.to_owned()))
}

/// The sleep before the failing assertion in its block, only assertions between them.
pub(super) fn sleep_before<'s>(moment: &Moment<'s>) -> Option<Sleep<'s>> {
    let mut earlier = moment.statement.prev_named_sibling();
    while let Some(statement) = earlier {
        if let Some(sleep) = sleeps::of(moment.source, statement) {
            return Some(sleep);
        }
        let checks = moment.source.slice(statement).starts_with("assert");
        if !checks && !statement.kind().ends_with("_comment") {
            return None;
        }
        earlier = statement.prev_named_sibling();
    }
    None
}

/// A duration that the test gives to what it calls, of which the sleep is at least twice: the sleep is long enough.
fn shorter_duration(moment: &Moment<'_>, product: &Product, sleep: &Sleep<'_>) -> Option<f64> {
    let source = moment.source;
    let called = source.called(moment.function);
    let concerns = |node: Node<'_>| {
        let of = ancestors(node).find(|outer| outer.kind() == "function_item");
        match of {
            Some(of) if of.id() == moment.function.id() => {
                node.end_byte() <= sleep.statement.start_byte()
            }
            // What the test calls to make what it tests, and what the file has for all its tests.
            Some(of) => {
                called.contains(source.name(of))
                    && (is_test_file(&moment.path) || source.is_in_test(of.start_byte()))
            }
            None => matches!(node.kind(), "call_expression"),
        }
    };
    source
        .nodes()
        .filter(|node| concerns(*node))
        .filter(|node| {
            !ancestors(*node)
                .chain([*node])
                .any(|outer| sleeps::of(source, outer).is_some())
        })
        .filter_map(|node| match node.kind() {
            "call_expression" => {
                seconds_of(source, node).or_else(|| given_by_number(moment, product, node))
            }
            "field_initializer" => {
                let name = source.slice(node.child_by_field_name("field")?);
                by_name(name, number(source, node.child_by_field_name("value")?)?)
            }
            _ => None,
        })
        .find(|given| *given > 0.0 && sleep.seconds >= given * 2.0)
}

/// A number that a call gives to a parameter whose name says that it is a time.
fn given_by_number(moment: &Moment<'_>, product: &Product, call: Node<'_>) -> Option<f64> {
    let source = moment.source;
    let called = source.slice(call.child_by_field_name("function")?);
    let name = called.rsplit(['.', ':']).next()?;
    let list = call.child_by_field_name("arguments")?;
    let mut cursor = list.walk();
    let given: Vec<Node<'_>> = list.named_children(&mut cursor).collect();
    given.iter().enumerate().find_map(|(at, argument)| {
        let number = number(source, *argument)?;
        let parameters = product.parameters(name, at);
        parameters
            .into_iter()
            .find_map(|parameter| by_name(parameter, number))
    })
}

/// The seconds of a number whose name says that it is a time, by the unit that the name says; milliseconds without one.
fn by_name(name: &str, number: f64) -> Option<f64> {
    let unit = if name.contains("sec") { 1.0 } else { 1e-3 };
    is_duration(name).then_some(number * unit)
}
