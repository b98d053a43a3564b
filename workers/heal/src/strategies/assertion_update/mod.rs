//! Expectations of texts that drifted: messages, headings, representations, snapshots of them. Nothing is changed without
//! evidence from elsewhere than the failing assertion: a published change of Python's or a library's own wording, the
//! installed dependency whose text it is, the project's own changelog, or the commit that changed the text and says so. Numbers, orders and everything else that the
//! product computes are no drift. What is offered is proposed, never healed.

mod dependency;
mod literals;
mod observed;
#[cfg(test)]
mod tests;
mod wordings;

use maestro_protocol::heal::{RuntimeChanges, Strategy};

use crate::case::{Candidate, Case, Finding, Repair};
use crate::classify::subject::{Subject, subject};
use crate::failure::{Failure, Phase};
use crate::intended::{Drift, difference, doubt, drift};
use crate::roles::{Role, Roles};
use crate::strategies::{own_python, rank};

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
        if failure.phase != Phase::Call || subject(failure).0 != Subject::Assertion {
            return Vec::new();
        }
        let roles = Roles::of_case(case);
        let in_test = failure
            .innermost_own()
            .is_some_and(|frame| roles.of(&frame.path) == Role::Test);
        if !in_test {
            return Vec::new();
        }
        let mut drifts = wordings::drifts(case, failure);
        drifts.retain(|drift| !is_the_products(case, &roles, drift));
        if let Some((expected, actual)) = observed::texts(failure) {
            for (expected, actual) in [(&expected, &actual), (&actual, &expected)] {
                let Some((was, now)) = difference(expected, actual) else {
                    continue;
                };
                let says = |text: &str| is_text_of_the_project(case, &roles, text);
                drifts.extend(drift(case, &roles, &says, expected, actual));
                if !is_text_of_the_project(case, &roles, &was)
                    && !is_text_of_the_project(case, &roles, &now)
                {
                    drifts.extend(dependency::drift(case, &was, &now));
                }
            }
        }
        drifts
            .iter()
            .filter_map(|drift| candidate(case, failure, drift))
            .take(4)
            .collect()
    }
}

fn candidate(case: &Case<'_>, failure: &Failure, drift: &Drift) -> Option<Finding> {
    let edits = literals::replaced(case, failure, &drift.was, &drift.now);
    let first = edits.first()?;
    let description = format!(
        "{}: the test expects `{}` in place of `{}`",
        first.path, drift.now, drift.was
    );
    Some(Finding::Propose(
        Candidate {
            strategy: Strategy::AssertionUpdate,
            description,
            edits,
            runtime: RuntimeChanges::default(),
            rank: rank::EXPECTATION,
        },
        doubt(&drift.evidence),
    ))
}

/// Whether the product writes one of the wordings itself: then its change is not the library's. A single word has to
/// begin a literal, or a line of one, to be the product's wording and not a part of its prose.
fn is_the_products(case: &Case<'_>, roles: &Roles, drift: &Drift) -> bool {
    [&drift.was, &drift.now].iter().any(|text| {
        if text.contains(' ') {
            return is_text_of_the_project(case, roles, text);
        }
        let telling = text.chars().filter(|c| c.is_alphabetic()).count() >= 6;
        telling
            && ["'", "\"", "\\n"]
                .iter()
                .any(|opening| is_text_of_the_project(case, roles, &format!("{opening}{text}")))
    })
}

/// Whether a file of the product holds a text; what tests and configuration hold does not count.
fn is_text_of_the_project(case: &Case<'_>, roles: &Roles, text: &str) -> bool {
    product_files(case, roles).any(|path| {
        case.tree
            .read(path)
            .is_some_and(|content| content.contains(text))
    })
}

/// The product's Python files, and its templates of text.
fn product_files<'c>(case: &'c Case<'_>, roles: &'c Roles) -> impl Iterator<Item = &'c str> {
    let templates = case.tree.paths().iter().map(String::as_str).filter(|path| {
        let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending);
        path.contains('/')
            && matches!(
                ending,
                "html" | "j2" | "jinja" | "jinja2" | "tmpl" | "mako" | "po"
            )
    });
    own_python(case)
        .chain(templates)
        .filter(move |path| roles.of(path) == Role::Product)
}
