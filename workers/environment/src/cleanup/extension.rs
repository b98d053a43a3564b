//! An environment's time is extended, once for each message that asks for it.

use jiff::{SignedDuration, Timestamp};
use maestro_protocol::environment::{EnvironmentExtended, ExtensionRequested};
use maestro_worker::{Context, Outcome, Reply};
use serde_json::json;

use super::Cleanup;
use crate::cluster::Refusal;
use crate::identity::digits;
use crate::names::annotation;
use crate::record::Record;
use crate::telling::{later, rfc3339, version};

/// How often a namespace is read again because it changed between reading and writing.
const ATTEMPTS: usize = 16;
/// How many extensions are remembered on the namespace.
const REMEMBERED: usize = 32;

impl Cleanup {
    /// `asked` is the source and the id of the message that asks.
    pub(super) async fn extend(
        &self,
        request: &ExtensionRequested,
        asked: (&str, &str),
        context: &Context,
    ) -> Result<Outcome, Outcome> {
        let name = self.namespace_of(&request.environment);
        let answer = |granted, expires_at: Option<Timestamp>, detail: Option<String>| {
            let told = EnvironmentExtended {
                environment: request.environment.clone(),
                namespace: name.clone(),
                granted,
                expires_at: expires_at.map(rfc3339),
                detail,
                worker_version: Some(version()),
            };
            Ok(Outcome::Done(vec![Reply::new(told)]))
        };
        // What this message has done, a second delivery of it finds.
        let mark = digits(&["extension", asked.0, asked.1]);
        for _ in 0..ATTEMPTS {
            let found = self.cluster.namespace(&name).await?;
            let record = found
                .as_ref()
                .and_then(|found| Record::of(found, &self.settings.owner));
            let (Some(found), Some(record)) = (found, record) else {
                let detail = "there is no such environment, or no longer".to_owned();
                return answer(false, None, Some(detail));
            };
            if record.extensions.contains(&mark) {
                return answer(true, record.expires_at, None);
            }
            if record.is_leaving {
                let detail = "it is being taken away".to_owned();
                return answer(false, record.expires_at, Some(detail));
            }
            let now = context.now();
            let from = record.expires_at.unwrap_or(now).max(now);
            let wanted = later(from, SignedDuration::from_secs(request.by_s.into()));
            let most = later(record.created_at, self.settings.max_ttl);
            let until = wanted.min(most);
            if until <= from {
                let detail = format!(
                    "an environment lives {} s at the most",
                    self.settings.max_ttl.as_secs()
                );
                return answer(false, record.expires_at, Some(detail));
            }
            let mut extensions = record.extensions.clone();
            extensions.push(mark.clone());
            let forgotten = extensions.len().saturating_sub(REMEMBERED);
            let annotations = json!({
                annotation::EXPIRES_AT: rfc3339(until),
                annotation::EXTENDED_BY: extensions[forgotten..].join(" "),
            });
            match self.cluster.annotate(&found, annotations).await {
                Ok(_) => {
                    let detail = (until < wanted).then(|| {
                        format!(
                            "by less than was asked for: an environment lives {} s at the most",
                            self.settings.max_ttl.as_secs()
                        )
                    });
                    return answer(true, Some(until), detail);
                }
                Err(error)
                    if matches!(
                        error.refusal(),
                        Some(Refusal::Conflict | Refusal::NotFound | Refusal::Terminating)
                    ) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Outcome::Retry {
            reason: format!("the namespace {name} changes faster than it can be written"),
        })
    }
}
