//! The engine's edge towards the world: processes and their [`sandbox`], the [`checkout`] of a project, Python
//! [`interpreter`]s, the [`environment`]s that tests run in, and the package [`index`]. Everything that a stranger
//! wrote runs through [`Sandbox::run`], and nothing outside of this module starts a process.

pub mod cargo_index;
pub mod cargo_settings;
pub mod checkout;
pub mod command;
pub mod environment;
pub mod finished;
pub mod footprint;
pub mod index;
pub mod index_settings;
pub mod interpreter;
pub mod limits;
pub mod npm_index;
pub mod npm_settings;
mod output;
mod program;
pub mod sandbox;

pub use cargo_index::CargoIndex;
pub use cargo_settings::CargoSettings;
pub use checkout::{Checkout, CheckoutError, CheckoutLimits, History, WorkCopy, checkout};
pub use command::{Command, Network};
pub(crate) use environment::cargo::excerpt as cargo_excerpt;
pub use environment::cargo::{RustEnvironment, RustProject, Toolchain};
pub use environment::node::{Manifest, NodeEnvironment, NodeSpec};
pub(crate) use environment::node::{is_requirement as is_npm_requirement, name_of as npm_name};
pub use environment::{
    Environment, EnvironmentError, EnvironmentSpec, Environments, ProjectInstall, SourceBuilds,
};
pub use finished::{Ended, Finished};
pub use index::{Index, IndexError, PipIndex, Releases};
pub use index_settings::IndexSettings;
pub use interpreter::{Interpreter, InterpreterError, Interpreters};
pub use limits::Limits;
pub use npm_index::NpmIndex;
pub use npm_settings::NpmSettings;
pub use sandbox::{Confinement, Sandbox, SandboxChoice, SandboxError};
