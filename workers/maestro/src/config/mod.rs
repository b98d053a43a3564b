//! The configuration of the fleet: flags, then variables, then the file that `--config` names, then defaults.
//!
//! [`flags`] is what the command line and the environment say, [`file`](mod@file) what the YAML file says, and
//! [`settings`] what is in force, each value with its [`origin`].

mod file;
pub(crate) mod flags;
mod layers;
mod mask;
mod origin;
pub(crate) mod settings;
mod span;

pub(crate) use layers::Layers;
pub(crate) use origin::Origin;
pub(crate) use settings::Settings;
pub(crate) use span::Span;
