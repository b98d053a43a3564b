//! The worker of `automation:heal`.

use maestro_memory::{Known, Recall, unnamed};
use maestro_protocol::Decoded;
use maestro_protocol::heal::{HealCompleted, HealRequested};
use maestro_worker::{Context, Outcome, Reply, Worker};

use crate::healer::{HealError, Healer};

/// Heals what is requested, and answers each request with one verdict. What became of earlier heals it is told; it keeps nothing itself.
#[derive(Debug)]
pub struct HealWorker<M> {
    healer: Healer,
    memory: M,
}

impl<M: Recall> HealWorker<M> {
    /// The worker around its engine, with this memory.
    pub fn new(healer: Healer, memory: M) -> Self {
        Self { healer, memory }
    }
}

impl<M: Recall> Worker for HealWorker<M> {
    type Message = HealRequested;

    const NAME: &'static str = "heal";

    async fn handle(&self, message: Decoded<HealRequested>, context: Context) -> Outcome {
        let request = &message.payload;
        let fingerprint = request.fingerprint.clone().or_else(|| unnamed(request));
        let known = match &fingerprint {
            Some(fingerprint) => self.memory.recall(fingerprint).await,
            None => Ok(Known::default()),
        };
        let known = match known {
            Ok(known) => known,
            Err(error) => {
                return Outcome::Unavailable {
                    dependency: "redis".to_owned(),
                    detail: error.to_string(),
                };
            }
        };
        let cancelled = context.cancelled().clone();
        match self.healer.heal_knowing(request, known, cancelled).await {
            Ok(completed) => {
                let completed = HealCompleted {
                    fingerprint,
                    ..completed
                };
                let test = completed.test.as_ref().map(|test| test.id.clone());
                let found = completed
                    .finding
                    .as_ref()
                    .map(|finding| finding.title(completed.file.as_deref()));
                let reply = Reply::new(completed);
                Outcome::Done(vec![match test.or(found) {
                    Some(subject) => reply.subject(subject),
                    None => reply,
                }])
            }
            Err(HealError::Refused(detail)) => Outcome::refuse(detail),
            Err(HealError::Unavailable { dependency, detail }) => {
                Outcome::Unavailable { dependency, detail }
            }
            Err(error @ (HealError::Failed(_) | HealError::Cancelled)) => Outcome::Retry {
                reason: error.to_string(),
            },
        }
    }
}
