//! Waits that are too short, wall-clock comparisons that no machine can keep, clocks that are set while they measure,
//! and sleeps where the test's own fake clock stands still. A duration that is itself under test is not touched, and
//! whatever gives the product more time is a person's to judge: a product that became slower shows in the same way.

mod clock;
mod fake_clock;
mod limits;
#[cfg(test)]
mod tests;
mod tolerance;
mod waits;

use maestro_protocol::heal::{RuntimeChanges, Strategy};
use tree_sitter::Node;

use crate::case::{Candidate, Case, Edit, Finding, Repair};
use crate::durations::is_about_duration;
use crate::roles::failing_line;
use crate::source::edit::{Splice, apply};
use crate::source::names::{Names, is_load};
use crate::source::spelling::Spelling;
use crate::source::{Source, descendants};
use crate::strategies::place;

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
        let Some((path, text, line)) = failing_line(case, failure) else {
            return Vec::new();
        };
        let Some(source) = Source::parse(text) else {
            return Vec::new();
        };
        let names = Names::of(&source);
        let Some(scene) = Scene::new(path, &source, &names, line) else {
            return Vec::new();
        };
        if scene.bounds_a_duration() {
            return tolerance::examine(&scene).unwrap_or_else(|| {
                let mut findings: Vec<Finding> = clock::examine(&scene).into_iter().collect();
                if findings.is_empty() {
                    findings.push(Finding::Refuse(scene.under_test()));
                }
                findings
            });
        }
        let mut findings: Vec<Finding> = fake_clock::examine(&scene).into_iter().collect();
        findings.extend(limits::examine(&scene, failure));
        findings.extend(waits::examine(&scene));
        findings
    }
}

/// The function of a test around the statement that failed.
struct Scene<'s> {
    path: String,
    source: &'s Source,
    names: &'s Names<'s>,
    function: Node<'s>,
    statement: Node<'s>,
    line: u32,
}

impl<'s> Scene<'s> {
    fn new(path: String, source: &'s Source, names: &'s Names<'s>, line: u32) -> Option<Self> {
        Some(Self {
            path,
            source,
            names,
            function: place::function_at(source, line)?,
            statement: place::statement_at(source, line)?,
            line,
        })
    }

    /// The calls below a node of a function by its qualified name.
    fn calls_of(&self, below: Node<'s>, qualified: &str) -> Vec<Node<'s>> {
        descendants(below)
            .filter(|node| node.kind() == "call")
            .filter(|call| self.is_call_of(*call, qualified))
            .collect()
    }

    fn is_call_of(&self, call: Node<'s>, qualified: &str) -> bool {
        call.child_by_field_name("function")
            .and_then(|function| self.names.resolve(function))
            .is_some_and(|used| used.qualified == qualified)
    }

    /// The calls in the function that read a clock.
    fn clocks(&self, below: Node<'s>) -> Vec<Node<'s>> {
        [
            "time.time",
            "time.monotonic",
            "time.perf_counter",
            "time.process_time",
            "time.time_ns",
            "time.monotonic_ns",
            "timeit.default_timer",
            "datetime.datetime.now",
            "datetime.datetime.utcnow",
        ]
        .iter()
        .flat_map(|clock| self.calls_of(below, clock))
        .collect()
    }

    /// The names that hold a reading of a clock, or what follows from one.
    fn timed_names(&self) -> Vec<&'s str> {
        let clocks = self.clocks(self.function);
        let mut timed: Vec<&str> = Vec::new();
        for assignment in descendants(self.function).filter(|node| node.kind() == "assignment") {
            let (Some(left), Some(right)) = (
                assignment.child_by_field_name("left"),
                assignment.child_by_field_name("right"),
            ) else {
                continue;
            };
            let reads = descendants(right).any(|node| {
                clocks.iter().any(|clock| clock.id() == node.id())
                    || node.kind() == "identifier"
                        && is_load(node)
                        && timed.contains(&self.source.slice(node))
            });
            if reads {
                timed.push(self.source.slice(left));
            }
        }
        timed
    }

    /// Whether the statement that failed compares a measured duration.
    fn bounds_a_duration(&self) -> bool {
        let timed = self.timed_names();
        let clocks = self.clocks(self.statement);
        !clocks.is_empty()
            || descendants(self.statement).any(|node| {
                (node.kind() == "attribute" || node.kind() == "identifier" && is_load(node))
                    && timed.contains(&self.source.slice(node))
            })
    }

    /// Whether the test is about how long something takes: by its name, or because it waits for a time-out.
    fn is_about_duration(&self) -> bool {
        is_about_duration(place::name_of(self.source, self.function))
            || self
                .source
                .slice(self.function)
                .contains("raises(TimeoutError")
    }

    fn under_test(&self) -> String {
        format!(
            "{}:{} bounds how long something takes: the duration is what is tested, and no bound of it is moved",
            self.path, self.line
        )
    }

    fn spelling(&self) -> Spelling<'s, 's> {
        Spelling::new(self.source, self.names)
    }

    fn candidate(
        &self,
        what: &str,
        mut splices: Vec<Splice>,
        spelling: &Spelling<'_, '_>,
        rank: u32,
    ) -> Option<Candidate> {
        splices.extend(spelling.import_splices(&[], &std::collections::BTreeSet::new())?);
        let text = apply(self.source.text(), &splices)?;
        Some(Candidate {
            strategy: Strategy::TimingAdjustment,
            description: format!("{}:{}: {what}", self.path, self.line),
            edits: vec![Edit {
                path: self.path.clone(),
                text,
            }],
            runtime: RuntimeChanges::default(),
            rank,
        })
    }

    /// The number of a literal.
    fn number(&self, node: Node<'_>) -> Option<f64> {
        matches!(node.kind(), "integer" | "float")
            .then(|| self.source.slice(node).replace('_', "").parse().ok())?
    }
}
