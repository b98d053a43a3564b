//! The manifests, as they would be applied.

mod objects;
mod pods;
mod rights;
mod scaling;
