//! What makes two repairs the same.

use std::fmt::Write as _;

use maestro_protocol::heal::RuntimeChanges;
use sha2::{Digest, Sha256};

/// The identity of a repair: 64 bits of SHA-256 as 16 hex digits, over the files and lines that its patch takes away and adds, and the changes of
/// the environment. Where in a file it applies has no part in it: a line more above it does not make another repair.
pub fn change(patch: Option<&str>, runtime: Option<&RuntimeChanges>) -> String {
    let mut hash = Sha256::new();
    for line in patch.unwrap_or_default().lines() {
        if line.starts_with(['+', '-']) {
            hash.update(line.as_bytes());
            hash.update(b"\n");
        }
    }
    if let Some(runtime) = runtime.filter(|changes| **changes != RuntimeChanges::default()) {
        hash.update(b"\0");
        hash.update(serde_json::to_vec(runtime).unwrap_or_default());
    }
    let digest = hash.finalize();
    digest.iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repair_is_the_same_wherever_in_the_file_it_applies_and_another_if_a_line_differs() {
        let at = |line: u32, text: &str| {
            let patch = format!("--- a/t.py\n+++ b/t.py\n@@ -{line} +{line} @@\n x\n-y\n+{text}\n");
            change(Some(&patch), None)
        };
        assert_eq!(at(1, "z"), at(7, "z"));
        assert_ne!(at(1, "z"), at(1, "q"));
        let six = RuntimeChanges {
            install: vec!["six".into()],
            ..RuntimeChanges::default()
        };
        assert_ne!(change(None, Some(&six)), change(None, None));
        assert_eq!(
            change(None, Some(&RuntimeChanges::default())),
            change(None, None)
        );
    }
}
