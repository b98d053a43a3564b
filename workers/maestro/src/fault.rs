//! What a person sees when a command fails: one sentence, and the next step.

use std::fmt;
use std::path::Path;

use crate::exit::Exit;

/// A failure of a command.
#[derive(Debug)]
pub(crate) struct Fault {
    /// The exit code it leads to.
    pub(crate) exit: Exit,
    sentence: String,
    next: Option<String>,
}

/// What every command answers.
pub(crate) type Outcome = Result<Exit, Fault>;

impl Fault {
    pub(crate) fn new(exit: Exit, sentence: impl Into<String>) -> Self {
        Self {
            exit,
            sentence: sentence.into(),
            next: None,
        }
    }

    /// The answer is no.
    pub(crate) fn no(sentence: impl Into<String>) -> Self {
        Self::new(Exit::No, sentence)
    }

    /// A flag, a variable or the configuration file is wrong.
    pub(crate) fn usage(sentence: impl Into<String>) -> Self {
        Self::new(Exit::Usage, sentence)
    }

    /// The data given is wrong.
    pub(crate) fn data(sentence: impl Into<String>) -> Self {
        Self::new(Exit::Data, sentence)
    }

    /// A service cannot be reached.
    pub(crate) fn unavailable(sentence: impl Into<String>) -> Self {
        Self::new(Exit::Unavailable, sentence)
    }

    /// A file could not be handled: `what` is a verb phrase such as `be read`.
    pub(crate) fn io(path: &Path, what: &str, error: &std::io::Error) -> Self {
        Self::new(
            Exit::Io,
            format!("`{}` cannot {what}: {error}", path.display()),
        )
    }

    /// Adds what the person can do now.
    #[must_use]
    pub(crate) fn next(mut self, step: impl Into<String>) -> Self {
        self.next = Some(step.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)?;
        match &self.next {
            Some(next) => write!(f, "; {next}"),
            None => Ok(()),
        }
    }
}
