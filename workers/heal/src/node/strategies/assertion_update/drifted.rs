//! Texts of the product that changed on purpose, by its changelog or by the commit that changed them and says so; in the
//! literals of the test, and in its snapshots.

use std::sync::LazyLock;

use maestro_protocol::heal::Strategy;
use regex::Regex;

use super::super::{own_sources, rewrite};
use crate::adapter::has_extension;
use crate::case::{Case, Edit, Finding};
use crate::failure::{Failure, Phase};
use crate::intended::{Drift, doubt, drift};
use crate::node::source::Source;
use crate::roles::{Role, Roles};
use crate::source::edit::{Splice, apply};
use crate::strategies::rank;

/// How runners print an error whose message is not the one that a test wants: what it wants, and what was said.
const FORMS: &[&str] = &[
    r#"Expected (?:substring|message): +"([^\n]*)"\s+Received message: +"([^\n]*)""#,
    r#"Expected pattern: +/([^\n]*)/[a-z]*\s+Received message: +"([^\n]*)""#,
    r"did not match the regular expression /(.*)/[a-z]*\. Input:\s+'(?:\w*Error: )?([^\n]*)'",
    r"to throw error (?:including|matching) (?:'([^\n]*)'|/([^\n]*)/[a-z]*) but got '([^\n]*)'",
];

/// What is offered where the failing assertion compares two texts.
pub(super) fn findings(case: &Case<'_>, failure: &Failure) -> Vec<Finding> {
    let roles = Roles::of_case(case);
    if failure.phase != Phase::Call {
        return Vec::new();
    }
    let in_test = failure
        .innermost_own()
        .is_none_or(|frame| roles.of(&frame.path) == Role::Test);
    // An error that the test expects was thrown where the product throws it.
    let found = thrown(failure).or_else(|| texts(failure).filter(|_| in_test));
    let Some((expected, actual)) =
        found.filter(|(one, other)| is_one_line(one) && is_one_line(other))
    else {
        return Vec::new();
    };
    let product: Vec<String> = product_texts(case, &roles);
    let says = |text: &str| product.iter().any(|content| content.contains(text));
    let found = drift(case, &roles, &says, &expected, &actual);
    found
        .and_then(|drift| {
            let edit = edit(case, &roles, failure, &drift)?;
            let description = format!(
                "{}: the test expects `{}` in place of `{}`",
                edit.path, drift.now, drift.was
            );
            Some(Finding::Propose(
                rewrite(
                    Strategy::AssertionUpdate,
                    description,
                    vec![edit],
                    rank::EXPECTATION,
                ),
                doubt(&drift.evidence),
            ))
        })
        .into_iter()
        .collect()
}

/// The product's files, and its templates of text.
fn product_texts(case: &Case<'_>, roles: &Roles) -> Vec<String> {
    let templates = case.tree.paths().iter().map(String::as_str).filter(|path| {
        has_extension(path, &["ejs", "hbs", "pug", "html", "vue", "svelte"])
            || path.contains("locales/") && has_extension(path, &["json"])
    });
    own_sources(case)
        .chain(templates)
        .filter(|path| roles.of(path) == Role::Product)
        .filter_map(|path| case.tree.read(path))
        .collect()
}

/// The message of an error that the test wants, and the one that there is.
fn thrown(failure: &Failure) -> Option<(String, String)> {
    static COMPILED: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        FORMS
            .iter()
            .filter_map(|form| Regex::new(form).ok())
            .collect()
    });
    // jest's message may be its first line only.
    COMPILED.iter().find_map(|form| {
        let found = form
            .captures(&failure.message)
            .or_else(|| form.captures(&failure.text))?;
        let mut parts = found.iter().skip(1).flatten().map(|part| part.as_str());
        Some((unescaped(parts.next()?), unescaped(parts.next()?)))
    })
}

/// The text that the test wants, and the one that there is; `None` where they are none.
fn texts(failure: &Failure) -> Option<(String, String)> {
    if failure.message.contains("napshot")
        && let Some(changed) = changed_line(&failure.message)
    {
        return Some(changed);
    }
    let compared = failure.compared.as_ref()?;
    (!compared.expected.is_empty()).then(|| (compared.expected.clone(), compared.actual.clone()))
}

fn is_one_line(text: &str) -> bool {
    !text.contains('\n') && !text.contains("[...]")
}

/// The only line in which a snapshot differs: `- "…"`, `+ "…"`.
fn changed_line(message: &str) -> Option<(String, String)> {
    let side = |mark: &str| {
        let mut lines = message
            .lines()
            .map(str::trim_start)
            .filter_map(|line| line.strip_prefix(mark))
            .filter(|line| !line.trim_start().starts_with(['S', 'R', 'E']) || line.contains('"'));
        let first = lines.next()?.trim();
        let first = first.trim_matches(['"', ',']);
        lines.next().is_none().then(|| first.to_owned())
    };
    let one = || Some((side("- ")?, side("+ ")?));
    // A snapshot of one line is told in whole.
    let whole = |name: &str| {
        message.lines().find_map(|line| {
            let value = line.trim_start().strip_prefix(name)?.trim();
            Some(value.strip_prefix('"')?.strip_suffix('"')?.to_owned())
        })
    };
    one().or_else(|| Some((whole("Snapshot:")?, whole("Received:")?)))
}

/// Without the backslashes of a regular expression or a literal.
fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        plain.extend(if c == '\\' {
            characters.next()
        } else {
            Some(c)
        });
    }
    plain
}

fn edit(case: &Case<'_>, roles: &Roles, failure: &Failure, drift: &Drift) -> Option<Edit> {
    let test = failure.test.as_deref()?;
    let (file, name) = test.split_once("::")?;
    let path = failure
        .frames
        .iter()
        .rev()
        .find(|frame| !frame.path.starts_with('/') && roles.of(&frame.path) == Role::Test)
        .map_or_else(|| file.to_owned(), |frame| frame.path.clone());
    in_literals(case, &path, drift).or_else(|| in_snapshot(case, file, name, drift))
}

/// The file with the new text where a literal or a regular expression has the old.
fn in_literals(case: &Case<'_>, path: &str, drift: &Drift) -> Option<Edit> {
    let source = Source::parse(path, case.tree.read(path)?)?;
    let mut splices = Vec::new();
    for node in source.nodes() {
        let text = source.slice(node);
        let replaced = match node.kind() {
            "string_fragment" if text.contains(&drift.was) => {
                // What closes the literal must not stand inside it.
                let quote = source.text()[..node.start_byte()].chars().next_back()?;
                let now = drift.now.replace(quote, &format!("\\{quote}"));
                text.replace(&drift.was, &now)
            }
            "regex_pattern" if text.contains(&escaped(&drift.was)) => {
                text.replace(&escaped(&drift.was), &escaped(&drift.now))
            }
            _ => continue,
        };
        splices.push(Splice::replace(node.byte_range(), replaced));
    }
    if splices.is_empty() {
        return None;
    }
    Some(Edit {
        path: path.to_owned(),
        text: apply(source.text(), &splices)?,
    })
}

/// As a regular expression has it.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if ".()[]{}*+?|^$/".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// The file of snapshots with the new text in the entries of the failing test, as jest and vitest write them:
/// ``exports[`name 1`] = `…`;``.
fn in_snapshot(case: &Case<'_>, file: &str, test: &str, drift: &Drift) -> Option<Edit> {
    let path = super::snapshots_of(file);
    let kept = case.tree.read(&path)?;
    let mut result = String::with_capacity(kept.len());
    let (mut inside, mut changed) = (false, false);
    for line in kept.split_inclusive('\n') {
        if let Some(entry) = line.strip_prefix("exports[`") {
            inside = entry.strip_prefix(test).is_some_and(is_end_of_name);
        }
        if inside && line.contains(&drift.was) {
            result.push_str(&line.replace(&drift.was, &drift.now));
            changed = true;
        } else {
            result.push_str(line);
        }
    }
    changed.then_some(Edit { path, text: result })
}

/// Whether this is what follows a test's name in that of its snapshot: a hint of its own, and a number.
fn is_end_of_name(rest: &str) -> bool {
    let end = rest.split('`').next().unwrap_or_default();
    let (hint, number) = end.rsplit_once(' ').unwrap_or((end, ""));
    (hint.is_empty() || hint.starts_with(": ")) && number.parse::<u32>().is_ok()
}
