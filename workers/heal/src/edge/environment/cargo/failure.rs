//! Why cargo could not bring a project's crates together. Its own errors have no form but their text.

use super::super::super::finished::{Ended, Finished};
use super::super::super::limits::Limits;
use super::super::EnvironmentError;

/// What says that the registry could not be reached.
const UNREACHABLE: &[&str] = &[
    "spurious network error",
    "Could not resolve host",
    "Couldn't connect to server",
    "Could not connect to server",
    "Timeout was reached",
    "timed out",
    "SSL connect error",
    "failed to download from `",
    "got 502",
    "got 503",
    "got 504",
];

const LINES: usize = 16;

/// The error that cargo's failure means.
pub(super) fn read(finished: &Finished, limits: &Limits) -> EnvironmentError {
    match finished.ended {
        Ended::Cancelled => return EnvironmentError::Cancelled,
        Ended::TimedOut => {
            return EnvironmentError::TimedOut {
                seconds: limits.wall.as_secs(),
            };
        }
        ended if ended.overran() => {
            return EnvironmentError::BuildFailed {
                excerpt: format!("fetching its crates {ended}"),
            };
        }
        _ => {}
    }
    let said = finished.stderr_text();
    let excerpt = excerpt(&said);
    if UNREACHABLE.iter().any(|word| said.contains(word)) {
        return EnvironmentError::Unreachable { excerpt };
    }
    EnvironmentError::Conflict { excerpt }
}

/// From the line that begins with `error` on.
pub(crate) fn excerpt(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim_end).collect();
    let from = lines
        .iter()
        .position(|line| line.starts_with("error"))
        .unwrap_or(lines.len().saturating_sub(LINES));
    lines[from..]
        .iter()
        .filter(|line| !line.is_empty())
        .take(LINES)
        .copied()
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Ended, EnvironmentError, Finished, Limits, read};

    #[test]
    fn a_requirement_that_nothing_meets_is_told_from_a_network_that_is_gone() {
        let said = |stderr: &str| {
            let finished = Finished {
                ended: Ended::Exited(101),
                stdout: Vec::new(),
                stderr: stderr.as_bytes().to_vec(),
                elapsed: Duration::ZERO,
            };
            read(&finished, &Limits::default())
        };
        let missing = "    Updating crates.io index\nerror: failed to select a version for the requirement `itoa = \"^99\"`\n";
        let EnvironmentError::Conflict { excerpt } = said(missing) else {
            panic!("not a conflict");
        };
        assert!(excerpt.starts_with("error: failed to select"), "{excerpt}");
        let gone = "warning: spurious network error (1 tries remaining): [6] Could not resolve host: index.crates.io\nerror: failed to get `itoa`\n";
        assert!(matches!(said(gone), EnvironmentError::Unreachable { .. }));
    }
}
