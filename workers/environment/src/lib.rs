//! Ephemeral environments on Kubernetes: one message becomes one isolated namespace with the whole stack, and
//! nothing outlives its time.
//!
//! The core takes values and returns values: [`plan::plan`] turns a request into the manifests that are applied, `verdict` says what
//! the state of pods means, [`testing`] what comes out of a test Job. [`Cluster`] is the edge; [`Provision`] and [`Cleanup`]
//! are the two workers.

mod cleanup;
mod cluster;
pub mod credentials;
pub mod databases;
mod fault;
pub mod identity;
mod image;
pub mod names;
pub mod plan;
mod provision;
pub mod quantity;
mod record;
pub mod settings;
mod syntax;
mod telling;
pub mod templates;
pub mod testing;
mod verdict;

pub use cleanup::{Cleanup, CleanupSettings};
pub use cluster::{Access, ApiError, Cluster, ConnectError, Refusal};
pub use provision::{Provision, ProvisionSettings, Rights};

/// A string of a message as JSON, cut where it is long: control characters cannot get into a sentence.
pub(crate) fn shown(text: &str) -> String {
    const SHOWN: usize = 64;
    match text.char_indices().nth(SHOWN) {
        None => serde_json::Value::from(text).to_string(),
        Some((cut, _)) => format!(
            "{} and {} more bytes",
            serde_json::Value::from(&text[..cut]),
            text.len() - cut
        ),
    }
}
