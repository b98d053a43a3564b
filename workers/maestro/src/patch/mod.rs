//! A patch that came from a stream, taken into a working copy: entirely or not at all, and nowhere else.
//!
//! The patch is data from elsewhere. [`path`] says which paths it may name, [`plan`] works out every file's new text
//! without writing, [`write`] puts the texts in place.

mod path;
mod plan;
mod write;

pub(crate) use plan::{Misfit, Plan};
