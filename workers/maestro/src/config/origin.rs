//! A value in force, and where it came from.

use std::fmt;
use std::path::PathBuf;

use crate::fault::Fault;

/// The names by which a setting is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    /// In the file, the section's name before the dot: `redis.url`.
    pub(crate) path: &'static str,
    /// The flag without its dashes: `redis-url`.
    pub(crate) flag: &'static str,
    /// `MAESTRO_REDIS_URL`.
    pub(crate) variable: &'static str,
    /// What it means, one line.
    pub(crate) meaning: &'static str,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag(&'static str),
    Variable(&'static str),
    File {
        path: PathBuf,
        line: u64,
        column: u64,
    },
    /// The running fleet of this directory.
    Embedded(PathBuf),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag --{flag}"),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::File { path, line, column } => {
                write!(f, "file {}:{line}:{column}", path.display())
            }
            Self::Embedded(path) => write!(f, "the fleet that runs in {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value in force.
#[derive(Debug, Clone)]
pub(crate) struct Setting<T> {
    pub(crate) key: Key,
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

impl<T> Setting<T> {
    /// The same setting, its value seen differently.
    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> Setting<U> {
        Setting {
            key: self.key,
            value: change(self.value),
            origin: self.origin,
        }
    }
}

impl<T: fmt::Display> Setting<T> {
    /// Refuses a value that does not fit, with its name and its origin.
    pub(super) fn must(&self, fit: bool, expected: &str) -> Result<(), Fault> {
        if fit {
            return Ok(());
        }
        Err(Fault::usage(format!(
            "`{}`: expected {expected}, but found `{}` ({})",
            self.key.path, self.value, self.origin
        )))
    }
}

/// A setting as `maestro config` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) key: Key,
    pub(crate) value: String,
    pub(crate) origin: Origin,
}

impl Shown {
    pub(super) fn of<T>(setting: &Setting<T>, show: impl Fn(&T) -> String) -> Self {
        Self {
            key: setting.key,
            value: show(&setting.value),
            origin: setting.origin.clone(),
        }
    }
}
