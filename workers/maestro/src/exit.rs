//! The exit codes, few and documented: what a script may rely on.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what was asked.
    Success,
    /// It worked, and the answer is no: nothing found, timed out, does not apply.
    No,
    /// A flag, a variable or the configuration file is wrong.
    Usage,
    /// An environment cannot be brought up.
    EnvironmentFailed,
    /// The tests of an environment failed.
    TestsFailed,
    /// What was asked for is being worked on, but was not done in time.
    TimedOut,
    /// No worker answered.
    Unanswered,
    /// The data given is wrong: a message, a report, a patch.
    Data,
    /// Redis, or another service that is needed, cannot be reached.
    Unavailable,
    /// A file could not be read or written.
    Io,
    /// The command needs a Kubernetes cluster, and there is none.
    NeedsCluster,
    /// A signal ended the wait; what was asked for goes on.
    Interrupted,
}

impl Exit {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::No => 1,
            Self::Usage => 2,
            Self::EnvironmentFailed => 3,
            Self::TestsFailed => 4,
            Self::TimedOut => 5,
            Self::Unanswered => 6,
            Self::Data => 65,
            Self::Unavailable => 69,
            Self::Io => 74,
            Self::NeedsCluster => 78,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The table at the end of every `--help`.
pub(crate) const TABLE: &str = "\
Exit codes:
   0  done
   1  the answer is no: not found, timed out, does not apply
   2  a flag, a variable or the configuration file is wrong
   3  the environment could not be brought up
   4  the tests of the environment failed
   5  the environment was not there, or not gone, in time
   6  no worker answered
  65  the data is wrong: a message, a report, a patch
  69  Redis or another service cannot be reached
  74  a file cannot be read or written
  78  needs a Kubernetes cluster
 130  interrupted";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_stands_in_the_table_that_help_prints() {
        for exit in [
            Exit::Success,
            Exit::No,
            Exit::Usage,
            Exit::Data,
            Exit::Unavailable,
            Exit::Io,
            Exit::NeedsCluster,
            Exit::EnvironmentFailed,
            Exit::TestsFailed,
            Exit::TimedOut,
            Exit::Unanswered,
            Exit::Interrupted,
        ] {
            let start = format!("{:>4}  ", exit.code());
            assert!(
                TABLE.lines().any(|line| line.starts_with(&start)),
                "{exit:?}"
            );
        }
    }
}
