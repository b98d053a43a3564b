//! How bad an error is: the producer's word, or by how much cannot be tested because of it.

use std::sync::LazyLock;

use maestro_protocol::error::{ErrorKind, ErrorReported, Severity};
use maestro_protocol::finding::Level;
use regex::Regex;

use crate::failure::Failure;

/// The severity that was given, or else the one that fits.
pub fn severity(report: &ErrorReported, failure: &Failure, kind: ErrorKind) -> Severity {
    if let Some(given) = report.severity {
        return given;
    }
    if let Some(finding) = &report.finding {
        return match (kind, finding.level) {
            (ErrorKind::LintError, _) | (_, Some(Level::Note | Level::Warning)) => Severity::Low,
            (ErrorKind::BuildError, _) => Severity::Critical,
            _ => Severity::Medium,
        };
    }
    let texts = [
        report.message.as_str(),
        report.stack_trace.as_deref().unwrap_or_default(),
    ];
    if texts.into_iter().any(|text| NOTHING_RUNS.is_match(text)) {
        return Severity::Critical;
    }
    let module = matches!(
        failure.exception.as_deref(),
        Some("SyntaxError" | "IndentationError" | "TabError")
    ) || texts.into_iter().any(|text| MODULE_FAILS.is_match(text));
    match kind {
        ErrorKind::BuildError => Severity::Critical,
        ErrorKind::ImportError | ErrorKind::DependencyError | ErrorKind::RuntimeError => {
            Severity::High
        }
        ErrorKind::TestFailure | ErrorKind::TypeError if module => Severity::High,
        ErrorKind::TestFailure | ErrorKind::TypeError => Severity::Medium,
        ErrorKind::LintError => Severity::Low,
    }
}

/// The runner itself could not start.
static NOTHING_RUNS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"ImportError while loading conftest|INTERNALERROR>|\bno tests ran\b|could not compile `|ConftestImportFailure|error: unrecognized arguments")
        .expect("a pattern of this file compiles")
});

/// One module could not be collected.
static MODULE_FAILS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"ERROR collecting|collection failure|unittest\.loader\._FailedTest|Test suite failed to run")
        .expect("a pattern of this file compiles")
});
