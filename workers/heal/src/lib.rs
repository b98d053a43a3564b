//! The heal worker: takes one failing test, reproduces it in an isolated copy, repairs it by one of the
//! registered strategies, proves the repair, and answers with a diff and its evidence, or refuses because
//! the product is what is broken. The core takes values and returns values; [`edge`] is where the world begins.

pub mod case;
pub mod edge;
pub mod failure;
pub mod roles;
pub mod strategies;
