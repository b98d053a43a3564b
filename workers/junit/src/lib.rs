//! Reads JUnit reports: how many tests ended how, and what failed, by the name with which its runner finds it
//! again. The runners are pytest, unittest (`unittest-xml-reporting`), jest, vitest, Node's own and nextest.
//!
//! JUnit XML has no standard, so every writer's habits are met here. [`read`] takes the XML of any of them within
//! [`Limits`] and gives a [`Report`]; [`Report::failures`] gives each [`Failure`] in the words of its runner. The
//! code's [`Files`] help where a report leaves something out; without them, see [`Unseen`].

mod case;
mod failure;
mod files;
mod identity;
mod javascript;
mod limits;
mod pytest;
mod report;
mod runner;
mod unittest;
mod xml;

pub use failure::Failure;
pub use files::{Directory, Files, Unseen};
pub use limits::Limits;
pub use report::Report;
pub use runner::name as framework_name;
pub use xml::{Unreadable, read};
