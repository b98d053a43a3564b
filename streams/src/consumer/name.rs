use std::hash::{BuildHasher, Hasher, RandomState};

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

/// What the registry says about this process.
pub(super) fn about(version: &str) -> String {
    let version: String = version.chars().filter(|c| !c.is_whitespace()).collect();
    format!("{} {} {version}", host(), std::process::id())
}
