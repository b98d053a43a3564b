//! Reads what linters, type checkers and compilers report as data: SARIF 2.1.0, the JSON of cargo and rustc, mypy, ruff and
//! eslint, and the lines of `tsc --pretty false`, which has no other format.
//!
//! [`read`] tells the formats apart by their content, within [`Limits`], and gives a [`Report`] of [`Finding`]s whose files
//! are named as the project at a [`Place`] names them. What is prose for people is not read.

mod bounds;
mod cargo;
mod detect;
mod eslint;
mod finding;
mod json;
mod mypy;
mod place;
mod report;
mod ruff;
mod sarif;
mod tools;
mod tsc;

pub use bounds::Limits;
pub use detect::{Format, read};
pub use finding::Finding;
pub use json::Unreadable;
pub use place::Place;
pub use report::{LeftOut, Report};
