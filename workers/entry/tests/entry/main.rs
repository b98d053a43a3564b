//! The program itself, with real commands, signals and files.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod container;
mod installing;
mod program;
mod reporting;
mod running;
