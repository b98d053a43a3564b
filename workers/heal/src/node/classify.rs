//! What a failure is, where the fault most probably lies, and which way the verdict leans before anything was tried.

use std::fmt::Write as _;

use super::source::{self, Source};
use super::strategies::explains;
use super::subject::{self, Subject};
use crate::adapter;
use crate::case::Case;
use crate::classify::subject::{Said, Subject as AnySubject};
use crate::classify::{Diagnosis, ErrorClass, Leaning, Site};
use crate::failure::{Failure, Frame, Phase, first_line};
use crate::roles::{Role, Roles};

/// Says what the first failure of a case is.
pub(super) fn diagnose(case: &Case<'_>) -> Option<Diagnosis> {
    let failure = case.failures.first()?;
    let roles = Roles::of_case(case);
    let about = subject::subject(failure);
    let class = class(&about, failure);
    Some(Diagnosis {
        class,
        subject: AnySubject::Other,
        said: Said {
            exception: failure.exception.clone().unwrap_or_default(),
            message: failure.message.clone(),
        },
        site: site(class, failure, &roles),
        leaning: leaning(case, class, &about, failure, &roles),
    })
}

fn class(about: &Subject, failure: &Failure) -> ErrorClass {
    match about {
        Subject::ModuleMissing(module) if source::package_of(module).is_some() => {
            ErrorClass::DependencyError
        }
        Subject::ModuleMissing(_) | Subject::NameNotExported { .. } => ErrorClass::ImportError,
        Subject::PathNotExported { .. } | Subject::RequireOfModule(_) => {
            ErrorClass::DependencyError
        }
        Subject::Syntax(_) => ErrorClass::SyntaxError,
        Subject::Assertion | Subject::Snapshot => ErrorClass::AssertionFailure,
        Subject::NotCallable(_) => ErrorClass::AttributeError,
        Subject::Other if is_environment(failure) => ErrorClass::EnvironmentError,
        Subject::Other if failure.test.is_none() => ErrorClass::ConfigError,
        Subject::NameUndefined(_) | Subject::Timeout | Subject::Other => ErrorClass::RuntimeError,
    }
}

/// Codes by which the system says no (<https://nodejs.org/api/errors.html#common-system-errors>).
fn is_environment(failure: &Failure) -> bool {
    matches!(
        failure.code.as_deref(),
        Some(
            "EACCES"
                | "EPERM"
                | "EADDRINUSE"
                | "EADDRNOTAVAIL"
                | "ECONNREFUSED"
                | "ENOTFOUND"
                | "EAI_AGAIN"
                | "ENOSPC"
                | "EMFILE"
                | "EROFS"
                | "ERR_OSSL_EVP_UNSUPPORTED"
        )
    )
}

fn site(class: ErrorClass, failure: &Failure, roles: &Roles) -> Site {
    match class {
        ErrorClass::EnvironmentError | ErrorClass::DependencyError => return Site::Environment,
        ErrorClass::ConfigError => return Site::Config,
        _ => {}
    }
    let foreign = failure
        .frames
        .last()
        .is_some_and(|frame| frame.path.contains("node_modules/"));
    if class != ErrorClass::AssertionFailure && foreign {
        return Site::Dependency;
    }
    match failure.innermost_own().map(|frame| roles.of(&frame.path)) {
        Some(Role::Product) => Site::Product,
        Some(Role::Config) => Site::Config,
        Some(Role::Test) | None => Site::Test,
    }
}

fn leaning(
    case: &Case<'_>,
    class: ErrorClass,
    about: &Subject,
    failure: &Failure,
    roles: &Roles,
) -> Leaning {
    if let Some(reason) = lost_by_the_project(case, about) {
        return Leaning::Refuse(reason);
    }
    match class {
        ErrorClass::AssertionFailure => Leaning::Refuse(assertion(case, failure, roles)),
        ErrorClass::EnvironmentError | ErrorClass::LintError | ErrorClass::TypeError => {
            Leaning::Open
        }
        ErrorClass::SyntaxError
        | ErrorClass::DependencyError
        | ErrorClass::ImportError
        | ErrorClass::ConfigError
        | ErrorClass::BuildError
        | ErrorClass::DeprecationError => Leaning::Heal,
        ErrorClass::AttributeError | ErrorClass::RuntimeError if explains(case) => Leaning::Heal,
        ErrorClass::AttributeError | ErrorClass::RuntimeError => {
            match exception(case, about, failure, roles) {
                Some(reason) => Leaning::Refuse(reason),
                None => Leaning::Open,
            }
        }
    }
}

/// A file, or a name, that the project asks of itself and has not: whether it was taken away on purpose, a person knows.
fn lost_by_the_project(case: &Case<'_>, about: &Subject) -> Option<String> {
    match about {
        Subject::ModuleMissing(module) if module.starts_with(['.', '/']) && !is_built(module) => {
            Some(format!(
                "the project's own `{module}` is asked for and is not there: either the product lost it, or it was removed on purpose and its users were not told"
            ))
        }
        Subject::NameNotExported { module, name } if module.starts_with('.') => Some(format!(
            "the project's own `{module}` does not export `{name}`, which is asked of it: either the product lost it, or it was removed on purpose and its users were not told"
        )),
        Subject::NotCallable(called) => {
            let (object, member) = called.rsplit_once('.')?;
            let own = bound_module(case, object)?;
            own.starts_with('.').then(|| {
                format!(
                    "the project's own `{own}` has no function `{member}`, which is called: either the product lost it, or it was removed on purpose and its users were not told"
                )
            })
        }
        _ => None,
    }
}

/// What a build makes and no repository has.
pub(super) fn is_built(module: &str) -> bool {
    module
        .split('/')
        .any(|part| matches!(part, "dist" | "build" | "out" | "lib-esm" | "esm" | "cjs"))
}

/// The module that a name is bound to in the file of the innermost own frame.
pub(super) fn bound_module(case: &Case<'_>, name: &str) -> Option<String> {
    let frame = case.failures.first()?.innermost_own()?;
    let source = Source::parse(&frame.path, case.tree.read(&frame.path)?)?;
    source
        .bindings()
        .get(name)
        .map(|binding| binding.module.clone())
}

/// What a failed assertion says to a person: the claim, both values, and the product's most probable line.
fn assertion(case: &Case<'_>, failure: &Failure, roles: &Roles) -> String {
    let test = failure.test.as_deref().unwrap_or("the test");
    let mut sentence = match failure.innermost_own() {
        Some(_) => {
            let frame = asserting(failure, roles);
            let place = frame.map_or(String::new(), |frame| {
                format!(" at {}:{}", frame.path, frame.line)
            });
            format!("{test} asserts{place} what does not hold")
        }
        None => format!("{test} asserts what does not hold"),
    };
    match &failure.compared {
        Some(compared) => {
            let claim = first_line(&failure.message);
            let claim = claim.trim_end_matches(':');
            let _ = write!(
                sentence,
                ": {claim} (expected {}, there is {})",
                first_line(&compared.expected),
                first_line(&compared.actual)
            );
        }
        None => {
            let _ = write!(sentence, ": {}", first_line(&failure.message));
        }
    }
    let product = own(failure)
        .rev()
        .find(|frame| roles.of(&frame.path) == Role::Product);
    if let Some(frame) = product {
        let _ = write!(
            sentence,
            "; most probably at fault is {}:{}{}",
            frame.path,
            frame.line,
            in_function(frame)
        );
    } else if let Some((path, line, name)) = called_product(case, failure, roles) {
        let _ = write!(sentence, "; the value comes from `{name}` ({path}:{line})");
    }
    sentence.push_str(
        ". Nothing shows that the expectation is what is out of date, so no change of the test is offered",
    );
    sentence
}

/// What an exception says to a person, where it comes out of the project's own code and no absent API explains it.
fn exception(case: &Case<'_>, about: &Subject, failure: &Failure, roles: &Roles) -> Option<String> {
    let said = format!(
        "{}: {}",
        failure.exception.as_deref().unwrap_or("Error"),
        first_line(&failure.message)
    );
    if *about == Subject::Timeout {
        let test = failure.test.as_deref().unwrap_or("the test");
        let from = called_product(case, failure, roles)
            .map_or(String::new(), |(path, line, name)| {
                format!("; it waits for `{name}` ({path}:{line})")
            });
        return Some(format!(
            "{test} waits for what does not come: {}{from}. Nothing shows that the limit is what is wrong",
            first_line(&failure.message)
        ));
    }
    let product = own(failure)
        .rev()
        .find(|frame| roles.of(&frame.path) == Role::Product);
    let Some(frame) = product.or_else(|| failure.innermost_own()) else {
        let test = failure
            .test
            .as_deref()
            .filter(|_| failure.phase >= Phase::Setup)?;
        return Some(format!(
            "{test} ends by `{said}`, and no removed or renamed API explains it: the product is what is broken"
        ));
    };
    let foreign = failure
        .frames
        .last()
        .and_then(|frame| subject::package_in(&frame.path));
    let where_from = match foreign {
        Some(package) => format!(" out of the package {package}, called"),
        None => String::new(),
    };
    Some(format!(
        "`{said}` comes{where_from} from {}:{}{}, and no removed or renamed API explains it: the product is what is broken",
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

/// The line of the test that asserts: the innermost of a test's own.
fn asserting<'f>(failure: &'f Failure, roles: &Roles) -> Option<&'f Frame> {
    own(failure)
        .rev()
        .find(|frame| roles.of(&frame.path) == Role::Test)
        .or_else(|| failure.innermost_own())
}

fn in_function(frame: &Frame) -> String {
    if frame.function.is_empty() || frame.function == "<module>" {
        String::new()
    } else {
        format!(" (`{}`)", frame.function)
    }
}

/// The product's function that the failing test calls last before it fails, where a name says which.
fn called_product(
    case: &Case<'_>,
    failure: &Failure,
    roles: &Roles,
) -> Option<(String, u32, String)> {
    let frame = asserting(failure, roles)?;
    let source = Source::parse(&frame.path, case.tree.read(&frame.path)?)?;
    let mut names: Vec<(u32, String)> = source
        .calls()
        .filter(|(node, _)| Source::line(*node) <= frame.line)
        .filter_map(|(node, called)| {
            let name = called.rsplit('.').next()?;
            let known = matches!(
                name,
                "require"
                    | "expect"
                    | "test"
                    | "it"
                    | "describe"
                    | "assert"
                    | "equal"
                    | "strictEqual"
            );
            (!known
                && name
                    .chars()
                    .all(|c| c == '_' || c == '$' || c.is_alphanumeric()))
            .then(|| (Source::line(node), name.to_owned()))
        })
        .collect();
    names.sort_by_key(|(line, _)| std::cmp::Reverse(*line));
    let bound = source.bindings();
    let products: Vec<&String> = case
        .tree
        .paths()
        .iter()
        .filter(|path| adapter::of_file(path).is_some() && roles.of(path) == Role::Product)
        .take(400)
        .collect();
    // The nearest call whose name the product defines; what the test imports stands for a file whose export it is.
    for (_, name) in names {
        for path in &products {
            let Some(text) = case.tree.read(path) else {
                continue;
            };
            if let Some(line) = defined_at(&text, &name) {
                return Some(((*path).clone(), line, name));
            }
        }
        if let Some(binding) = bound.get(&name).filter(|of| of.module.starts_with('.')) {
            let stem = binding.module.rsplit('/').next().unwrap_or_default();
            let stem = stem.split('.').next().unwrap_or(stem);
            let file = products.iter().find(|path| {
                let file = path.rsplit('/').next().unwrap_or(path);
                file.split('.').next() == Some(if stem.is_empty() { "index" } else { stem })
            });
            if let Some(path) = file {
                return Some(((*path).clone(), 1, name));
            }
        }
    }
    None
}

/// The line on which a text defines a function of this name.
fn defined_at(text: &str, name: &str) -> Option<u32> {
    (1_u32..).zip(text.lines()).find_map(|(line, row)| {
        let row = row.trim_start();
        let forms = [
            format!("function {name}("),
            format!("function {name} ("),
            format!("function* {name}("),
            format!("const {name} = "),
            format!("let {name} = "),
            format!("var {name} = "),
            format!("exports.{name} = "),
            format!(".{name} = function"),
            format!("{name}: function"),
        ];
        let method = row.starts_with(&format!("{name}(")) && row.ends_with('{')
            || row.starts_with(&format!("async {name}(")) && row.ends_with('{');
        (method || forms.iter().any(|form| row.contains(form.as_str()))).then_some(line)
    })
}

#[cfg(test)]
#[path = "classify_tests.rs"]
mod tests;
