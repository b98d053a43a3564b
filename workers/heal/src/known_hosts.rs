//! Which repository hosts this worker has reached. A host that it knows and cannot reach is down, and that is no
//! fault of a message; one that it never reached may not exist at all, and its message must not hold up the others.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::healer::HealError;

/// The hosts.
#[derive(Debug, Default)]
pub(crate) struct KnownHosts(Mutex<HashSet<String>>);

/// More hosts than this are not remembered: a worker's projects live on a few.
const MOST: usize = 1_000;

impl KnownHosts {
    /// Remembers the host of a repository that was fetched.
    pub(crate) fn reached(&self, repository: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() < MOST {
            known.extend(host(repository));
        }
    }

    /// What it means that a repository's host cannot be reached.
    pub(crate) fn unreachable(&self, repository: &str, detail: String) -> HealError {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match host(repository).filter(|host| known.contains(host)) {
            Some(host) => HealError::Unavailable {
                dependency: format!("the repository host {host}"),
                detail,
            },
            None => HealError::Failed(detail),
        }
    }
}

/// The host in `scheme://user@host:port/path` or `user@host:path`; none in a path.
fn host(repository: &str) -> Option<String> {
    let rest = match repository.split_once("://") {
        Some(("file", _)) => return None,
        Some((_, rest)) => rest.split('/').next()?,
        None => {
            repository
                .split_once(':')
                .filter(|(host, _)| !host.contains('/'))?
                .0
        }
    };
    let host = rest.rsplit('@').next().unwrap_or(rest);
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_was_reached_before_is_down_and_a_stranger_is_retried() {
        let hosts = KnownHosts::default();
        hosts.reached("https://git.example.org/a/b.git");
        let down = hosts.unreachable("https://me@GIT.example.org/c.git", String::new());
        assert!(matches!(down, HealError::Unavailable { .. }));
        let stranger = hosts.unreachable("https://nowhere.example/c.git", String::new());
        assert!(matches!(stranger, HealError::Failed(_)));
    }

    #[test]
    fn the_host_is_found_in_each_notation() {
        assert_eq!(host("ssh://git@h:22/p").as_deref(), Some("h:22"));
        assert_eq!(host("git@h:p/q.git").as_deref(), Some("h"));
        assert_eq!(host("/srv/p"), None);
        assert_eq!(host("file:///srv/p"), None);
    }
}
