//! JUnit reports: what failed, in which runner's words, and the id by which that runner finds the test again.
//!
//! JUnit XML has no standard, so every writer's habits are met here: [`report`] reads the XML of any of
//! them within fixed bounds, [`identity`] turns a case into its runner's own test id, and [`message`]
//! makes the message that is published.

pub(crate) mod identity;
mod javascript;
pub(crate) mod message;
mod pytest;
pub(crate) mod report;
pub(crate) mod runner;
mod unittest;
