use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use crate::admin::millis;

/// The name of this machine, as far as it can be known without asking the network.
pub(super) fn host() -> String {
    let named = std::env::var("HOSTNAME")
        .ok()
        .or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok());
    let named = named.unwrap_or_default();
    let plain: String = named
        .trim()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
        .collect();
    if plain.is_empty() {
        "host".to_owned()
    } else {
        plain
    }
}

/// A name that no other living consumer has: containers share process ids, and pods may share host names.
pub(super) fn unique() -> String {
    // The standard library seeds this from the operating system.
    let random = RandomState::new().build_hasher().finish();
    format!("{}-{}-{random:012x}", host(), std::process::id())
}

/// What the registry says about this consumer: host, process, version, concurrency, and for how many milliseconds it has run. Words are
/// only added at the end; whoever reads them takes what there is.
pub(super) fn about(version: &str, concurrency: usize, up: Duration) -> String {
    let version: String = version.chars().filter(|c| !c.is_whitespace()).collect();
    let (host, process, up) = (host(), std::process::id(), millis(up));
    format!("{host} {process} {version} {concurrency} {up}")
}
