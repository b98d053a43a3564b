//! One environment is ended: deleted under preconditions, and watched until nothing is left.

use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::Namespace;
use maestro_protocol::environment::{DeletionCause, EnvironmentDeleted, EnvironmentStatus, Phase};
use maestro_worker::{Context, Outcome, Reply};

use super::Cleanup;
use super::held::what_holds;
use crate::cluster::{Deletion, Meant};
use crate::record::Record;
use crate::telling::{status, version};

/// How often a namespace is read again because it changed between reading and deleting.
const ATTEMPTS: usize = 16;

/// Which environment is to be ended, and why.
pub(super) struct Ending<'a> {
    pub(super) environment: &'a str,
    pub(super) cause: DeletionCause,
    /// The namespace that is meant, where that is known.
    pub(super) uid: Option<&'a str>,
    pub(super) is_dry: bool,
}

impl Cleanup {
    pub(super) async fn end(
        &self,
        ending: &Ending<'_>,
        context: &Context,
    ) -> Result<Outcome, Outcome> {
        let name = self.namespace_of(ending.environment);
        for _ in 0..ATTEMPTS {
            let Some(found) = self.cluster.namespace(&name).await? else {
                return self.is_gone(ending, &name, context).await;
            };
            let Some(record) = Record::of(&found, &self.settings.owner) else {
                return Ok(Outcome::refuse(format!(
                    "the namespace {name} is not one of ours: it does not bear the owner label of `{}`",
                    self.settings.owner
                )));
            };
            if ending.uid.is_some_and(|uid| uid != record.uid) {
                // The one that was meant is gone, and its name is in use again.
                return self.is_gone(ending, &name, context).await;
            }
            let now = context.now();
            if ending.cause == DeletionCause::Expired && !record.is_over(now) && !record.is_leaving
            {
                // Its time was extended after somebody found it to be over.
                return Ok(Outcome::Done(Vec::new()));
            }
            if ending.is_dry {
                let told = deleted(ending, &name, record.lived_s(now));
                return Ok(Outcome::Done(vec![Reply::new(told)]));
            }
            if !record.is_leaving {
                self.say_deleting(ending, &record, context).await?;
                let meant = match ending.cause {
                    DeletionCause::Expired => Meant::Version(&record.uid, &record.version),
                    _ => Meant::Uid(&record.uid),
                };
                match self.cluster.delete_namespace(&name, meant).await? {
                    Deletion::Begun => {}
                    Deletion::Gone => return self.say_gone(ending, &record, context).await,
                    Deletion::Changed => continue,
                }
            }
            return self.wait(ending, &record, context).await;
        }
        Ok(Outcome::Retry {
            reason: format!("the namespace {name} changes faster than it can be deleted"),
        })
    }

    /// Waits until nothing is left.
    async fn wait(
        &self,
        ending: &Ending<'_>,
        record: &Record,
        context: &Context,
    ) -> Result<Outcome, Outcome> {
        let mut states = Box::pin(self.cluster.watch_namespace(&record.namespace));
        let patience = tokio::time::sleep(self.settings.terminating_patience);
        tokio::pin!(patience);
        let mut last: Option<Namespace> = None;
        loop {
            tokio::select! {
                next = states.next() => match next {
                    Some(Ok(Some(state))) if is(&state, record) => last = Some(state),
                    // Gone, or gone and its name in use again.
                    Some(Ok(_)) => return self.say_gone(ending, record, context).await,
                    Some(Err(error)) => return Err(error.into()),
                    None => return Err(Outcome::Retry { reason: "the watch ended".to_owned() }),
                },
                () = &mut patience => break,
            }
        }
        let holds = last.as_ref().map(what_holds).unwrap_or_default();
        let seconds = self.settings.terminating_patience.as_secs();
        let detail = format!(
            "the namespace {} is still going away after {seconds} s: {holds}",
            record.namespace
        );
        tracing::warn!(
            namespace = record.namespace,
            holds,
            "a namespace does not go away"
        );
        let stuck = EnvironmentStatus {
            reason: Some("Stuck".to_owned()),
            detail: Some(detail.clone()),
            ..status(ending.environment, &record.namespace, Phase::Deleting)
        };
        let key = format!("stuck {}", record.uid);
        context.say_once(&key, Reply::new(stuck)).await?;
        Ok(Outcome::Retry { reason: detail })
    }

    async fn say_deleting(
        &self,
        ending: &Ending<'_>,
        record: &Record,
        context: &Context,
    ) -> Result<(), Outcome> {
        let told = EnvironmentStatus {
            reason: Some(word(ending.cause).to_owned()),
            ..status(ending.environment, &record.namespace, Phase::Deleting)
        };
        let key = format!("deleting {}", record.uid);
        Ok(context.say_once(&key, Reply::new(told)).await?)
    }

    /// Said once for a namespace of this name and uid, however many messages come upon it.
    async fn say_deleted(
        &self,
        ending: &Ending<'_>,
        (namespace, uid): (&str, &str),
        lived_s: Option<u64>,
        context: &Context,
    ) -> Result<Outcome, Outcome> {
        let told = EnvironmentStatus {
            reason: Some(word(ending.cause).to_owned()),
            ..status(ending.environment, namespace, Phase::Deleted)
        };
        let gone = deleted(ending, namespace, lived_s);
        let key = format!("gone {uid}");
        context.say_once(&key, Reply::new(told)).await?;
        let key = format!("deleted {uid}");
        context.say_once(&key, Reply::new(gone)).await?;
        Ok(Outcome::Done(Vec::new()))
    }

    async fn say_gone(
        &self,
        ending: &Ending<'_>,
        record: &Record,
        context: &Context,
    ) -> Result<Outcome, Outcome> {
        let which = (record.namespace.as_str(), record.uid.as_str());
        let lived_s = record.lived_s(context.now());
        self.say_deleted(ending, which, lived_s, context).await
    }

    /// There is no such namespace, or no longer.
    async fn is_gone(
        &self,
        ending: &Ending<'_>,
        name: &str,
        context: &Context,
    ) -> Result<Outcome, Outcome> {
        let Some(uid) = ending.uid else {
            let told = EnvironmentDeleted {
                detail: Some("there is no such environment, or no longer".to_owned()),
                ..deleted(ending, name, None)
            };
            return Ok(Outcome::Done(vec![Reply::new(told)]));
        };
        // An earlier delivery may have been lost between the deletion and its telling.
        self.say_deleted(ending, (name, uid), None, context).await
    }
}

fn is(state: &Namespace, record: &Record) -> bool {
    state.metadata.uid.as_deref() == Some(record.uid.as_str())
}

fn deleted(ending: &Ending<'_>, namespace: &str, lived_s: Option<u64>) -> EnvironmentDeleted {
    EnvironmentDeleted {
        environment: ending.environment.to_owned(),
        namespace: namespace.to_owned(),
        cause: ending.cause,
        detail: None,
        lived_s,
        dry_run: ending.is_dry.then_some(true),
        worker_version: Some(version()),
    }
}

/// The cause as a reason in a status.
fn word(cause: DeletionCause) -> &'static str {
    match cause {
        DeletionCause::Requested => "Requested",
        DeletionCause::Expired => "Expired",
        DeletionCause::Finished => "Finished",
        DeletionCause::Failed => "Failed",
        DeletionCause::Orphaned => "Orphaned",
    }
}
