//! What a failure is.

pub mod subject;
