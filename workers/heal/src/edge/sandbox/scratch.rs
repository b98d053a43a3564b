//! The few files of `/etc` that a command finds in its sandbox, written for it, and its home where there is no sandbox.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::SandboxError;
use super::identity::Identity;

/// Files that live as long as the run.
pub(super) struct Scratch {
    directory: TempDir,
}

impl Scratch {
    pub(super) fn new(identity: Identity) -> Result<Self, SandboxError> {
        let place = std::env::temp_dir();
        let write = || {
            let scratch = Self {
                directory: tempfile::Builder::new()
                    .prefix("maestro-run-")
                    .tempdir_in(&place)?,
            };
            let Identity { user, group } = identity;
            let files = [
                (
                    scratch.passwd(),
                    format!(
                        "root:x:0:0:root:/:/usr/sbin/nologin\nheal:x:{user}:{group}:heal:/home/heal:/bin/sh\n"
                    ),
                ),
                (scratch.group(), format!("root:x:0:\nheal:x:{group}:\n")),
                (
                    scratch.hosts(),
                    "127.0.0.1 localhost\n::1 localhost\n".to_owned(),
                ),
                (
                    scratch.nsswitch(),
                    "passwd: files\ngroup: files\nhosts: files dns\n".to_owned(),
                ),
            ];
            for (path, text) in files {
                fs::write(path, text)?;
            }
            fs::create_dir(scratch.home())?;
            Ok(scratch)
        };
        write().map_err(|source| SandboxError::Scratch {
            path: place.clone(),
            source,
        })
    }

    pub(super) fn passwd(&self) -> PathBuf {
        self.path().join("passwd")
    }

    pub(super) fn group(&self) -> PathBuf {
        self.path().join("group")
    }

    pub(super) fn hosts(&self) -> PathBuf {
        self.path().join("hosts")
    }

    pub(super) fn nsswitch(&self) -> PathBuf {
        self.path().join("nsswitch.conf")
    }

    pub(super) fn home(&self) -> PathBuf {
        self.path().join("home")
    }

    /// A word that no other run has: it marks the processes of a run that no namespace holds together.
    pub(super) fn mark(&self) -> String {
        self.path()
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }
}
