//! The heal worker: takes one failing test, reproduces it in an isolated copy, repairs it by one of the
//! registered strategies, proves the repair, and answers with a diff and its evidence, or refuses because
//! the product is what is broken. The core takes values and returns values; [`edge`] is where the world begins.

pub mod adapter;
mod answer;
pub mod assertions;
mod bench;
pub mod case;
pub mod checker;
pub mod classify;
pub mod conditions;
pub mod confidence;
mod distribution;
mod durations;
pub mod edge;
pub mod engine;
pub mod failure;
mod fork_server;
pub mod guard;
pub mod healer;
mod intended;
mod investigate;
pub mod judge;
mod known_hosts;
pub mod laboratory;
pub mod node;
pub mod overlay;
pub mod past;
pub mod patch;
pub mod project_file;
mod prove;
mod reproduce;
pub mod roles;
pub mod rules;
pub mod runner;
mod runs;
pub mod rust;
pub mod search;
pub mod source;
mod stabilise;
pub mod strategies;
pub mod teeth;
mod trace_back;
pub mod unsteady;
mod way_back;
mod workbench;
pub mod worker;

pub use distribution::distribution;
pub use edge::{Limits, SandboxChoice};
pub use healer::{HealError, Healer, Settings, SetupError};
pub use worker::HealWorker;
