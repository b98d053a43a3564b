//! A variable that is not set. Its value comes from the project or from nowhere: what runs the tests says it, or a
//! document, or the test's neighbours; a secret is never set, and a name that looks like another one which the
//! project knows is the product's mistake.

use std::collections::BTreeMap;

use maestro_protocol::heal::RuntimeChanges;

use super::declared::{Authority, Variable, is_secret, variables};
use super::environ::{Setting, settings};
use super::{candidate, of_runtime};
use crate::case::{Case, Edit, Finding};
use crate::failure::Failure;
use crate::roles::{Role, Roles};
use crate::source::names::Names;
use crate::source::spelling::Spelling;
use crate::source::{Source, edit};
use crate::strategies::{place, rank};

/// What to do about a variable that a failure says is missing.
pub(super) fn missing(case: &Case<'_>, failure: &Failure, name: &str) -> Vec<Finding> {
    let roles = Roles::of_case(case);
    let asker = failure.innermost_own();
    let by_product = asker.is_some_and(|frame| roles.of(&frame.path) == Role::Product);
    let place = asker.map_or_else(String::new, |frame| {
        format!(" ({}:{})", frame.path, frame.line)
    });
    if is_secret(name) {
        return vec![Finding::Lacking(format!(
            "`{name}` is not set{place}, and its name says that it is a secret: no value is made up for it; give the tests one of their own in `runtime.variables`"
        ))];
    }
    let declared = variables(case.tree);
    let of_name: Vec<&Variable> = declared
        .iter()
        .filter(|variable| variable.name == name)
        .collect();
    let set: Vec<Setting> = settings(case, &roles);
    if by_product
        && of_name.is_empty()
        && let Some(other) = taken_for(name, &declared, &set)
    {
        return vec![Finding::Refuse(format!(
            "the product asks for `{name}`{place}, while the project knows `{}` ({}): the product most probably has the name wrong",
            other.0, other.1
        ))];
    }
    if by_product
        && let Some(own) = set
            .iter()
            .find(|setting| setting.name == name && is_of(setting, failure))
    {
        return vec![Finding::Refuse(format!(
            "the test sets `{name}` itself ({}:{}) and the product does not find it{place}: the product reads it too early, or takes it away",
            own.path, own.line
        ))];
    }
    let mut findings: Vec<Finding> = of_name
        .iter()
        .filter_map(|variable| Some((variable, variable.value.as_deref()?)))
        .map(|(variable, value)| {
            let candidate = candidate(
                format!("set {name}={value}, as {} does", variable.path),
                Vec::new(),
                of_runtime([(name, value)]),
                rank::DECLARED_VARIABLE,
            );
            match (variable.authority, by_product) {
                (Authority::Document, true) => Finding::Propose(candidate, unsure(name, &place)),
                _ => Finding::Try(candidate),
            }
        })
        .take(2)
        .collect();
    if findings.is_empty() {
        findings.extend(
            like_its_neighbours(case, failure, name, &set).map(|candidate| {
                if by_product {
                    Finding::Propose(candidate, unsure(name, &place))
                } else {
                    Finding::Try(candidate)
                }
            }),
        );
    }
    if findings.is_empty() {
        let known = of_name.first().map_or_else(
            || "nothing in the project says what its value is".to_owned(),
            |variable| format!("{} names it without a value for tests", variable.path),
        );
        findings.push(Finding::Lacking(format!(
            "`{name}` is not set{place}, and {known}: give it in `runtime.variables`"
        )));
    }
    findings
}

fn unsure(name: &str, place: &str) -> String {
    format!(
        "whether the product may do without `{name}`{place} is not known from what sets it elsewhere"
    )
}

/// Variables that the failing test itself reads, where what runs the project's tests sets them.
pub(super) fn read_by_the_test(case: &Case<'_>, failure: &Failure) -> Vec<Finding> {
    let roles = Roles::of_case(case);
    let Some(frame) = failure.innermost_own() else {
        return Vec::new();
    };
    if roles.of(&frame.path) != Role::Test {
        return Vec::new();
    }
    let Some(source) = case.tree.read(&frame.path).and_then(Source::parse) else {
        return Vec::new();
    };
    let Some(function) = place::function_at(&source, frame.line) else {
        return Vec::new();
    };
    let read = super::environ::read_in(&source, function);
    if read.is_empty() {
        return Vec::new();
    }
    // What the product was to set is not set for it.
    let by_product = super::environ::set_by_product(case, &roles);
    variables(case.tree)
        .into_iter()
        .filter(|variable| {
            read.contains(&variable.name)
                && !by_product.contains(&variable.name)
                && !is_secret(&variable.name)
                && !is_of_the_machinery(&variable.name)
        })
        .filter_map(|variable| {
            let value = variable.value.as_deref()?;
            Some(Finding::Try(candidate(
                format!("set {}={value}, as {} does", variable.name, variable.path),
                Vec::new(),
                of_runtime([(variable.name.as_str(), value)]),
                rank::DECLARED_VARIABLE,
            )))
        })
        .take(2)
        .collect()
}

/// What steers Python or the runner itself decides which tests run and which assertions count.
pub(super) fn is_of_the_machinery(name: &str) -> bool {
    name.starts_with("PYTHON") || name.starts_with("PYTEST") || name.starts_with("MAESTRO")
}

/// A name that the project knows and that was most probably meant.
fn taken_for(name: &str, declared: &[Variable], set: &[Setting]) -> Option<(String, String)> {
    let known = declared
        .iter()
        .map(|variable| (&variable.name, &variable.path))
        .chain(set.iter().map(|setting| (&setting.name, &setting.path)));
    known
        .filter(|(other, _)| *other != name && resembles(other, name))
        .map(|(other, path)| (other.clone(), path.clone()))
        .next()
}

/// One slip of the hand apart, or the same words in another order.
fn resembles(one: &str, other: &str) -> bool {
    let words = |name: &str| {
        let mut words: Vec<String> = name.split('_').map(str::to_owned).collect();
        words.sort_unstable();
        words.concat()
    };
    let longest = one.len().max(other.len());
    words(one) == words(other)
        || one.replace('_', "") == other.replace('_', "")
        || longest >= 6 && distance(one, other) <= 2
}

/// Levenshtein's distance.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

/// Whether a setting is made in the failing test itself.
fn is_of(setting: &Setting, failure: &Failure) -> bool {
    failure.frames.iter().any(|frame| {
        frame.path == setting.path
            && !setting.function.is_empty()
            && frame.function == setting.function
    })
}

/// The value that other tests agree on, set in the failing test as pytest does it.
fn like_its_neighbours(
    case: &Case<'_>,
    failure: &Failure,
    name: &str,
    set: &[Setting],
) -> Option<crate::case::Candidate> {
    let mut values: BTreeMap<&str, &Setting> = BTreeMap::new();
    for setting in set.iter().filter(|setting| setting.name == name) {
        values.insert(setting.value.as_deref()?, setting);
    }
    let (value, from) = values.pop_first()?;
    if !values.is_empty() {
        return None;
    }
    let id = failure.test.as_deref()?;
    let path = id.split("::").next()?;
    let source = Source::parse(case.tree.read(path)?)?;
    let function = place::function_of_test(&source, id)?;
    if !place::takes_fixtures(&source, function) {
        return None;
    }
    let names = Names::of(&source);
    let spelling = Spelling::new(&source, &names);
    let mut splices = place::with_fixtures(&source, function, &["monkeypatch"])?;
    splices.push(place::at_start(
        &source,
        function,
        &[format!("monkeypatch.setenv(\"{name}\", \"{value}\")")],
    )?);
    splices.extend(spelling.import_splices(&[], &std::collections::BTreeSet::new())?);
    let text = edit::apply(source.text(), &splices)?;
    Some(candidate(
        format!(
            "{path}: the test sets {name}={value} for itself, as {} does",
            from.path
        ),
        vec![Edit {
            path: path.to_owned(),
            text,
        }],
        RuntimeChanges::default(),
        rank::FIXTURE,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_is_seen_and_another_name_is_another_name() {
        for (one, other) in [
            ("DATABASE_URL", "DATABSE_URL"),
            ("URL_DATABASE", "DATABASE_URL"),
            ("APPENV", "APP_ENV"),
        ] {
            assert!(resembles(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("APP_ENV", "APP_MODE"),
            ("HOST", "PORT"),
            ("API_URL", "CDN_PATH"),
        ] {
            assert!(!resembles(one, other), "{one} {other}");
        }
    }
}
