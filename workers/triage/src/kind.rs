//! The kind of an error: the producer's, unless the texts clearly say another.

use std::sync::LazyLock;

use maestro_protocol::error::{ErrorKind, ErrorReported};
use regex::Regex;

use crate::failure::{Failure, Language};

/// The kind, and what speaks against the one that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The kind.
    pub kind: ErrorKind,
    /// Why it is not the one that was given, as a clause; `None` where it is.
    pub correction: Option<String>,
}

/// Judges the kind of an error.
///
/// A producer sees what it ran, tests, and calls everything that went wrong a failed test. So `test_failure` and
/// `runtime_error` give way to what the exception says. The kinds of tools, build, types and lint, stay: a linter's
/// report about an import is about style. Only a type checker's complaint is told from an exception by that name.
pub fn judge(report: &ErrorReported, failure: &Failure) -> Judged {
    use ErrorKind::{
        BuildError, DependencyError, ImportError, RuntimeError, TestFailure, TypeError,
    };
    let given = report.kind;
    // A checker says itself what it is.
    let seen = match given {
        _ if report.finding.is_some() => None,
        TestFailure | RuntimeError => dependency(report, failure)
            .or_else(|| import(failure))
            .or_else(|| compiler(failure)),
        ImportError => dependency(report, failure),
        TypeError
            if failure.exception.as_deref() == Some("TypeError") && !failure.frames.is_empty() =>
        {
            let kind = if report.test.is_some() {
                TestFailure
            } else {
                RuntimeError
            };
            Some((
                kind,
                "it is an exception at run time, no type checker's complaint".to_owned(),
            ))
        }
        TypeError | BuildError | DependencyError | ErrorKind::LintError => None,
    };
    match seen {
        Some((kind, because)) if kind != given => Judged {
            kind,
            correction: Some(format!("reported as {}, but {because}", name(given))),
        },
        _ => Judged {
            kind: given,
            correction: None,
        },
    }
}

/// The kind as it is written on the wire.
pub fn name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::TestFailure => "test_failure",
        ErrorKind::BuildError => "build_error",
        ErrorKind::TypeError => "type_error",
        ErrorKind::LintError => "lint_error",
        ErrorKind::RuntimeError => "runtime_error",
        ErrorKind::ImportError => "import_error",
        ErrorKind::DependencyError => "dependency_error",
    }
}

fn dependency(report: &ErrorReported, failure: &Failure) -> Option<(ErrorKind, String)> {
    static PHRASE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            r"Could not find a version that satisfies the requirement|No matching distribution found for",
            r"|ResolutionImpossible|VersionConflict|DistributionNotFound|PackageNotFoundError",
            r"|ERESOLVE|npm (?:ERR!|error) (?:code )?E404|ETARGET",
            r"|no matching package named|failed to select a version for",
        ))
        .expect("a pattern of this file compiles")
    });
    let exception = failure.exception.as_deref().unwrap_or_default();
    let phrase = [exception, failure.says.as_str(), report.message.as_str()]
        .into_iter()
        .find_map(|text| PHRASE.find(text))?;
    Some((
        ErrorKind::DependencyError,
        format!(
            "`{}` says that a dependency is missing or does not fit",
            phrase.as_str()
        ),
    ))
}

fn import(failure: &Failure) -> Option<(ErrorKind, String)> {
    let exception = failure.exception.as_deref()?;
    let node = failure.language == Some(Language::Node)
        && [
            "Cannot find module",
            "Cannot find package",
            "does not provide an export named",
        ]
        .iter()
        .any(|phrase| failure.says.contains(phrase));
    if matches!(exception, "ImportError" | "ModuleNotFoundError") || node {
        return Some((
            ErrorKind::ImportError,
            format!("`{exception}` says that something could not be imported"),
        ));
    }
    None
}

fn compiler(failure: &Failure) -> Option<(ErrorKind, String)> {
    let exception = failure.exception.as_deref()?;
    if failure.language == Some(Language::Rust) && exception != "panic" {
        return Some((
            ErrorKind::BuildError,
            format!("`{exception}` is an error of the compiler"),
        ));
    }
    None
}
