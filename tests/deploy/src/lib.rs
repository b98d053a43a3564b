//! What is proven of the deployment: the manifests of `deploy/kubernetes` as `kubectl kustomize` puts them together, the images, the compose
//! file and the units.
//!
//! A [`Manifest`] is one object; [`kustomize`] makes them, [`kinds`] holds each to the type of a current release of Kubernetes, and
//! [`restricted`] to the Pod Security Standards. [`tools`] finds the programs that judge.

mod keda;
pub mod kinds;
pub mod kustomize;
mod manifest;
pub mod restricted;
pub mod tools;

use std::path::{Path, PathBuf};

pub use manifest::{Manifest, variable};

/// The repository.
///
/// # Panics
/// When it is not where this program was built.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the repository").to_owned()
}

/// A file of the repository.
///
/// # Panics
/// When it cannot be read.
pub fn text(path: &str) -> String {
    std::fs::read_to_string(repository().join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every document of a YAML text.
///
/// # Panics
/// When it is none.
pub fn documents(yaml: &str) -> Vec<serde_json::Value> {
    serde_saphyr::from_multiple(yaml).unwrap_or_else(|error| panic!("{error}"))
}
