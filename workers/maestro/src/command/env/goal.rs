//! What `up` waits for, and what each result means for that.

use clap::ValueEnum;
use maestro_protocol::Message;
use maestro_protocol::environment::{DeletionCause, Phase, TestOutcome};

use super::words;
use crate::exit::Exit;
use crate::fault::{Fault, Outcome};

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Goal {
    /// All its parts are ready
    Ready,
    /// Its tests have ended
    Tested,
    /// Nothing is left of it
    Deleted,
}

impl Goal {
    fn participle(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Tested => "tested",
            Self::Deleted => "deleted",
        }
    }
}

/// How far an environment is on its way to the goal.
#[derive(Debug)]
pub(super) struct Way {
    id: String,
    goal: Goal,
    /// The phase it is in, or what that is called before there is one.
    pub(super) doing: String,
    /// Why it failed.
    failed: Option<String>,
    tests: Option<TestOutcome>,
}

impl Way {
    pub(super) fn new(id: &str, goal: Goal) -> Self {
        Self {
            id: id.to_owned(),
            goal,
            doing: "waiting for a worker".to_owned(),
            failed: None,
            tests: None,
        }
    }

    /// Takes a result in; the outcome if the way is at its end.
    pub(super) fn step(&mut self, message: &Message) -> Option<Outcome> {
        match message {
            Message::EnvironmentStatus(status) => {
                self.doing = words::wire(&status.phase);
                match status.phase {
                    Phase::Accepted | Phase::Provisioning | Phase::Deleting => None,
                    Phase::Ready | Phase::Testing | Phase::Tested => self.at(Goal::Ready),
                    Phase::Failed => {
                        let parts = [&status.reason, &status.detail];
                        let why: Vec<_> = parts.into_iter().flatten().cloned().collect();
                        self.failed = Some(why.join(": "));
                        (self.goal != Goal::Deleted).then(|| self.verdict())
                    }
                    Phase::Deleted => Some(self.deleted(None)),
                }
            }
            Message::EnvironmentTested(tested) => {
                "tested".clone_into(&mut self.doing);
                self.tests = Some(tested.outcome);
                self.at(Goal::Tested)
            }
            Message::EnvironmentDeleted(deleted) if deleted.dry_run != Some(true) => {
                Some(self.deleted(Some(deleted.cause)))
            }
            _ => None,
        }
    }

    fn deleted(&mut self, cause: Option<DeletionCause>) -> Outcome {
        if self.goal != Goal::Deleted && self.failed.is_none() {
            let why = cause.map_or_else(String::new, |cause| format!(" ({})", words::wire(&cause)));
            self.failed = Some(format!(
                "it was taken away before it was {}{why}",
                self.goal.participle()
            ));
        }
        self.verdict()
    }

    fn at(&self, goal: Goal) -> Option<Outcome> {
        let is_there = match self.goal {
            Goal::Ready => true,
            Goal::Tested => goal == Goal::Tested,
            Goal::Deleted => false,
        };
        // Tests that end while only readiness was waited for have no say.
        is_there.then(|| match self.goal {
            Goal::Ready => Ok(Exit::Success),
            _ => self.verdict(),
        })
    }

    fn verdict(&self) -> Outcome {
        let id = &self.id;
        let show = format!("`maestro env show {id}` tells everything");
        if let Some(why) = &self.failed {
            let why = if why.is_empty() {
                ""
            } else {
                &format!(": {why}")
            };
            let fault = Fault::new(
                Exit::EnvironmentFailed,
                format!("the environment `{id}` failed{why}"),
            );
            return Err(fault.next(show));
        }
        match self.tests {
            Some(TestOutcome::Passed) | None => Ok(Exit::Success),
            Some(outcome) => {
                let how = words::outcome(outcome);
                let sentence = format!("the tests of `{id}` {how}");
                let logs = format!("`maestro env logs {id}` prints their log");
                Err(Fault::new(Exit::TestsFailed, sentence).next(logs))
            }
        }
    }

    /// The fault for a time that was too short.
    pub(super) fn timed_out(&self, limit: &str) -> Fault {
        let id = &self.id;
        let sentence = format!(
            "`{id}` was not {} within {limit}; it is {}",
            self.goal.participle(),
            self.doing
        );
        Fault::new(Exit::TimedOut, sentence).next(format!(
            "it goes on: `maestro env show {id}` tells how it is, `maestro env down {id}` takes it away"
        ))
    }
}
