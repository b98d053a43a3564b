//! The same failure has the same fingerprint.

use maestro_protocol::error::ErrorReported;
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::stable::{file, stable};

/// The fingerprint of a failure: 128 bits of SHA-256, as 32 hex digits.
///
/// Of a checker's finding: over the project, the checker, its rule, the file by its whole path, the symbol, and what is
/// said without what changes. So a finding that moved to another line is the same, and so are those that are the same but
/// for their line: a checker's own repair takes them all.
///
/// Of any other failure:
/// Over the project (repository and directory, whatever the revision), the test, the exception, what is said without what
/// changes from run to run, and the project's own frames by file and function. Line numbers, library frames and
/// the producer's idea of kind and severity have no part in it.
pub fn fingerprint(report: &ErrorReported, failure: &Failure) -> String {
    let mut hash = Sha256::new();
    // The length before each part keeps the parts apart.
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    part(
        report
            .project
            .repository
            .trim_end_matches('/')
            .trim_end_matches(".git"),
    );
    part(report.project.directory.as_deref().unwrap_or_default());
    if let Some(finding) = &report.finding {
        part("finding");
        part(&finding.tool);
        part(finding.rule.as_deref().unwrap_or_default());
        part(report.file.as_deref().unwrap_or_default());
        part(finding.symbol.as_deref().unwrap_or_default());
        part(&stable(&report.message));
        return in_hex(&hash.finalize());
    }
    part(report.test.as_ref().map_or("", |test| &test.id));
    part(failure.exception.as_deref().unwrap_or_default());
    part(&stable(&report.message));
    part(&stable(&failure.says));
    // Of a failure that no test and no frame places, the file does.
    if report.test.is_none() && failure.frames.is_empty() {
        part(&report.file.as_deref().map(file).unwrap_or_default());
    }
    for frame in &failure.frames {
        part(&file(&frame.file));
        part(&stable(&frame.function));
    }
    in_hex(&hash.finalize())
}

fn in_hex(digest: &[u8]) -> String {
    let start = digest.first_chunk::<16>().copied().unwrap_or_default();
    format!("{:032x}", u128::from_be_bytes(start))
}
