//! Why npm failed. It names its errors: `npm error code E404`.

use super::super::super::finished::{Ended, Finished};
use super::super::super::limits::Limits;
use super::super::EnvironmentError;

/// What npm's failure means. npm names its errors: `npm error code E404`.
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
                excerpt: format!("the installation {ended}"),
            };
        }
        _ => {}
    }
    let stderr = finished.stderr_text();
    let lines: Vec<&str> = stderr
        .lines()
        .map(|line| {
            line.trim_start_matches("npm ERR! ")
                .trim_start_matches("npm error ")
        })
        .filter(|line| !line.is_empty() && !line.contains("complete log of this run"))
        .collect();
    let code = lines
        .iter()
        .find_map(|line| line.strip_prefix("code "))
        .unwrap_or_default();
    let excerpt = lines[..lines.len().min(12)].join("\n");
    match code {
        "E404" | "ETARGET" | "EBADENGINE" => EnvironmentError::NoMatchingDistribution {
            requirement: not_found(&lines).unwrap_or(excerpt),
        },
        "ERESOLVE" => EnvironmentError::Conflict { excerpt },
        "ENOTFOUND" | "ECONNREFUSED" | "ECONNRESET" | "ETIMEDOUT" | "EAI_AGAIN"
        | "ERR_SOCKET_TIMEOUT" | "E502" | "E503" | "E504" | "EIDLETIMEOUT" => {
            EnvironmentError::Unreachable { excerpt }
        }
        _ => EnvironmentError::BuildFailed { excerpt },
    }
}

/// `404  'no-such@*' is not in this registry`, `notarget No matching version found for x@99.`
fn not_found(lines: &[&str]) -> Option<String> {
    lines.iter().find_map(|line| {
        let quoted = line
            .split_once('\'')
            .and_then(|(_, rest)| rest.split_once('\''))
            .filter(|(_, behind)| {
                behind.contains("is not in") || behind.contains("could not be found")
            })
            .map(|(name, _)| name);
        let named = line
            .split_once("No matching version found for ")
            .map(|(_, rest)| rest.trim_end_matches('.').split(' ').next().unwrap_or(rest))
            .map(|name| name.trim_end_matches('.'));
        quoted.or(named).map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::not_found;

    #[test]
    fn what_npm_cannot_find_is_named() {
        let lines = [
            "code E404",
            "404 Not Found - GET x",
            "404  'no-such@*' is not in this registry.",
        ];
        assert_eq!(not_found(&lines).as_deref(), Some("no-such@*"));
        let lines = [
            "code ETARGET",
            "notarget No matching version found for tape@99.",
        ];
        assert_eq!(not_found(&lines).as_deref(), Some("tape@99"));
    }
}
