//! Files for `node_exporter`'s textfile collector, which reads every `*.prom` of a directory
//! (<https://github.com/prometheus/node_exporter#textfile-collector>).

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::fs;

use super::PushError;

#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
    /// What this process wrote last, by the file's name.
    written: Mutex<HashMap<String, String>>,
}

impl Directory {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            written: Mutex::default(),
        }
    }

    /// A reader sees the old text or the new one, never a part: it is written beside and renamed.
    pub(super) async fn put(&self, name: &str, text: String) -> Result<(), PushError> {
        let path = self.path.join(name);
        let beside = self.path.join(format!(".{name}.{}", std::process::id()));
        let written = async {
            fs::write(&beside, &text).await?;
            fs::rename(&beside, &path).await
        };
        match written.await {
            Ok(()) => {
                self.written().insert(name.to_owned(), text);
                Ok(())
            }
            Err(error) => {
                // What was half written is of no use to anybody.
                let _ = fs::remove_file(&beside).await;
                Err(unwritable(&path, error))
            }
        }
    }

    pub(super) async fn delete(&self, name: &str) -> Result<(), PushError> {
        let path = self.path.join(name);
        match fs::remove_file(&path).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unwritable(&path, error)),
            _ => Ok(()),
        }
    }

    /// Not what another replica of this machine has written since.
    pub(super) async fn delete_own(&self, name: &str) -> Result<(), PushError> {
        let Some(own) = self.written().remove(name) else {
            return Ok(());
        };
        match fs::read_to_string(self.path.join(name)).await {
            Ok(found) if found == own => self.delete(name).await,
            _ => Ok(()),
        }
    }

    fn written(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unwritable(path: &Path, source: io::Error) -> PushError {
    PushError::File {
        path: path.display().to_string(),
        source,
    }
}
