//! An environment that cannot come up: told with its cause, and taken away.

use maestro_protocol::environment::{
    CleanupRequested, DeletionCause, EnvironmentStatus, Failure, Phase,
};
use maestro_worker::{Outcome, Reply};

use super::claiming::Claimed;
use super::{Stop, Work};
use crate::cluster::ContainerOf;
use crate::plan::Unfit;
use crate::verdict::{Fault, Reason};

/// How many lines of a log are told.
const LINES: u16 = 20;

impl Work<'_> {
    /// The request asks for what cannot be: a dead letter that says so, and a status.
    pub(super) fn refused(&self, unfit: &Unfit) -> Outcome {
        let fault = Fault::new(Reason::Invalid, unfit.to_string());
        Outcome::Refuse {
            detail: unfit.to_string(),
            also: vec![self.reply(self.failure(&fault, None))],
        }
    }

    /// Nothing of ours is there: there is nothing to take away.
    pub(super) fn stopped_before(&self, stop: Stop) -> Result<Outcome, Outcome> {
        match stop {
            Stop::Fault(fault) => Ok(Outcome::Refuse {
                detail: fault.detail.clone(),
                also: vec![self.reply(self.failure(&fault, None))],
            }),
            Stop::Outcome(outcome) => Err(outcome),
        }
    }

    pub(super) async fn failed(&self, claimed: &Claimed, fault: Fault) -> Outcome {
        let log = self.log_of(&fault).await;
        let mut status = self.failure(&fault, log);
        let stays = self.request.keep_on_failure == Some(true);
        if stays {
            status.expires_at = self.living(claimed, Phase::Failed).expires_at;
        }
        let mut replies = vec![self.reply(status)];
        if !stays && fault.reason != Reason::Deleted {
            replies.push(self.end(claimed, DeletionCause::Failed));
        }
        Outcome::Done(replies)
    }

    /// Asks for the end of this very environment.
    pub(super) fn end(&self, claimed: &Claimed, cause: DeletionCause) -> Reply {
        Reply::new(CleanupRequested {
            environment: Some(self.identity.id.clone()),
            cause: Some(cause),
            namespace_uid: Some(claimed.uid.clone()),
            ..CleanupRequested::default()
        })
        .subject(self.identity.id.clone())
    }

    pub(super) async fn log_of(&self, fault: &Fault) -> Option<String> {
        let (pod, previous) = fault.log.as_ref()?;
        let container_of = ContainerOf {
            namespace: self.namespace,
            pod,
            container: fault.container.as_deref()?,
        };
        let text = self
            .worker
            .cluster
            .last_lines(container_of, LINES, *previous)
            .await?;
        Some(crate::testing::plain(&text))
    }

    fn failure(&self, fault: &Fault, log: Option<String>) -> EnvironmentStatus {
        let failure = Failure {
            object: fault.object.clone(),
            container: fault.container.clone(),
            exit_code: fault.exit_code,
            message: fault.message.clone(),
            log,
        };
        let says_nothing = failure.object.is_none() && failure.message.is_none();
        EnvironmentStatus {
            reason: Some(fault.reason.word().to_owned()),
            detail: Some(fault.detail.clone()),
            failure: (!says_nothing).then_some(failure),
            ..self.status(Phase::Failed)
        }
    }
}
