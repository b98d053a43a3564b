//! Ephemeral environments on Kubernetes: one message becomes one isolated namespace with the whole stack, and
//! nothing outlives its time.
//!
//! The core takes values and returns values: [`plan::plan`] turns a request into the manifests that are applied.

pub mod credentials;
pub mod databases;
pub mod identity;
mod image;
pub mod names;
pub mod plan;
pub mod quantity;
pub mod settings;
mod syntax;
pub mod templates;

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
