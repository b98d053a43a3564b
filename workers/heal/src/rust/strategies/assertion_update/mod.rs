//! Expectations of texts that drifted: in the literals of an assertion, and in snapshots of
//! [insta](https://insta.rs/docs/), files and inline ones. Nothing is changed without evidence from elsewhere than the failing
//! assertion: the project's own changelog, or the commit that changed the text and says so. Numbers, orders and everything else
//! that the product computes are no drift. What is offered is proposed, never healed.

mod literals;
mod snapshots;
#[cfg(test)]
mod tests;

use maestro_protocol::heal::Strategy;

use super::{rewrite, subject};
use crate::case::{Case, Edit, Finding, Repair};
use crate::failure::{Failure, Phase};
use crate::intended::{Drift, doubt, drift};
use crate::roles::Roles;
use crate::rust::classify::in_test;
use crate::rust::panics::SNAPSHOT;
use crate::rust::reach::product;
use crate::rust::subject::Subject;
use crate::strategies::rank;

/// See the module.
pub(super) struct AssertionUpdate;

impl Repair for AssertionUpdate {
    fn strategy(&self) -> Strategy {
        Strategy::AssertionUpdate
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        let Some(failure) = case.failures.first() else {
            return Vec::new();
        };
        if failure.phase != Phase::Call || subject(failure) != Subject::Assertion {
            return Vec::new();
        }
        found(case, failure).into_iter().collect()
    }
}

fn found(case: &Case<'_>, failure: &Failure) -> Option<Finding> {
    let frame = failure
        .innermost_own()
        .filter(|frame| in_test(case, failure, frame))?;
    let compared = failure.compared.as_ref()?;
    let is_snapshot = compared.by == SNAPSHOT;
    let pairs = if is_snapshot {
        vec![(compared.expected.clone(), compared.actual.clone())]
    } else {
        let (left, right) = literals::texts(&compared.actual, &compared.expected)?;
        // Which of the two the test wants, the product's source says.
        vec![(right.clone(), left.clone()), (left, right)]
    };
    let texts = product_texts(case);
    let says = |text: &str| texts.iter().any(|content| content.contains(text));
    let roles = Roles::of_case(case);
    let drift = pairs
        .iter()
        .find_map(|(expected, actual)| drift(case, &roles, &says, expected, actual))?;
    let edit = if is_snapshot {
        snapshots::edit(case, failure, frame, &drift)?
    } else {
        literals::edit(case, frame, &drift)?
    };
    Some(proposed(&drift, edit))
}

fn proposed(drift: &Drift, edit: Edit) -> Finding {
    let description = format!(
        "{}: the test expects `{}` in place of `{}`",
        edit.path, drift.now, drift.was
    );
    Finding::Propose(
        rewrite(
            Strategy::AssertionUpdate,
            description,
            vec![edit],
            rank::EXPECTATION,
        ),
        doubt(&drift.evidence),
    )
}

/// The product's files, without the parts of them that are only there for tests.
fn product_texts(case: &Case<'_>) -> Vec<String> {
    product(case.tree)
        .map(|source| {
            let mut text = String::new();
            let mut done = 0;
            for part in source.test_parts() {
                if part.start >= done {
                    text.push_str(&source.text()[done..part.start]);
                    done = part.end;
                }
            }
            text.push_str(&source.text()[done..]);
            text
        })
        .collect()
}
