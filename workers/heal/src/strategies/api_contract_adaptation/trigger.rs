//! Which rules a failure calls for. A rule is never run because the old form merely occurs: the failure must name
//! it.

use crate::classify::subject::{Said, Subject};
use crate::rules::{self, Change, Rule};

/// The rules that a failure calls for.
pub(super) fn called(subject: &Subject, said: &Said) -> Vec<&'static Rule> {
    rules::api()
        .iter()
        .filter(|rule| calls(rule, subject, said))
        .collect()
}

/// Whether a failure calls for a rule.
pub(super) fn calls(rule: &Rule, subject: &Subject, said: &Said) -> bool {
    let line = said.line();
    rule.when
        .iter()
        .any(|wording| rules::matches(wording, &line))
        || follows(&rule.change, subject)
}

fn follows(change: &Change, subject: &Subject) -> bool {
    match change {
        Change::Moved(moved) => {
            let names = || {
                moved
                    .names
                    .iter()
                    .chain(moved.renamed.keys())
                    .map(String::as_str)
            };
            match subject {
                Subject::ModuleMissing(missing) => moved.gone && is_within(&moved.from, missing),
                _ => names().any(|name| is_gone(&moved.from, name, subject)),
            }
        }
        Change::Module(module) => match subject {
            Subject::ModuleMissing(missing) => {
                is_within(&module.from, missing) || is_within(missing, &module.from)
            }
            _ => split(&module.from).is_some_and(|(parent, name)| is_gone(parent, name, subject)),
        },
        Change::Attributes(names) => names.keys().any(|old| match subject {
            Subject::AttributeMissing { name, .. } => name == old,
            _ => false,
        }),
        Change::Builtins(names) => {
            matches!(subject, Subject::NameUndefined(name) if names.contains_key(name))
        }
        Change::Keyword(keyword) => match subject {
            Subject::KeywordUnknown {
                function,
                keyword: name,
            } => {
                let known = keyword.drop.contains(name) || keyword.rename.contains_key(name);
                known && keyword.of.iter().any(|of| is_function(of, function))
            }
            _ => false,
        },
        Change::Rewrite(rewrite) => match (rewrite.call.strip_prefix('.'), subject) {
            (Some(method), Subject::AttributeMissing { name, .. }) => name == method,
            (Some(_), _) => false,
            (None, Subject::ModuleMissing(missing)) => {
                rewrite.gone
                    && split(&rewrite.call).is_some_and(|(module, _)| is_within(module, missing))
            }
            (None, _) => {
                split(&rewrite.call).is_some_and(|(module, name)| is_gone(module, name, subject))
            }
        },
        Change::Transform(_) => false,
    }
}

/// Whether the failure says that `module.name` is gone, or is about to be.
fn is_gone(module: &str, name: &str, subject: &Subject) -> bool {
    match subject {
        Subject::NameMissing {
            module: said,
            name: missing,
        } => missing == name && (said == module || said.is_empty() || is_alias(said, module)),
        Subject::AttributeMissing {
            class,
            name: missing,
        } => missing == name && last(class) == last(module),
        Subject::Warning(text) => mentions(text, &format!("{}.{name}", last(module))),
        _ => false,
    }
}

/// Packages tell of their innards: numpy's `np.testing.x` is reported for `numpy.testing`.
fn is_alias(said: &str, module: &str) -> bool {
    let (Some(a), Some(b)) = (said.split('.').next(), module.split('.').next()) else {
        return false;
    };
    a == b && last(said) == last(module)
}

fn is_function(of: &str, said: &str) -> bool {
    let of = of.strip_prefix('.').unwrap_or(of);
    match said.rsplit_once('.') {
        Some((class, "__init__" | "__new__")) => last(class) == last(of),
        None if said == "__init__" || said == "__new__" => last(of).starts_with(char::is_uppercase),
        _ => last(said) == last(of),
    }
}

/// A whole word of a text: not part of a longer name.
fn mentions(text: &str, name: &str) -> bool {
    text.match_indices(name).any(|(at, _)| {
        let next = text[at + name.len()..].chars().next();
        let previous = text[..at].chars().next_back();
        !next.is_some_and(|c| c.is_alphanumeric() || c == '_')
            && !previous.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

/// Whether a module is another, or lies below it.
pub(super) fn is_within(module: &str, outer: &str) -> bool {
    module
        .strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

pub(super) fn split(qualified: &str) -> Option<(&str, &str)> {
    qualified.rsplit_once('.')
}

fn last(qualified: &str) -> &str {
    qualified.rsplit('.').next().unwrap_or(qualified)
}
