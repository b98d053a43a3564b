//! What a failure is, where the fault most probably lies, and which way the verdict leans before anything was tried.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::manifest::{Manifest, identifier};
use super::panics::SNAPSHOT;
use super::reach::{is_test_file, sources};
use super::source::{Source, words};
use super::strategies::explains;
use super::subject::{self, Subject};
use crate::case::Case;
use crate::classify::subject::{Said, Subject as AnySubject};
use crate::classify::{Diagnosis, ErrorClass, Leaning, Site};
use crate::failure::{Failure, Frame, Phase, first_line};

/// Says what the first failure of a case is.
pub(super) fn diagnose(case: &Case<'_>) -> Option<Diagnosis> {
    let failure = case.failures.first()?;
    let about = subject::subject(failure);
    let class = class(&about);
    Some(Diagnosis {
        class,
        subject: AnySubject::Other,
        said: Said {
            exception: failure.exception.clone().unwrap_or_default(),
            message: failure.message.clone(),
        },
        site: site(case, class, failure),
        leaning: leaning(case, &about, failure),
    })
}

fn class(about: &Subject) -> ErrorClass {
    match about {
        Subject::CratesMissing(_)
        | Subject::FeatureMissing { .. }
        | Subject::RequirementUnmet { .. } => ErrorClass::DependencyError,
        Subject::NameMissing { .. } => ErrorClass::ImportError,
        Subject::MethodMissing { .. } => ErrorClass::AttributeError,
        Subject::VariableMissing(_) => ErrorClass::EnvironmentError,
        Subject::Syntax => ErrorClass::SyntaxError,
        Subject::Build => ErrorClass::BuildError,
        Subject::Cargo => ErrorClass::ConfigError,
        Subject::Assertion => ErrorClass::AssertionFailure,
        Subject::Unsteady | Subject::Other => ErrorClass::RuntimeError,
    }
}

fn site(case: &Case<'_>, class: ErrorClass, failure: &Failure) -> Site {
    match class {
        ErrorClass::EnvironmentError | ErrorClass::DependencyError => Site::Environment,
        ErrorClass::ConfigError => Site::Config,
        _ => match failure.innermost_own() {
            Some(frame) if !in_test(case, failure, frame) => Site::Product,
            _ => Site::Test,
        },
    }
}

fn leaning(case: &Case<'_>, about: &Subject, failure: &Failure) -> Leaning {
    if failure.phase <= Phase::Collection {
        return of_a_build(case, about, failure);
    }
    match about {
        Subject::Unsteady => Leaning::Open,
        Subject::Assertion => Leaning::Refuse(assertion(case, failure)),
        // In a test nothing shows that a value was ever there; in the product its default may be what is lost.
        Subject::VariableMissing(_)
            if failure
                .innermost_own()
                .is_some_and(|frame| in_test(case, failure, frame)) =>
        {
            Leaning::Open
        }
        _ => exception(case, failure).map_or(Leaning::Open, Leaning::Refuse),
    }
}

/// What does not compile never ran: what it would have shown of the product nobody knows.
fn of_a_build(case: &Case<'_>, about: &Subject, failure: &Failure) -> Leaning {
    if let Some(reason) = lost_by_the_project(case, about) {
        return Leaning::Refuse(reason);
    }
    if matches!(
        about,
        Subject::Cargo | Subject::RequirementUnmet { .. } | Subject::CratesMissing(_)
    ) || explains(case)
    {
        return Leaning::Heal;
    }
    let message = first_line(&failure.message);
    match failure.innermost_own() {
        Some(frame) if !in_test(case, failure, frame) => Leaning::Refuse(format!(
            "the product does not compile: `{message}` at {}:{}, and no removed or renamed API explains it",
            frame.path, frame.line
        )),
        Some(frame) => match product_span(case, failure).or_else(|| called_there(case, frame)) {
            Some(of) => Leaning::Refuse(format!(
                "the test and the product no longer fit: `{message}` at {}:{}, about {}:{}; either the product changed by mistake, or on purpose and its users were not told",
                frame.path, frame.line, of.path, of.line
            )),
            None => Leaning::Heal,
        },
        None => Leaning::Open,
    }
}

/// The place in the product that an error in a test is about, where the compiler names one.
fn product_span(case: &Case<'_>, failure: &Failure) -> Option<Frame> {
    let compiled = failure.compiled.as_ref()?;
    compiled
        .spans
        .iter()
        .filter(|span| !span.path.starts_with('/') && !is_test_file(&span.path))
        .find(|span| {
            case.tree
                .read(&span.path)
                .and_then(Source::parse)
                .is_some_and(|source| !source.is_in_test(span.bytes.start))
        })
        .map(|span| Frame {
            path: span.path.clone(),
            line: span.line,
            function: String::new(),
        })
}

/// The product's function that the line calls on which the compiler stops.
fn called_there(case: &Case<'_>, frame: &Frame) -> Option<Frame> {
    let text = case.tree.read(&frame.path)?;
    let line = text.lines().nth((frame.line as usize).checked_sub(1)?)?;
    let named: BTreeSet<&str> = line
        .match_indices('(')
        .filter_map(|(at, _)| words(&line[..at]).last())
        .collect();
    for path in sources(case.tree).filter(|path| !is_test_file(path)) {
        let Some(product) = case.tree.read(path).and_then(Source::parse) else {
            continue;
        };
        let found = product.functions().find(|function| {
            named.contains(product.name(*function)) && !product.is_in_test(function.start_byte())
        });
        if let Some(function) = found {
            return Some(Frame {
                path: path.to_owned(),
                line: Source::line(function),
                function: String::new(),
            });
        }
    }
    None
}

/// The names that the project's own crates have in code.
pub(super) fn own_crates(case: &Case<'_>) -> BTreeSet<String> {
    let manifests = Manifest::all(case.tree);
    let of_tree = manifests.iter().map(|manifest| &manifest.package);
    case.installed
        .members
        .iter()
        .map(|(name, _)| name)
        .chain(of_tree.filter(|name| !name.is_empty()))
        .map(|name| identifier(name))
        .collect()
}

/// Whether a name is that of the project itself in code.
pub(super) fn is_own(case: &Case<'_>, name: &str) -> bool {
    matches!(name, "crate" | "self" | "super" | "Self") || own_crates(case).contains(name)
}

/// Something that the project asks of itself and has not: whether it was taken away on purpose, a person knows.
fn lost_by_the_project(case: &Case<'_>, about: &Subject) -> Option<String> {
    let (what, of) = match about {
        Subject::NameMissing { of: Some(of), name } if is_own(case, of) => {
            (format!("`{name}`"), format!("`{of}`"))
        }
        Subject::MethodMissing { name, of } => {
            let place = defined(case, of)?;
            (format!("method `{name}`"), format!("`{of}` ({place})"))
        }
        _ => return None,
    };
    Some(format!(
        "the project's own {of} has no {what}, which is asked of it: either the product lost it, or it was removed on purpose and its users were not told"
    ))
}

/// Where the project defines a type.
fn defined(case: &Case<'_>, name: &str) -> Option<String> {
    for path in sources(case.tree) {
        let text = case.tree.read(path)?;
        for (line, row) in (1_u32..).zip(text.lines()) {
            let mut parts =
                words(row).skip_while(|word| matches!(*word, "pub" | "crate" | "super" | "in"));
            let declares = parts
                .next()
                .is_some_and(|word| matches!(word, "struct" | "enum" | "trait" | "union" | "type"));
            if declares && parts.next() == Some(name) {
                return Some(format!("{path}:{line}"));
            }
        }
    }
    None
}

/// Whether a frame lies in a test: in a file of tests, or in the part of another that is there for tests.
pub(super) fn in_test(case: &Case<'_>, failure: &Failure, frame: &Frame) -> bool {
    if is_test_file(&frame.path) {
        return true;
    }
    let Some(text) = case.tree.read(&frame.path) else {
        return false;
    };
    let byte = failure
        .compiled
        .as_ref()
        .and_then(|compiled| compiled.spans.first())
        .filter(|span| span.path == frame.path)
        .map_or_else(|| start_of(&text, frame.line), |span| span.bytes.start);
    Source::parse(text).is_some_and(|source| source.is_in_test(byte))
}

/// The byte of the first character of a line.
fn start_of(text: &str, line: u32) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1) as usize)
        .map(str::len)
        .sum();
    let row = text.get(before..).unwrap_or_default();
    before + (row.len() - row.trim_start().len())
}

/// What a failed assertion says to a person: the claim, both values, and the product's most probable line.
fn assertion(case: &Case<'_>, failure: &Failure) -> String {
    let test = failure.test.as_deref().unwrap_or("the test");
    let claim = first_line(&failure.message);
    let claim = claim.trim_end_matches(':');
    let asserting = own(failure)
        .rev()
        .find(|frame| in_test(case, failure, frame))
        .or_else(|| failure.innermost_own());
    let mut sentence = match asserting {
        Some(frame) => format!(
            "{test} asserts at {}:{} what does not hold: {claim}",
            frame.path, frame.line
        ),
        None => format!("{test} asserts what does not hold: {claim}"),
    };
    if let Some(compared) = &failure.compared {
        let (actual, expected) = (first_line(&compared.actual), first_line(&compared.expected));
        let _ = if compared.by == SNAPSHOT {
            write!(
                sentence,
                " (the snapshot has {expected}, there is {actual})"
            )
        } else {
            write!(sentence, " (left is {actual}, right is {expected})")
        };
    }
    let product = own(failure)
        .rev()
        .find(|frame| !in_test(case, failure, frame));
    if let Some(frame) = product {
        let _ = write!(
            sentence,
            "; most probably at fault is {}:{}{}",
            frame.path,
            frame.line,
            in_function(frame)
        );
    } else if let Some((path, line, name)) = asserting.and_then(|frame| called_product(case, frame))
    {
        let _ = write!(sentence, "; the value comes from `{name}` ({path}:{line})");
    }
    sentence.push_str(
        ". Nothing shows that the expectation is what is out of date, so no change of the test is offered",
    );
    sentence
}

/// What a panic says to a person, where it comes out of the project's own code.
fn exception(case: &Case<'_>, failure: &Failure) -> Option<String> {
    let message = first_line(&failure.message);
    let product = own(failure)
        .rev()
        .find(|frame| !in_test(case, failure, frame));
    let Some(frame) = product.or_else(|| failure.innermost_own()) else {
        let test = failure.test.as_deref()?;
        return Some(format!(
            "{test} ends by `{message}`, and nothing that the environment lacks explains it: the product is what is broken"
        ));
    };
    let from = if product.is_none() {
        called_product(case, frame).map_or(String::new(), |(path, line, name)| {
            format!("; the value comes from `{name}` ({path}:{line})")
        })
    } else {
        String::new()
    };
    Some(format!(
        "`{message}` comes from {}:{}{}{from}, and nothing that the environment lacks explains it: the product is what is broken",
        frame.path,
        frame.line,
        in_function(frame)
    ))
}

fn own(failure: &Failure) -> impl DoubleEndedIterator<Item = &Frame> {
    failure
        .frames
        .iter()
        .filter(|frame| !frame.path.starts_with('/'))
}

fn in_function(frame: &Frame) -> String {
    if frame.function.is_empty() {
        String::new()
    } else {
        format!(" (`{}`)", frame.function)
    }
}

/// The product's function that the failing test calls last before it fails, where a name says which.
fn called_product(case: &Case<'_>, frame: &Frame) -> Option<(String, u32, String)> {
    let source = Source::parse(case.tree.read(&frame.path)?)?;
    let byte = start_of(source.text(), frame.line);
    let caller = source
        .functions()
        .filter(|function| function.byte_range().contains(&byte))
        .last()?;
    let text = source.slice(caller);
    let until = byte.saturating_sub(caller.start_byte());
    let line_end = text
        .get(until..)
        .and_then(|rest| rest.find('\n'))
        .map_or(text.len(), |end| until + end);
    // The names in front of a bracket, the nearest to the failing line first.
    let mut named: Vec<&str> = Vec::new();
    for (at, _) in text.get(..line_end)?.match_indices('(') {
        named.extend(words(&text[..at]).last());
    }
    named.reverse();
    for name in named {
        for path in sources(case.tree).filter(|path| !is_test_file(path)) {
            let Some(product) = case.tree.read(path).and_then(Source::parse) else {
                continue;
            };
            let found = product
                .functions()
                .find(|function| {
                    product.name(*function) == name && !product.is_in_test(function.start_byte())
                })
                .map(Source::line);
            if let Some(line) = found {
                return Some((path.to_owned(), line, name.to_owned()));
            }
        }
    }
    None
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
