//! The configuration of the fleet: flags, then variables, then the file that `--config` names, then defaults.
//!
//! [`flags`] is what the command line and the environment say, [`file`](mod@file) what the YAML file says, and
//! [`Settings`] what is in force, each value with its [`Origin`].

mod delivery;
mod environments;
mod file;
pub(crate) mod flags;
mod keys;
mod layers;
mod mask;
mod metrics;
mod origin;
mod rate;
mod settings;
mod span;
mod traces;
mod trail;

pub(crate) use environments::Environments;
pub(crate) use file::sentence as yaml_sentence;
pub(crate) use layers::Layers;
pub(crate) use origin::{Origin, Shown};
pub(crate) use rate::Rate;
pub(crate) use settings::Settings;
pub(crate) use span::Span;
