//! Reading why an installer failed. pip and uv have one exit code for everything, so their words must do.

use super::super::finished::{Ended, Finished};
use super::super::limits::Limits;
use super::EnvironmentError;

/// How much of what an installer said is passed on.
const EXCERPT_LINES: usize = 12;
const EXCERPT_BYTES: usize = 1500;

const UNREACHABLE: &[&str] = &[
    "NewConnectionError",
    "Max retries exceeded",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "Read timed out",
    "Name or service not known",
    "Temporary failure in name resolution",
    "Connection refused",
    "Connection reset",
    "Network is unreachable",
    "ProxyError",
    "SSLError",
    "CERTIFICATE_VERIFY_FAILED",
    "502 Server Error",
    "503 Server Error",
    "504 Server Error",
    "Could not fetch URL",
    "error sending request",
    "dns error",
    "Failed to fetch",
    "Could not connect",
    "operation timed out",
];

const NOT_BUILT: &[&str] = &[
    "metadata-generation-failed",
    "subprocess-exited-with-error",
    "Failed building wheel",
    "Failed to build",
    "Could not build wheels",
    "setup.py egg_info",
    "Command errored out",
    "build backend",
    "Build backend",
    "Failed to download and build",
    "BackendUnavailable",
    "Getting requirements to build wheel",
];

const NOTHING_MATCHES: &[&str] = &[
    "No matching distribution found for ",
    "Could not find a version that satisfies the requirement ",
];

/// The error that an installer's failure means.
pub(super) fn read(finished: &Finished, limits: &Limits) -> EnvironmentError {
    let stderr = finished.stderr_text();
    let said = if stderr.trim().is_empty() {
        finished.stdout_text()
    } else {
        stderr
    };
    match finished.ended {
        Ended::Cancelled => return EnvironmentError::Cancelled,
        Ended::TimedOut => {
            return EnvironmentError::TimedOut {
                seconds: limits.wall.as_secs(),
            };
        }
        ended if ended.overran() => {
            return EnvironmentError::BuildFailed {
                excerpt: format!("the installation {ended}"),
            };
        }
        _ => {}
    }
    let stdout = finished.stdout_text();
    let says = |words: &[&str]| {
        words
            .iter()
            .any(|word| said.contains(word) || stdout.contains(word))
    };
    let excerpt = excerpt(&said);
    // A network that fails makes pip say as well that nothing matches; a build that fails comes last of all.
    if says(NOT_BUILT) {
        return EnvironmentError::BuildFailed { excerpt };
    }
    if says(UNREACHABLE) {
        return EnvironmentError::Unreachable { excerpt };
    }
    if let Some(requirement) = nothing_matches(&said) {
        return EnvironmentError::NoMatchingDistribution { requirement };
    }
    if says(&[
        "ResolutionImpossible",
        "conflicting dependencies",
        "No solution found",
        "are incompatible",
    ]) {
        return EnvironmentError::Conflict { excerpt };
    }
    EnvironmentError::BuildFailed { excerpt }
}

fn nothing_matches(said: &str) -> Option<String> {
    for words in NOTHING_MATCHES {
        if let Some((_, rest)) = said.split_once(words) {
            let requirement = rest.lines().next().unwrap_or_default();
            let requirement = requirement.split(" (from").next().unwrap_or_default();
            return Some(requirement.trim().to_owned());
        }
    }
    // uv: "Because foo was not found in the package registry and you require foo, we can conclude …".
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((before, _)) = flat.split_once(" was not found in the ") {
        return before.rsplit(' ').next().map(str::to_owned);
    }
    for words in [
        "there is no version of ",
        "there are no versions of ",
        "no wheels with a matching",
    ] {
        if let Some((before, rest)) = flat.split_once(words) {
            let named = if words.starts_with("there") {
                rest.split([' ', ',']).next()
            } else {
                before.rsplit(' ').nth(1)
            };
            return named.map(str::to_owned);
        }
    }
    None
}

/// The last lines, which say why; without progress and without what pip says about itself.
fn excerpt(said: &str) -> String {
    let lines: Vec<&str> = said
        .lines()
        .map(str::trim_end)
        .filter(|line| {
            !line.is_empty()
                && !line.contains("[notice]")
                && !line.starts_with("WARNING: You are using pip")
        })
        .collect();
    let text = lines[lines.len().saturating_sub(EXCERPT_LINES)..].join("\n");
    let from = text.len().saturating_sub(EXCERPT_BYTES);
    let from = (from..text.len())
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(text.len());
    text[from..].to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::finished::{Ended, Finished};
    use super::{EnvironmentError, Limits, read};

    fn said(stderr: &str) -> EnvironmentError {
        let stderr = stderr.as_bytes().to_vec();
        let finished = Finished {
            ended: Ended::Exited(1),
            stdout: Vec::new(),
            stderr,
            elapsed: Duration::ZERO,
        };
        read(&finished, &Limits::default())
    }

    #[test]
    fn a_name_that_no_index_has_is_told_from_a_network_that_is_gone() {
        let missing = "ERROR: Could not find a version that satisfies the requirement no-such (from versions: none)\n\
                       ERROR: No matching distribution found for no-such\n";
        assert!(
            matches!(said(missing), EnvironmentError::NoMatchingDistribution { requirement } if requirement == "no-such")
        );
        let gone = format!(
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(...)'\n{missing}"
        );
        assert!(matches!(said(&gone), EnvironmentError::Unreachable { .. }));
    }

    #[test]
    fn what_uv_says_is_read_as_well() {
        let missing = "  × No solution found when resolving dependencies:\n  ╰─▶ Because no-such was not found in the package\n\
                       \x20     registry and you require no-such, we can conclude that your requirements are unsatisfiable.\n";
        assert!(
            matches!(said(missing), EnvironmentError::NoMatchingDistribution { requirement } if requirement == "no-such")
        );
        let version = "Because there is no version of iniconfig==99 and you require iniconfig==99, we can conclude";
        assert!(
            matches!(said(version), EnvironmentError::NoMatchingDistribution { requirement } if requirement == "iniconfig==99")
        );
        let conflict = "No solution found when resolving dependencies: Because pytest==7 depends on pluggy<2 and you require \
                        pluggy==2, we can conclude that your requirements are unsatisfiable.";
        assert!(matches!(said(conflict), EnvironmentError::Conflict { .. }));
    }
}
