//! A sleep, and behind it an assertion that comes too early. In front of the sleep the test waits until the condition holds,
//! at most so long. The sleep stays where it is: what holds for a moment and no longer afterwards would otherwise pass.

use tree_sitter::Node;

use super::looks::Product;
use super::sleeps::{Sleep, Sleeps};
use super::{Moment, condition};
use crate::case::{Case, Finding};
use crate::durations::{SLOWER, is_duration, longest_wait};
use crate::node::source::{Source, arguments, is_function};
use crate::source::descendants;
use crate::source::edit::Splice;
use crate::strategies::rank;

pub(super) fn examine(case: &Case<'_>, moment: &Moment<'_>) -> Option<Finding> {
    let sleeps = Sleeps {
        source: moment.source,
        path: &moment.path,
        case,
    };
    let (statement, sleep) = sleep_before(moment, &sleeps)?;
    let product = Product::of(case);
    let wanted = condition::of(moment.source, &product, moment.statement)?;
    let slept = moment.source.slice(sleep.duration);
    if moment.is_about_duration(slept) {
        return Some(moment.under_test());
    }
    if let Some(given) = shorter_duration(moment, &sleeps, &product, &sleep) {
        return Some(Finding::Refuse(format!(
            "{}:{} waited {slept} ms for something that was given {given} ms: waiting longer would hide that the product is late",
            moment.path, moment.line
        )));
    }
    let limit = limit(case, moment, sleep.milliseconds)?;
    let taken = descendants(moment.function)
        .any(|node| node.kind() == "identifier" && moment.source.slice(node) == "deadline");
    if taken {
        return None;
    }
    let indent = indent_of(moment.source, statement)?;
    let unit = if indent.contains('\t') { "\t" } else { "  " };
    // The pause is the sleep in the test's own words, only shorter.
    let whole = moment.source.slice(sleep.whole);
    let at = sleep.duration.start_byte() - sleep.whole.start_byte();
    let pause = format!("{}10{}", &whole[..at], &whole[at + slept.len()..]);
    let clock = if case.installed.node.0 >= 16 {
        "performance.now()"
    } else {
        "Date.now()"
    };
    let lines = [
        format!("const deadline = {clock} + {limit};"),
        format!("while (!({wanted}) && {clock} < deadline) {{"),
        format!("{unit}{pause};"),
        "}".to_owned(),
    ];
    let text = lines.join(&format!("\n{indent}")) + "\n" + &indent;
    let candidate = moment.candidate(
        &format!(
            "the test waits until what it asserts holds, at most {limit} ms, before it sleeps its {slept} ms"
        ),
        &[Splice::insert(statement.start_byte(), text)],
        rank::WAIT,
    )?;
    Some(Finding::Propose(candidate, SLOWER.to_owned()))
}

/// The sleep before the failing statement in its block, only assertions between them, and the statement that it is.
pub(super) fn sleep_before<'s>(
    moment: &Moment<'s>,
    sleeps: &Sleeps<'s, '_>,
) -> Option<(Node<'s>, Sleep<'s>)> {
    let mut earlier = moment.statement.prev_named_sibling();
    while let Some(statement) = earlier {
        if let Some(sleep) = sleeps.of(statement) {
            return Some((statement, sleep));
        }
        if statement.kind() != "comment" && !is_check(moment.source, statement) {
            return None;
        }
        earlier = statement.prev_named_sibling();
    }
    None
}

/// Whether a statement asserts and does nothing else: it begins with the name of what does.
fn is_check(source: &Source, statement: Node<'_>) -> bool {
    let text = source.slice(statement);
    statement.kind() == "expression_statement"
        && ["assert", "expect(", "t."]
            .iter()
            .any(|head| text.starts_with(head))
}

/// Milliseconds that the test waits at most: below what its runner gives a test by default
/// ([jest](https://jestjs.io/docs/api#testname-fn-timeout) and [vitest](https://vitest.dev/config/#testtimeout) 5 s,
/// [mocha](https://mochajs.org/#timeouts) 2 s, Node's own nothing). `None` where no time is left beside the sleep.
fn limit(case: &Case<'_>, moment: &Moment<'_>, slept: f64) -> Option<u32> {
    let of_node = moment.bindings.values().any(|of| of.module == "test");
    let has = |name: &str| {
        let distributions = &case.installed.distributions;
        distributions.iter().any(|(known, _)| known == name)
    };
    let most: f64 = if of_node {
        return in_whole(longest_wait(slept / 1000.0) * 1000.0);
    } else if has("mocha") && !has("jest") && !has("vitest") {
        1_800.0
    } else {
        4_500.0
    };
    let left = most - 2.0 * slept;
    (left >= slept.max(500.0)).then(|| in_whole(left))?
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 30 000 by its callers"
)]
fn in_whole(milliseconds: f64) -> Option<u32> {
    (0.0..=30_000.0)
        .contains(&milliseconds)
        .then_some(milliseconds as u32)
}

/// A duration that the test gives to what it calls, of which the sleep is at least twice: the sleep is long enough.
fn shorter_duration<'s>(
    moment: &Moment<'s>,
    sleeps: &Sleeps<'s, '_>,
    product: &Product,
    sleep: &Sleep<'s>,
) -> Option<f64> {
    let source = moment.source;
    let timed = |number: f64| number > 0.0 && sleep.milliseconds >= number * 2.0;
    for (call, called) in source.calls() {
        let before = call.end_byte() <= sleep.whole.start_byte();
        let own = descendants(moment.function).any(|node| node.id() == call.id());
        if own && !before || !own && moment.is_of_another_test(call) || sleeps.is_sleep(call) {
            continue;
        }
        let name = called.rsplit('.').next().unwrap_or(called);
        let given = arguments(call);
        for (at, argument) in given.iter().enumerate() {
            let numbers: Vec<f64> = if argument.kind() == "object" {
                durations_in(moment, *argument)
            } else if let Some(number) = moment.number(*argument) {
                let behind_a_function = at > 0 && is_function(given[at - 1]);
                let named = product.parameters(name, at).into_iter().any(is_duration);
                (behind_a_function || named)
                    .then_some(number)
                    .into_iter()
                    .collect()
            } else {
                Vec::new()
            };
            if let Some(number) = numbers.into_iter().find(|number| timed(*number)) {
                return Some(number);
            }
        }
    }
    None
}

/// The numbers of an object's members whose names say that they are times.
fn durations_in(moment: &Moment<'_>, object: Node<'_>) -> Vec<f64> {
    descendants(object)
        .filter(|node| node.kind() == "pair")
        .filter_map(|pair| {
            let key = pair.child_by_field_name("key")?;
            is_duration(moment.source.slice(key))
                .then(|| moment.number(pair.child_by_field_name("value")?))?
        })
        .collect()
}

/// The white space before a statement; `None` where something else stands before it on its line.
fn indent_of(source: &Source, statement: Node<'_>) -> Option<String> {
    let line = source.text()[..statement.start_byte()]
        .rsplit('\n')
        .next()?;
    line.chars()
        .all(char::is_whitespace)
        .then(|| line.to_owned())
}
