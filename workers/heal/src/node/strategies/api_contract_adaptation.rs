//! Calls to an API that moved, was renamed or whose signature changed: what is known as data ([`crate::node::rules`]), and
//! a few changes of form that a table cannot say. A call is only turned into what means the same.

mod forms;
mod options;
mod sites;

pub(super) use sites::is_module;

use std::collections::BTreeMap;

use maestro_protocol::heal::Strategy;

use super::{own_sources, rewrite};
use crate::case::{Candidate, Case, Edit, Finding, Repair};
use crate::failure::Failure;
use crate::node::rules::{self, Rule};
use crate::node::source::Source;
use crate::node::subject::{Subject, subject};
use crate::roles::{Role, Roles};
use crate::source::edit::apply;
use crate::strategies::rank;

/// See the module.
pub(super) struct ApiContractAdaptation;

impl Repair for ApiContractAdaptation {
    fn strategy(&self) -> Strategy {
        Strategy::ApiContractAdaptation
    }

    fn examine(&self, case: &Case<'_>) -> Vec<Finding> {
        let Some(failure) = case.failures.first() else {
            return Vec::new();
        };
        let mut candidates = by_rules(case, failure);
        candidates.extend(forms::candidates(case, failure));
        candidates.extend(options::candidate(case));
        candidates.into_iter().map(Finding::Try).collect()
    }
}

/// Whether a changed API explains the first failure of a case.
pub(in crate::node) fn explains(case: &Case<'_>) -> bool {
    case.failures.first().is_some_and(|failure| {
        !by_rules(case, failure).is_empty()
            || !forms::candidates(case, failure).is_empty()
            || options::candidate(case).is_some()
    })
}

fn by_rules(case: &Case<'_>, failure: &Failure) -> Vec<Candidate> {
    let about = subject(failure);
    let Some(rule) = rules::rules().iter().find(|rule| {
        is_meant(rule, &about, failure) && stands_where_it_failed(case, failure, rule)
    }) else {
        return Vec::new();
    };
    // What one release took away is gone together.
    let together: Vec<&Rule> = rules::rules()
        .iter()
        .filter(|other| other.of == rule.of && other.since == rule.since && other.says == rule.says)
        .collect();
    let mut edits: Vec<Edit> = Vec::new();
    let mut used: BTreeMap<String, &Rule> = BTreeMap::new();
    for path in own_sources(case).take(2000) {
        let Some(source) = case
            .tree
            .read(path)
            .and_then(|text| Source::parse(path, text))
        else {
            continue;
        };
        let mut splices = Vec::new();
        for rule in &together {
            let found = sites::splices(&source, rule);
            if !found.is_empty() {
                used.insert(rule.member.clone().unwrap_or_else(|| rule.of.clone()), rule);
                splices.extend(found);
            }
        }
        if !splices.is_empty()
            && let Some(text) = apply(source.text(), &splices)
            && (!source.is_whole()
                || Source::parse(path, text.clone()).is_some_and(|new| new.is_whole()))
        {
            edits.push(Edit {
                path: path.to_owned(),
                text,
            });
        }
    }
    if edits.is_empty() {
        return Vec::new();
    }
    let approximate = used.values().any(|rule| rule.approximate);
    let rank = if approximate {
        rank::APPROXIMATE_RULE
    } else {
        rank::EXACT_RULE
    };
    let described = used
        .values()
        .map(|rule| described(rule))
        .collect::<Vec<_>>()
        .join(", ");
    let description = format!("{described}, as {} has it", rule.since);
    let roles = Roles::of_case(case);
    let tests: Vec<Edit> = edits
        .iter()
        .filter(|edit| roles.of(&edit.path) == Role::Test)
        .cloned()
        .collect();
    let rewritten = |edits, rank| {
        rewrite(
            Strategy::ApiContractAdaptation,
            description.clone(),
            edits,
            rank,
        )
    };
    if tests.is_empty() || tests.len() == edits.len() {
        vec![rewritten(edits, rank)]
    } else {
        vec![rewritten(tests, rank), rewritten(edits, rank + 1)]
    }
}

fn described(rule: &Rule) -> String {
    let of = rule.of.split(':').next().unwrap_or(&rule.of);
    match &rule.member {
        Some(member) if rule.of == "globals" => format!("`{member}` becomes `{}`", rule.to),
        Some(member) => format!(
            "`{of}.{member}` becomes `{}`",
            rule.to.trim_start_matches('.')
        ),
        None => format!("module `{of}` becomes `{}`", rule.to.replace('#', ".")),
    }
}

/// Whether the failure is about what the rule is about.
fn is_meant(rule: &Rule, about: &Subject, failure: &Failure) -> bool {
    if let Some(says) = &rule.says {
        return failure.message.contains(says.as_str());
    }
    let module = rule.of.split(':').next().unwrap_or(&rule.of);
    let Some(member) = &rule.member else {
        return match about {
            Subject::ModuleMissing(missing) => missing == module,
            Subject::PathNotExported { package, subpath } => {
                format!("{package}{}", subpath.trim_start_matches('.')) == module
            }
            _ => false,
        };
    };
    let last = member.rsplit('.').next().unwrap_or(member);
    match about {
        Subject::NotCallable(called) => called.rsplit('.').next() == Some(last),
        Subject::NameNotExported { module: of, name } => of == module && name == member,
        Subject::NameUndefined(name) => rule.of == "globals" && name == member,
        Subject::Other => {
            member.contains('.')
                && failure
                    .message
                    .ends_with(&format!("of undefined (reading '{last}')"))
        }
        _ => false,
    }
}

/// Whether the file of the innermost own frame has a site of the rule; where nothing ran, any file may.
fn stands_where_it_failed(case: &Case<'_>, failure: &Failure, rule: &Rule) -> bool {
    let Some(frame) = failure.innermost_own() else {
        return true;
    };
    let has = |path: &str| {
        case.tree
            .read(path)
            .and_then(|text| Source::parse(path, text))
            .is_some_and(|source| !sites::splices(&source, rule).is_empty())
    };
    has(&frame.path)
}

#[cfg(test)]
#[path = "api_contract_adaptation_tests.rs"]
mod tests;
