//! Tests that pass and fail on the same code. What such a test depends on was found out by running it
//! ([`Unsteady`]); here it is made independent of that: what a test's own code leaves behind is given back by hooks, and
//! what it needs of another is set up by itself. Nothing is run again until it passes, skipped or loosened. What the product
//! keeps from call to call cannot be told from a defect, so a person decides.

mod draws;
mod give_back;
mod left;
mod set_up;
#[cfg(test)]
mod tests;

use maestro_protocol::heal::Strategy;

use super::rewrite;
use super::scene::Scene;
use crate::case::{Case, Edit, Finding, Repair};
use crate::strategies::rank;
use crate::unsteady::{Cause, Left};
use left::Thing;

/// See the module.
pub(super) struct FlakyTestStabilization;

/// The most things that are given back one at a time, before all of them are.
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
            Cause::Unset(setters) => set_up::findings(case, unsteady, setters),
            Cause::Randomness => vec![draws::finding(case, unsteady)],
            Cause::HashSeed | Cause::Listing | Cause::Together(_) => Vec::new(),
        }
    }
}

/// What tests before the victim leave behind is given back behind each of them.
fn polluted(case: &Case<'_>, polluters: &[Left]) -> Vec<Finding> {
    let mut found: Vec<(String, Vec<Thing>)> = Vec::new();
    for polluter in polluters {
        let Some(scene) = Scene::of(case, &polluter.test) else {
            return Vec::new();
        };
        for thing in left::by(case, &scene) {
            match found.iter_mut().find(|(path, _)| *path == scene.path) {
                Some((_, known)) if known.contains(&thing) => {}
                Some((_, known)) => known.push(thing),
                None => found.push((scene.path.clone(), vec![thing])),
            }
        }
    }
    let names: Vec<&str> = polluters.iter().map(|left| left.test.as_str()).collect();
    let names = names.join(" and ");
    if found.is_empty() {
        return vec![Finding::Refuse(format!(
            "nothing that outlives it is changed by the own code of {names}: it is the product that keeps something from one call to the next, and whether that is meant a person has to say"
        ))];
    }
    let mut offers: Vec<Vec<(String, Vec<Thing>)>> = Vec::new();
    for (path, things) in &found {
        let single = things.iter().take(MOST_SINGLE);
        offers.extend(single.map(|thing| vec![(path.clone(), vec![thing.clone()])]));
    }
    if offers.len() > 1 {
        offers.push(found);
    }
    let mut findings = Vec::new();
    for offer in offers {
        let what: Vec<String> = offer
            .iter()
            .flat_map(|(_, things)| things.iter().map(Thing::called))
            .collect();
        let edits: Option<Vec<Edit>> = offer
            .iter()
            .map(|(path, things)| give_back::edit(case, path, things))
            .collect();
        let Some(edits) = edits else { continue };
        let at = u32::try_from(findings.len()).unwrap_or(u32::MAX);
        findings.push(Finding::Try(rewrite(
            Strategy::FlakyTestStabilization,
            format!("what {names} changes is given back: {}", what.join(", ")),
            edits,
            rank::STEADY.saturating_add(at),
        )));
    }
    findings
}
