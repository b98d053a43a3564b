//! One value out of what the flags, the variables, the file and the defaults say.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use clap::parser::ValueSource;
use serde_saphyr::Spanned;

use super::file::File;
use super::flags::{GlobalFlags, WorkerFlags};
use super::origin::{Key, Origin, Setting};
use crate::fault::Fault;

/// Everything that was said.
#[derive(Debug)]
pub(crate) struct Layers {
    pub(super) global: GlobalFlags,
    pub(super) worker: WorkerFlags,
    pub(super) file: File,
    path: PathBuf,
    /// The ids of the arguments that a variable has set.
    from_variables: Vec<String>,
}

impl Layers {
    /// Reads the configuration file, if one is named. `matches` are those of the innermost command.
    pub(crate) fn gather(
        global: &GlobalFlags,
        worker: &WorkerFlags,
        matches: &ArgMatches,
    ) -> Result<Self, Fault> {
        let file = match &global.config {
            Some(path) => File::read(path)?,
            None => File::default(),
        };
        let from_variables = matches
            .ids()
            .map(clap::Id::as_str)
            .filter(|id| {
                matches.try_contains_id(id).is_ok()
                    && matches.value_source(id) == Some(ValueSource::EnvVariable)
            })
            .map(str::to_owned)
            .collect();
        Ok(Self {
            global: global.clone(),
            worker: worker.clone(),
            file,
            path: global.config.clone().unwrap_or_default(),
            from_variables,
        })
    }

    /// The value that wins, if any was given.
    pub(super) fn given<T: Clone>(
        &self,
        key: Key,
        flag: Option<&T>,
        file: Option<&Spanned<T>>,
    ) -> Option<Setting<T>> {
        let (value, origin) = match (flag, file) {
            (Some(value), _) if self.is_from_variable(key) => {
                (value, Origin::Variable(key.variable))
            }
            (Some(value), _) => (value, Origin::Flag(key.flag)),
            (None, Some(spanned)) => (&spanned.value, self.place(spanned)),
            (None, None) => return None,
        };
        Some(Setting {
            key,
            value: value.clone(),
            origin,
        })
    }

    /// The value that wins, or the default.
    pub(super) fn setting<T: Clone>(
        &self,
        key: Key,
        flag: Option<&T>,
        file: Option<&Spanned<T>>,
        default: T,
    ) -> Setting<T> {
        self.given(key, flag, file).unwrap_or(Setting {
            key,
            value: default,
            origin: Origin::Default,
        })
    }

    /// A path that the file names is relative to the file, one that a flag or a variable names to the working directory.
    pub(super) fn resolved(&self, setting: Setting<PathBuf>) -> Setting<PathBuf> {
        let beside = match setting.origin {
            Origin::File { .. } => self
                .path
                .parent()
                .map(Path::to_path_buf)
                .unwrap_or_default(),
            _ => PathBuf::new(),
        };
        setting.map(|path| beside.join(path))
    }

    fn is_from_variable(&self, key: Key) -> bool {
        let id = key.flag.replace('-', "_");
        self.from_variables
            .iter()
            .any(|from| *from == id || (id == "root" && from == "roots"))
    }

    fn place<T>(&self, spanned: &Spanned<T>) -> Origin {
        Origin::File {
            path: self.path.clone(),
            line: spanned.referenced.line(),
            column: spanned.referenced.column(),
        }
    }
}
