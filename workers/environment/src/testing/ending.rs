//! How a test container ended.

use maestro_protocol::environment::{TestJob, TestOutcome};

/// How the container of a test Job ended, in the words of Kubernetes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ending {
    /// `state.terminated.exitCode` of the container, where it has one.
    pub exit_code: Option<i32>,
    /// Why: the reason of the Job's condition or the pod's status where there is one (`DeadlineExceeded`, `Evicted`), else that of
    /// the container's state (`Completed`, `Error`, `OOMKilled`, `StartError`, `ErrImagePull`).
    pub reason: Option<String>,
    /// What Kubernetes says with it.
    pub message: Option<String>,
}

/// What an [`Ending`] means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning<'a> {
    /// The command ended by itself, with this code.
    Exited(i32),
    /// It ran longer than it may.
    TimedOut,
    OutOfMemory,
    /// This signal ended it.
    Killed(i32),
    NotFound,
    NotRunnable,
    /// `maestro-entry` could not do its own part.
    EntryFailed,
    /// Kubernetes could not run it, or ended it.
    Broken(Option<&'a str>),
}

/// The seconds that a test may run where the request does not say.
pub(crate) const DEFAULT_TIMEOUT_S: u32 = 600;

impl Ending {
    pub(super) fn meaning(&self) -> Meaning<'_> {
        match (self.reason.as_deref(), self.exit_code) {
            (Some("DeadlineExceeded"), _) => Meaning::TimedOut,
            (_, Some(0)) => Meaning::Exited(0),
            (Some("OOMKilled"), _) => Meaning::OutOfMemory,
            (None | Some("Error" | "Completed"), Some(code)) => match code {
                125 => Meaning::EntryFailed,
                126 => Meaning::NotRunnable,
                127 => Meaning::NotFound,
                // As shells write them; Linux has 64 signals.
                129..=192 => Meaning::Killed(code - 128),
                _ => Meaning::Exited(code),
            },
            (reason, _) => Meaning::Broken(reason),
        }
    }
}

impl Meaning<'_> {
    pub(super) const fn outcome(&self) -> TestOutcome {
        match self {
            Self::Exited(0) => TestOutcome::Passed,
            Self::Exited(_) => TestOutcome::Failed,
            Self::TimedOut => TestOutcome::TimedOut,
            _ => TestOutcome::Broken,
        }
    }

    /// What kept the tests from ending by themselves, as the beginning of a sentence; nothing if nothing did.
    pub(super) fn told(&self, test: &TestJob, message: Option<&str>) -> Option<String> {
        let program = test.command.first().map_or("", String::as_str);
        let image = &test.image;
        Some(match self {
            Self::Exited(_) => return None,
            Self::TimedOut => format!(
                "the tests ran longer than the {} s that they may",
                test.timeout_s.unwrap_or(DEFAULT_TIMEOUT_S)
            ),
            Self::OutOfMemory => {
                "the tests were killed because they used more memory than they may".to_owned()
            }
            Self::Killed(signal) => match name(*signal) {
                Some(name) => format!("the tests were ended by signal {signal} ({name})"),
                None => format!("the tests were ended by signal {signal}"),
            },
            Self::NotFound => format!(
                "`{program}`, or what it runs, was not found in the image `{image}` (exit code 127)"
            ),
            Self::NotRunnable => format!(
                "`{program}`, or what it runs, cannot be run in the image `{image}` (exit code 126)"
            ),
            Self::EntryFailed => {
                "`maestro-entry` could not run the tests, see the log (exit code 125)".to_owned()
            }
            Self::Broken(reason) => {
                let reason = reason.unwrap_or("Kubernetes does not say why");
                match message.map(str::trim).filter(|message| !message.is_empty()) {
                    Some(message) => {
                        format!("the tests could not be run to their end: {reason}: {message}")
                    }
                    None => format!("the tests could not be run to their end: {reason}"),
                }
            }
        })
    }
}

/// The signals that end a test in practice: signal(7).
const fn name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_code_means_what_shells_mean_by_it_unless_kubernetes_knows_better() {
        use TestOutcome::{Broken, Failed, Passed, TimedOut};
        let outcome = |exit_code, reason: Option<&str>| {
            let ending = Ending {
                exit_code,
                reason: reason.map(str::to_owned),
                message: None,
            };
            ending.meaning().outcome()
        };
        for (exit_code, reason, expected) in [
            (Some(0), Some("Completed"), Passed),
            (Some(0), None, Passed),
            (Some(1), Some("Error"), Failed),
            (Some(5), None, Failed),
            (Some(255), Some("Error"), Failed),
            (Some(125), Some("Error"), Broken),
            (Some(126), Some("Error"), Broken),
            (Some(127), Some("Error"), Broken),
            (Some(139), Some("Error"), Broken),
            (Some(137), Some("OOMKilled"), Broken),
            (Some(1), Some("OOMKilled"), Broken),
            (Some(143), Some("DeadlineExceeded"), TimedOut),
            (None, Some("DeadlineExceeded"), TimedOut),
            (Some(137), Some("Evicted"), Broken),
            (Some(128), Some("StartError"), Broken),
            (None, Some("ErrImagePull"), Broken),
            (None, None, Broken),
        ] {
            assert_eq!(
                outcome(exit_code, reason),
                expected,
                "{exit_code:?} {reason:?}"
            );
        }
    }
}
