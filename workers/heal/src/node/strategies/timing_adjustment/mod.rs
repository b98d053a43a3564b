//! Sleeps in place of conditions, sleeps while the test's own fake timers stand still, and comparisons of measured times
//! that no machine keeps. A duration that is itself under test is not touched, no time limit of a test is raised, and
//! whatever gives the product more time is a person's to judge: a product that became slower shows in the same way.

mod condition;
mod fake_timers;
mod looks;
mod sleeps;
#[cfg(test)]
mod tests;
mod tolerance;
mod waits;

use std::collections::BTreeMap;

use maestro_protocol::heal::Strategy;
use tree_sitter::Node;

use super::rewrite;
use super::scene::{test_around, titles};
use crate::case::{Candidate, Case, Edit, Finding, Repair};
use crate::durations::is_about_duration;
use crate::failure::Failure;
use crate::node::source::{Binding, Source, function_of};
use crate::node::subject::{Subject, subject};
use crate::roles::failing_line;
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
        match subject(failure) {
            Subject::Timeout => fake_timers::of_hanging(case, failure).into_iter().collect(),
            Subject::Assertion => of_assertion(case, failure),
            _ => Vec::new(),
        }
    }
}

fn of_assertion(case: &Case<'_>, failure: &Failure) -> Vec<Finding> {
    let Some((path, text, line)) = failing_line(case, failure) else {
        return Vec::new();
    };
    let Some(source) = Source::parse(&path, text) else {
        return Vec::new();
    };
    let Some(moment) = Moment::new(path, &source, line) else {
        return Vec::new();
    };
    if moment.compares_a_duration() {
        return tolerance::examine(&moment);
    }
    if let Some(moved) = fake_timers::of_assertion(case, &moment) {
        return vec![moved];
    }
    waits::examine(case, &moment).into_iter().collect()
}

/// The statement of a test that failed, and what stands around it.
struct Moment<'s> {
    path: String,
    source: &'s Source,
    bindings: BTreeMap<String, Binding>,
    /// The innermost function around the statement.
    function: Node<'s>,
    /// The call that declares the test; `None` where a function of the file asserts for several.
    declaration: Option<Node<'s>>,
    statement: Node<'s>,
    line: u32,
}

impl<'s> Moment<'s> {
    fn new(path: String, source: &'s Source, line: u32) -> Option<Self> {
        let statement = source
            .nodes()
            .filter(|node| is_statement(*node) && covers(*node, line))
            .last()?;
        Some(Self {
            path,
            source,
            bindings: source.bindings(),
            function: function_of(statement)?,
            declaration: test_around(source, statement),
            statement,
            line,
        })
    }

    /// Readings of a clock below a node.
    fn clocks(&self, below: Node<'s>) -> impl Iterator<Item = Node<'s>> {
        descendants(below).filter(|node| match node.kind() {
            "call_expression" => node
                .child_by_field_name("function")
                .map(|called| self.source.slice(called))
                .is_some_and(|called| {
                    matches!(
                        called,
                        "Date.now"
                            | "performance.now"
                            | "process.hrtime"
                            | "process.hrtime.bigint"
                            | "process.uptime"
                    )
                }),
            "new_expression" => matches!(self.source.slice(*node), "new Date()" | "new Date"),
            _ => false,
        })
    }

    /// The names that hold a reading of a clock, or what follows from one.
    fn timed_names(&self) -> Vec<&'s str> {
        let mut timed: Vec<&str> = Vec::new();
        for node in descendants(self.function) {
            let (left, right) = match node.kind() {
                "variable_declarator" => ("name", "value"),
                "assignment_expression" => ("left", "right"),
                _ => continue,
            };
            let (Some(left), Some(right)) = (
                node.child_by_field_name(left),
                node.child_by_field_name(right),
            ) else {
                continue;
            };
            if self.reads_time(right, &timed) {
                timed.push(self.source.slice(left));
            }
        }
        timed
    }

    fn reads_time(&self, below: Node<'s>, timed: &[&str]) -> bool {
        self.clocks(below).next().is_some()
            || descendants(below).any(|node| {
                matches!(node.kind(), "identifier" | "member_expression")
                    && timed.contains(&self.source.slice(node))
            })
    }

    /// Whether the statement that failed is about a measured duration.
    fn compares_a_duration(&self) -> bool {
        self.reads_time(self.statement, &self.timed_names())
    }

    /// The titles of the test and of the suites around it.
    fn title(&self) -> String {
        self.declaration
            .map(|declaration| titles(self.source, declaration).join(" "))
            .unwrap_or_default()
    }

    /// Whether the test is about how long something takes: by its title, or because that names how long it sleeps.
    fn is_about_duration(&self, slept: &str) -> bool {
        let title = self.title();
        is_about_duration(&title)
            || title
                .split(|c: char| !c.is_ascii_digit())
                .any(|number| number == slept)
    }

    fn under_test(&self) -> Finding {
        Finding::Refuse(format!(
            "{}:{} bounds how long something takes: the duration is what is tested, and no bound of it is moved",
            self.path, self.line
        ))
    }

    /// Whether a node is code of another test.
    fn is_of_another_test(&self, node: Node<'s>) -> bool {
        let of = test_around(self.source, node).map(|test| test.id());
        of.is_some() && of != self.declaration.map(|own| own.id())
    }

    fn candidate(&self, what: &str, splices: &[Splice], rank: u32) -> Option<Candidate> {
        let text = apply(self.source.text(), splices)?;
        Some(rewrite(
            Strategy::TimingAdjustment,
            format!("{}:{}: {what}", self.path, self.line),
            vec![Edit {
                path: self.path.clone(),
                text,
            }],
            rank,
        ))
    }

    /// The number of a literal.
    fn number(&self, node: Node<'_>) -> Option<f64> {
        number(self.source, node)
    }
}

fn number(source: &Source, node: Node<'_>) -> Option<f64> {
    (node.kind() == "number").then(|| source.slice(node).replace('_', "").parse().ok())?
}

fn is_statement(node: Node<'_>) -> bool {
    node.kind() != "comment"
        && node
            .parent()
            .is_some_and(|up| matches!(up.kind(), "statement_block" | "program"))
}

fn covers(node: Node<'_>, line: u32) -> bool {
    let last = u32::try_from(node.end_position().row).map_or(u32::MAX, |row| row + 1);
    (Source::line(node)..=last).contains(&line)
}
