//! Tests that pass and fail on the same code. What such a test depends on was found out by running it
//! ([`Unsteady`]); here it is made independent of that: state that a test leaves behind is given back by a fixture,
//! state that a test needs is set up by one, randomness is seeded, and what has no order is sorted before it is
//! compared. Nothing is run again until it passes, skipped or loosened. Where the product is what decides
//! (it draws at random, it keeps state between calls), a person does.

mod fixture;
mod owner;
mod process;
mod randomness;
mod restore;
mod setter;
mod unordered;

use std::fmt::Write as _;

use maestro_protocol::heal::{RuntimeChanges, Strategy};

use crate::case::{Candidate, Case, Edit, Finding, Repair};
use crate::failure::Change;
use crate::roles::Roles;
use crate::strategies::rank;
use crate::unsteady::{Cause, Left, Unsteady};
use owner::Owner;

/// See the module.
pub(super) struct FlakyTestStabilization;

/// The most changes that are given back one at a time, before all of them are.
const MOST_SINGLE: usize = 5;

impl Repair for FlakyTestStabilization {
    fn strategy(&self) -> Strategy {
        Strategy::FlakyTestStabilization
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        let Some(unsteady) = case.unsteady else {
            return Vec::new();
        };
        match &unsteady.cause {
            Cause::Polluted(polluters) => polluted(case, polluters),
            Cause::Unset(setters) => setter::findings(case, unsteady, setters),
            Cause::HashSeed | Cause::Listing => unordered::findings(case, unsteady),
            // Tests of Python run one after the other.
            Cause::Together(_) => Vec::new(),
            Cause::Randomness => randomness::findings(case, unsteady),
        }
    }
}

/// The files of the tests that are spoken of are tests, whatever they are called.
fn roles(unsteady: &Unsteady, others: &[Left]) -> Roles {
    Roles::naming(
        others
            .iter()
            .map(|left| left.test.as_str())
            .chain([unsteady.victim.as_str()]),
    )
}

/// State that tests before the victim leave behind is given back when they end.
fn polluted(case: &Case<'_>, polluters: &[Left]) -> Vec<Finding> {
    let Some(unsteady) = case.unsteady else {
        return Vec::new();
    };
    let roles = roles(unsteady, polluters);
    let mut offers: Vec<(Owner, Vec<Change>)> = Vec::new();
    for left in polluters {
        for change in &left.changes {
            let owner = owner::of(case, &roles, &left.test, change);
            if let Owner::Defect(reason) = owner {
                return vec![Finding::Refuse(reason)];
            }
            match offers
                .iter_mut()
                .find(|(_, changes)| changes[0].same_thing(change))
            {
                Some((known, _)) => *known = known.clone().max(owner),
                None => offers.push((owner, vec![change.clone()])),
            }
        }
    }
    offers.sort_by_key(|(owner, changes)| (restore::order(&changes[0]), owner.clone()));
    // Several things may only matter together: variable and time zone, a module and what it registered.
    if offers.len() > 1 {
        let owner = offers.iter().map(|(owner, _)| owner.clone()).max();
        let all: Vec<Change> = offers.iter().flat_map(|(_, all)| all.clone()).collect();
        let singles = offers.len().min(MOST_SINGLE);
        offers.truncate(singles);
        offers.extend(owner.map(|owner| (owner, all)));
    }
    let tests: Vec<&str> = polluters.iter().map(|left| left.test.as_str()).collect();
    let mut findings = Vec::new();
    for (owner, changes) in offers {
        for depth in restore::depths(&changes) {
            let Some(edits) = restore::edits(case, &tests, &changes, depth) else {
                continue;
            };
            let at = u32::try_from(findings.len()).unwrap_or(u32::MAX);
            let what = names(&changes);
            let candidate = offer(
                format!("{} gives back what it changes: {what}", tests.join(" and ")),
                edits,
                rank::STEADY.saturating_add(at),
            );
            findings.push(owner.finding(candidate));
        }
    }
    findings
}

/// The things that changed, as people call them.
fn names(changes: &[Change]) -> String {
    let mut names: Vec<String> = changes.iter().map(Change::called).collect();
    let more = names.len().saturating_sub(4);
    names.truncate(4);
    let mut text = names.join(", ");
    if more > 0 {
        let _ = write!(text, " and {more} more");
    }
    text
}

fn offer(description: String, edits: Vec<Edit>, rank: u32) -> Candidate {
    Candidate {
        strategy: Strategy::FlakyTestStabilization,
        description,
        edits,
        runtime: RuntimeChanges::default(),
        rank,
    }
}

#[cfg(test)]
mod tests;
