//! What is told of an environment on its way.

use maestro_protocol::environment::{EnvironmentStatus, Phase};
use maestro_worker::{Outcome, Reply};

use super::Work;
use super::claiming::Claimed;
use crate::plan::Plan;
use crate::telling::{rfc3339, status};

impl Work<'_> {
    /// Says a phase, once for this request.
    pub(super) async fn say(&self, key: &str, status: EnvironmentStatus) -> Result<(), Outcome> {
        Ok(self.context.say(key, self.reply(status)).await?)
    }

    pub(super) fn reply(&self, status: EnvironmentStatus) -> Reply {
        Reply::new(status).subject(self.identity.id.clone())
    }

    pub(super) fn status(&self, phase: Phase) -> EnvironmentStatus {
        status(&self.identity.id, self.namespace, phase)
    }

    /// The status of one that has a namespace.
    pub(super) fn living(&self, claimed: &Claimed, phase: Phase) -> EnvironmentStatus {
        EnvironmentStatus {
            expires_at: claimed.expires_at.map(rfc3339),
            ..self.status(phase)
        }
    }

    pub(super) fn ready(&self, plan: &Plan, claimed: &Claimed) -> EnvironmentStatus {
        let endpoints = Some(plan.endpoints.clone()).filter(|all| !all.is_empty());
        EnvironmentStatus {
            endpoints,
            secret: plan.secret.clone(),
            ..self.living(claimed, Phase::Ready)
        }
    }
}
