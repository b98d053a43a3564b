//! Tests that pass and fail on the same code. What such a test depends on was found out by running it
//! ([`Unsteady`](crate::unsteady::Unsteady)): others that run before it, or at its side. They take turns then, and what the
//! own code of a test changes of the process is given back when the test ends. Nothing is run again until it passes,
//! skipped or loosened. What the product keeps from call to call cannot be told from a defect, so a person decides.

mod left;
mod order;
mod own_place;
mod turns;

use maestro_protocol::heal::Strategy;

use super::rewrite;
use crate::case::{Case, Finding, Repair};
use crate::roles::{Role, Roles};
use crate::rust::report::{TOGETHER, UNSTEADY};
use crate::rust::source::Source;
use crate::strategies::rank;
use crate::unsteady::{Cause, Left, Unsteady};

/// See the module.
pub(super) struct FlakyTestStabilization;

impl Repair for FlakyTestStabilization {
    fn strategy(&self) -> Strategy {
        Strategy::FlakyTestStabilization
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        match case.unsteady.map(|unsteady| (unsteady, &unsteady.cause)) {
            Some((unsteady, Cause::Polluted(others) | Cause::Together(others))) => {
                vec![taking_turns(case, unsteady, others)]
            }
            Some((_, Cause::Unset(setters))) => setters
                .iter()
                .map(|setter| {
                    Finding::Refuse(format!(
                        "it fails from the start without what {} leaves behind: what that is a person has to set up",
                        setter.test
                    ))
                })
                .collect(),
            Some(_) => Vec::new(),
            None => order::finding(case).or_else(|| unknown(case)).into_iter().collect(),
        }
    }
}

fn taking_turns(case: &Case<'_>, unsteady: &Unsteady, others: &[Left]) -> Finding {
    let others: Vec<&str> = others.iter().map(|left| left.test.as_str()).collect();
    let names = others.join(" and ");
    let Some(module) = turns::Module::of(case, &unsteady.victim) else {
        return Finding::Lacking(format!(
            "{unsteady}: the module of that test cannot be read"
        ));
    };
    let things = module.left_by(&others);
    if let Some(name) = module.own_static().filter(|_| things.is_empty()) {
        return Finding::Lacking(format!(
            "{unsteady}: they share `{name}`, which the tests themselves keep, and how it is to be given back this version does not know"
        ));
    }
    if things.is_empty()
        && let Some((place, edit)) = own_place::edit(case, &module, &others)
    {
        let candidate = rewrite(
            Strategy::FlakyTestStabilization,
            format!("each test that writes to `{place}` has a place of its own"),
            vec![edit],
            rank::STEADY,
        );
        return Finding::Propose(candidate, own_place::DOUBT.to_owned());
    }
    if things.is_empty() {
        return Finding::Refuse(format!(
            "nothing that outlives it is changed by the own code of {names}: it is the product that keeps something from one call to the next, and whether that is meant a person has to say"
        ));
    }
    // Turns hide whatever else two callers at once do to each other.
    if !things.iter().any(|thing| is_read(case, thing)) {
        return Finding::Refuse(format!(
            "nothing of the product reads what {names} changes: taking turns might hide that the product is not made for two callers at once, and a person has to say whether it is"
        ));
    }
    let what: Vec<String> = things.iter().map(left::Thing::called).collect();
    match module.edit(&others, &things) {
        Some(edit) => Finding::Try(rewrite(
            Strategy::FlakyTestStabilization,
            format!(
                "the tests that share it take turns, and what {names} changes is given back: {}",
                what.join(", ")
            ),
            vec![edit],
            rank::STEADY,
        )),
        None => Finding::Lacking(format!(
            "{unsteady}: turns cannot be written into its module"
        )),
    }
}

/// Whether code of the product names it.
fn is_read(case: &Case<'_>, thing: &left::Thing) -> bool {
    let name = match thing {
        left::Thing::Variable(name) => name.as_str(),
        left::Thing::Atomic(path) => path.rsplit("::").next().unwrap_or(path),
        // Every relative path is read by it.
        left::Thing::Directory => return true,
    };
    let roles = Roles::default();
    case.tree
        .paths()
        .iter()
        .filter(|path| roles.of(path) == Role::Product)
        .filter_map(|path| Source::parse(case.tree.read(path).filter(|text| text.contains(name))?))
        .any(|source| {
            source
                .text()
                .match_indices(name)
                .any(|(at, _)| !source.is_in_test(at))
        })
}

/// What a run alone says where nothing more was found out.
fn unknown(case: &Case<'_>) -> Option<Finding> {
    let failure = case.failures.first()?;
    let test = failure.test.as_deref().unwrap_or("a test");
    let said = match failure.code.as_deref() {
        Some(UNSTEADY) => format!(
            "{test} fails now and then when it is run the same way: what it depends on is unknown"
        ),
        Some(TOGETHER) => format!(
            "the tests of {test} pass one by one and fail together: they share something (a variable of the process, a file, a port) that one of them leaves changed"
        ),
        _ => return None,
    };
    Some(Finding::Lacking(said))
}
