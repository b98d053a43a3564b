//! What versions of a package there are.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::environment::{EnvironmentError, Environments};
use super::finished::Finished;
use crate::case::Release;
use crate::distribution::normalised;

/// A package index, asked from code that does not wait on futures.
pub trait Index: Send + Sync {
    /// The versions of a distribution that can be installed, newest first; no pre-releases.
    ///
    /// # Errors
    /// When there is no such distribution, or the index cannot be asked.
    fn versions(&self, distribution: &str) -> Result<Vec<String>, IndexError>;
}

/// The releases of each distribution asked about, newest first.
pub type Releases = BTreeMap<String, Vec<Release>>;

/// pip's own finder with pip's own settings, asked about many distributions at a time: no command of pip tells when a release was
/// published. What it is made of may change with any version of pip; then there is no answer.
const RELEASES_BY_PIP: &str = include_str!("releases.py");

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IndexError {
    /// The index has no such distribution, or none for the interpreter asked about.
    #[error("the package index has no `{0}`")]
    Missing(String),
    /// The index could not be asked, which another time it may be.
    #[error("the package index cannot be asked about `{distribution}`: {why}")]
    Unreachable {
        /// What was asked about.
        distribution: String,
        /// Why not.
        why: String,
    },
}

/// What versions there are, or why nobody knows.
pub(super) type Answer = Result<Vec<String>, IndexError>;

/// Puts a question and waits for its answer; an error is a text. The caller may itself be on a thread of a runtime, which must not be
/// started twice.
pub(super) fn ask<T: Send, F>(question: impl FnOnce() -> F + Send) -> Result<T, String>
where
    F: Future<Output = Result<T, EnvironmentError>>,
{
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let runtime = runtime.map_err(|error| error.to_string())?;
            runtime
                .block_on(question())
                .map_err(|error| error.to_string())
        });
        asking
            .join()
            .unwrap_or_else(|_| Err("the question was not put".to_owned()))
    })
}

/// The index that pip knows, with the settings and for the interpreter of the environments; answers are remembered.
///
/// pip is asked by its command line and not the index by its own protocol, so that every setting that an installation
/// honours (mirrors, extra indexes, directories of wheels, credentials) is honoured here.
#[derive(Debug, Clone)]
pub struct PipIndex {
    environments: Environments,
    python: Option<String>,
    known: Arc<Mutex<HashMap<String, Answer>>>,
    dated: Arc<Mutex<HashMap<Vec<String>, Releases>>>,
}

impl PipIndex {
    /// Asks about versions for one version of Python.
    pub fn new(environments: &Environments, python: Option<&str>) -> Self {
        Self {
            environments: environments.clone(),
            python: python.map(str::to_owned),
            known: Arc::default(),
            dated: Arc::default(),
        }
    }

    fn ask(&self, distribution: &str) -> Result<Vec<String>, IndexError> {
        let unreachable = |why: String| IndexError::Unreachable {
            distribution: distribution.to_owned(),
            why,
        };
        let words = [
            "-m",
            "pip",
            "--no-input",
            "--disable-pip-version-check",
            "--retries=1",
            "--timeout=15",
            "index",
            "versions",
            "--",
            distribution,
        ];
        let asked = ask(|| self.environments.ask_pip(self.python.as_deref(), &words));
        let finished = asked.map_err(&unreachable)?;
        if finished.ended.succeeded() {
            let said = finished.stdout_text();
            let versions = said
                .lines()
                .find_map(|line| line.trim().strip_prefix("Available versions:"));
            let versions =
                versions.ok_or_else(|| unreachable("pip named no versions".to_owned()))?;
            return Ok(versions
                .split(',')
                .map(|version| version.trim().to_owned())
                .collect());
        }
        let said = finished.stderr_text();
        let network = [
            "Retrying",
            "Could not fetch URL",
            "connection",
            "Connection",
            "timed out",
        ];
        if said.contains("No matching distribution found")
            && !network.iter().any(|word| said.contains(word))
        {
            return Err(IndexError::Missing(distribution.to_owned()));
        }
        let why = said
            .lines()
            .rfind(|line| !line.trim().is_empty())
            .map_or(finished.ended.to_string(), str::to_owned);
        Err(unreachable(why))
    }

    /// The releases of some distributions, and when they were published; answers are remembered.
    ///
    /// # Errors
    /// One sentence, when the index or this version of pip does not tell.
    pub fn releases(&self, distributions: &[String]) -> Result<Releases, String> {
        let dated = || self.dated.lock().unwrap_or_else(PoisonError::into_inner);
        let remembered = dated().get(distributions).cloned();
        if let Some(releases) = remembered {
            return Ok(releases);
        }
        let names = distributions.iter().filter(|name| is_a_name(name));
        let words: Vec<&str> = ["-c", RELEASES_BY_PIP]
            .into_iter()
            .chain(names.map(String::as_str))
            .collect();
        let finished = ask(|| self.environments.ask_pip(self.python.as_deref(), &words))?;
        if !finished.ended.succeeded() {
            let said = finished.stderr_text();
            let last = said.lines().rfind(|line| !line.trim().is_empty());
            return Err(last.map_or(finished.ended.to_string(), str::to_owned));
        }
        let releases: Releases =
            serde_json::from_str(&finished.stdout_text()).map_err(|error| error.to_string())?;
        dated().insert(distributions.to_vec(), releases.clone());
        Ok(releases)
    }
}

/// Whether a text is the normalised name of a distribution, and nothing that pip could take for an option.
fn is_a_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !name.starts_with('-')
}

impl Index for PipIndex {
    fn versions(&self, distribution: &str) -> Result<Vec<String>, IndexError> {
        let name = normalised(distribution);
        if !is_a_name(&name) {
            return Err(IndexError::Missing(distribution.to_owned()));
        }
        if let Some(known) = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&name)
        {
            return known.clone();
        }
        let answer = self.ask(&name);
        if !matches!(answer, Err(IndexError::Unreachable { .. })) {
            self.known
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(name, answer.clone());
        }
        answer
    }
}

impl Environments {
    /// Runs Python with pip in its reach and these words, with the network, and with nothing to write but pip's cache.
    async fn ask_pip(
        &self,
        python: Option<&str>,
        words: &[&str],
    ) -> Result<Finished, EnvironmentError> {
        let cancel = CancellationToken::new();
        let interpreter = self.interpreters().find(python)?;
        let pip = self.pip_for(&interpreter, &cancel).await?;
        let mut argv = vec![interpreter.path.to_string_lossy().into_owned()];
        argv.extend(words.iter().map(|&word| word.to_owned()));
        let mut command = self.pip_command(argv)?;
        command
            .variables
            .insert("PYTHONPATH".to_owned(), pip.to_string_lossy().into_owned());
        // What is installed beside the interpreter is none of pip's business here.
        command
            .variables
            .insert("PYTHONNOUSERSITE".to_owned(), "1".to_owned());
        command.readable.extend([pip, interpreter.prefix]);
        command.limits.wall = Duration::from_mins(1);
        Ok(self.sandbox().run(&command, &cancel).await?)
    }
}
