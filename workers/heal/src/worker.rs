//! The worker of `automation:heal`.

use maestro_protocol::Decoded;
use maestro_protocol::heal::HealRequested;
use maestro_worker::{Context, Outcome, Reply, Worker};

use crate::healer::{HealError, Healer};

/// Heals what is requested, and answers each request with one verdict.
#[derive(Debug)]
pub struct HealWorker {
    healer: Healer,
}

impl HealWorker {
    /// The worker around its engine.
    pub fn new(healer: Healer) -> Self {
        Self { healer }
    }
}

impl Worker for HealWorker {
    type Message = HealRequested;

    const NAME: &'static str = "heal";

    async fn handle(&self, message: Decoded<HealRequested>, context: Context) -> Outcome {
        match self
            .healer
            .heal(&message.payload, context.cancelled().clone())
            .await
        {
            Ok(completed) => {
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
