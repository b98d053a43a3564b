//! A name for failures that come without a fingerprint.

use maestro_protocol::heal::HealRequested;
use sha2::{Digest, Sha256};

/// What a heal that was asked for directly is remembered under, where its request carries no fingerprint of triage: project, directory and
/// test, as 32 hex digits. `None` where no test is named.
pub fn unnamed(request: &HealRequested) -> Option<String> {
    let test = request.test.as_ref()?;
    let repository = request.project.repository.trim_end_matches('/');
    let parts = [
        repository.trim_end_matches(".git"),
        request.project.directory.as_deref().unwrap_or_default(),
        &test.id,
    ];
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let digest = hash.finalize();
    let start = digest.first_chunk::<16>().copied().unwrap_or_default();
    Some(format!("{:032x}", u128::from_be_bytes(start)))
}
