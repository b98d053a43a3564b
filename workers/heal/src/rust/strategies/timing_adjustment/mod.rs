//! Sleeps in place of conditions, sleeps while the clock of the test's runtime is paused, and comparisons of measured times
//! that no machine keeps. A duration that is itself under test is not touched, and whatever gives the product more time is a
//! person's to judge: a product that became slower shows in the same way.

mod looks;
mod paused;
mod sleeps;
#[cfg(test)]
mod tests;
mod tolerance;
mod waits;

use maestro_protocol::heal::Strategy;
use tree_sitter::Node;

use super::claim::Claim;
use super::{rewrite, subject};
use crate::case::{Candidate, Case, Edit, Finding, Repair};
use crate::durations::is_about_duration;
use crate::failure::{Failure, Phase};
use crate::rust::classify::in_test;
use crate::rust::source::{Source, function_of};
use crate::rust::subject::Subject;
use crate::source::descendants;
use crate::source::edit::{Splice, apply};

/// See the module.
pub(super) struct TimingAdjustment;

impl Repair for TimingAdjustment {
    fn strategy(&self) -> Strategy {
        Strategy::TimingAdjustment
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        let Some(failure) = case.failures.first() else {
            return Vec::new();
        };
        // An assertion with words of its own says nothing else; the line shows that it is one.
        let asserts = matches!(subject(failure), Subject::Assertion | Subject::Other);
        if failure.phase != Phase::Call || !asserts {
            return Vec::new();
        }
        of_assertion(case, failure).unwrap_or_default()
    }
}

fn of_assertion(case: &Case<'_>, failure: &Failure) -> Option<Vec<Finding>> {
    let frame = failure
        .innermost_own()
        .filter(|frame| in_test(case, failure, frame))?;
    let source = Source::parse(case.tree.read(&frame.path)?)?;
    let moment = Moment::new(frame.path.clone(), &source, frame.line)?;
    if moment.compares_a_duration() {
        return Some(tolerance::examine(&moment));
    }
    if let Some(found) = paused::examine(&moment) {
        return Some(vec![found]);
    }
    Some(waits::examine(case, &moment).into_iter().collect())
}

/// The assertion that failed, and what stands around it.
struct Moment<'s> {
    path: String,
    source: &'s Source,
    function: Node<'s>,
    /// The statement in its block.
    statement: Node<'s>,
    claim: Claim,
    line: u32,
}

impl<'s> Moment<'s> {
    fn new(path: String, source: &'s Source, line: u32) -> Option<Self> {
        let statement = source
            .nodes()
            .filter(|node| is_statement(*node) && Source::lines(*node).any(|own| own == line))
            .last()?;
        Some(Self {
            path,
            source,
            function: function_of(statement)?,
            statement,
            claim: Claim::of(source, statement)?,
            line,
        })
    }

    /// The names that hold a reading of a clock, or what follows from one.
    fn timed_names(&self) -> Vec<&'s str> {
        let mut timed: Vec<&str> = Vec::new();
        for node in descendants(self.function).filter(|node| node.kind() == "let_declaration") {
            let (Some(pattern), Some(value)) = (
                node.child_by_field_name("pattern"),
                node.child_by_field_name("value"),
            ) else {
                continue;
            };
            if reads_time(self.source, value, &timed) {
                timed.push(self.source.slice(pattern));
            }
        }
        timed
    }

    /// Whether the assertion that failed is about a measured duration.
    fn compares_a_duration(&self) -> bool {
        let timed = self.timed_names();
        let claim = &self.claim;
        claim
            .operands()
            .any(|operand| reads_time(&claim.source, operand, &timed))
    }

    /// Whether the test is about how long something takes: by its name, or because that says how long it sleeps.
    fn is_about_duration(&self, slept: &str) -> bool {
        let name = self.source.name(self.function);
        is_about_duration(name)
            || name
                .split(|c: char| !c.is_ascii_digit())
                .any(|n| n == slept)
    }

    fn under_test(&self) -> Finding {
        Finding::Refuse(format!(
            "{}:{} bounds how long something takes: the duration is what is tested, and no bound of it is moved",
            self.path, self.line
        ))
    }

    fn candidate(&self, what: &str, splices: &[Splice], rank: u32) -> Option<Candidate> {
        Some(rewrite(
            Strategy::TimingAdjustment,
            format!("{}:{}: {what}", self.path, self.line),
            vec![Edit {
                path: self.path.clone(),
                text: apply(self.source.text(), splices)?,
            }],
            rank,
        ))
    }
}

/// Whether an expression reads a clock, or a name that holds what one said.
fn reads_time(source: &Source, below: Node<'_>, timed: &[&str]) -> bool {
    descendants(below).any(|node| match node.kind() {
        "call_expression" => node
            .child_by_field_name("function")
            .map(|called| source.slice(called))
            .is_some_and(|called| {
                called.ends_with("Instant::now")
                    || called.ends_with("SystemTime::now")
                    || called.ends_with(".elapsed")
            }),
        "identifier" => timed.contains(&source.slice(node)),
        _ => false,
    })
}

fn is_statement(node: Node<'_>) -> bool {
    !matches!(node.kind(), "line_comment" | "block_comment")
        && node.parent().is_some_and(|up| up.kind() == "block")
}

/// The number of a literal, whatever its type.
fn number(source: &Source, node: Node<'_>) -> Option<f64> {
    if !matches!(node.kind(), "integer_literal" | "float_literal") {
        return None;
    }
    let text = source.slice(node).replace('_', "");
    let end = text.find(|c: char| c.is_alphabetic()).unwrap_or(text.len());
    text[..end].parse().ok()
}
