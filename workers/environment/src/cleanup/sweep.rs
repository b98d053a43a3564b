//! A sweep: which environments are to go, page by page, and one message for each.

use jiff::Timestamp;
use maestro_protocol::environment::{CleanupRequested, DeletionCause, EnvironmentDeleted};
use maestro_worker::{Context, Outcome, Reply};

use super::Cleanup;
use crate::cluster::{Meant, Refusal};
use crate::record::Record;
use crate::telling::{rfc3339, version};

/// Which environments are looked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which<'a> {
    /// Those whose time is over, and those that nobody knows any more.
    Expired,
    /// Those that a label selector of the request matches.
    Selected(&'a str),
}

impl Cleanup {
    pub(super) async fn sweep(
        &self,
        which: Which<'_>,
        is_dry: bool,
        context: &Context,
    ) -> Result<Outcome, Outcome> {
        let own = self.settings.owner.selector();
        let selector = match which {
            Which::Expired => own,
            Which::Selected(selector) => format!("{own},{selector}"),
        };
        let mut from = None;
        let (mut seen, mut found) = (0_usize, 0_usize);
        loop {
            let page = self.cluster.namespaces_page(&selector, from).await;
            let page = match page {
                Ok(page) => page,
                Err(error) if error.refusal() == Some(Refusal::Invalid) => {
                    return Ok(Outcome::refuse(format!(
                        "`selector`: expected a label selector of Kubernetes such as `team=shop`: {error}"
                    )));
                }
                Err(error) => return Err(error.into()),
            };
            for namespace in &page.items {
                seen += 1;
                let Some(record) = Record::of(namespace, &self.settings.owner) else {
                    continue;
                };
                if self.sweep_one(which, &record, is_dry, context).await? {
                    found += 1;
                }
            }
            from = page.metadata.continue_.filter(|token| !token.is_empty());
            if from.is_none() {
                break;
            }
        }
        tracing::debug!(seen, found, is_dry, "swept");
        Ok(Outcome::Done(Vec::new()))
    }

    /// Whether this one is to go; then that has been asked for.
    async fn sweep_one(
        &self,
        which: Which<'_>,
        record: &Record,
        is_dry: bool,
        context: &Context,
    ) -> Result<bool, Outcome> {
        // What is going away already has a message of its own.
        if record.is_leaving {
            return Ok(false);
        }
        let now = context.now();
        let cause = match which {
            Which::Selected(_) => DeletionCause::Requested,
            Which::Expired if self.is_orphan(record, now) => DeletionCause::Orphaned,
            Which::Expired if record.is_over(now) => DeletionCause::Expired,
            Which::Expired => return Ok(false),
        };
        let Some(environment) = record.id.clone() else {
            self.end_nameless(record, is_dry, context).await?;
            return Ok(true);
        };
        if is_dry {
            let told = EnvironmentDeleted {
                environment,
                namespace: record.namespace.clone(),
                cause,
                detail: None,
                lived_s: record.lived_s(now),
                dry_run: Some(true),
                worker_version: Some(version()),
            };
            let key = format!("would-{}", record.uid);
            context.say(&key, Reply::new(told)).await?;
            return Ok(true);
        }
        let request = CleanupRequested {
            environment: Some(environment.clone()),
            cause: Some(cause),
            namespace_uid: Some(record.uid.clone()),
            ..CleanupRequested::default()
        };
        // The same finding of a later sweep says nothing new; a later expiry does.
        let until = record.expires_at.map(rfc3339).unwrap_or_default();
        let key = format!("end {} {cause:?} {until}", record.uid);
        let reply = Reply::new(request).subject(environment);
        match which {
            Which::Expired => context.say_once(&key, reply).await?,
            // Whoever asks by a selector asks again, and is obeyed again.
            Which::Selected(_) => context.say(&format!("end-{}", record.uid), reply).await?,
        }
        Ok(true)
    }

    /// Bears our mark, but not until when it lives or what it is: somebody changed it by hand.
    fn is_orphan(&self, record: &Record, now: Timestamp) -> bool {
        let is_unreadable = record.id.is_none() || record.expires_at.is_none();
        is_unreadable && now.duration_since(record.created_at) >= self.settings.orphan_age
    }

    /// There is no environment's id by which to ask for its end, so it is ended here.
    async fn end_nameless(
        &self,
        record: &Record,
        is_dry: bool,
        context: &Context,
    ) -> Result<(), Outcome> {
        let told = EnvironmentDeleted {
            environment: record.namespace.clone(),
            namespace: record.namespace.clone(),
            cause: DeletionCause::Orphaned,
            detail: Some("it bore the owner's mark but no environment's id".to_owned()),
            lived_s: record.lived_s(context.now()),
            dry_run: is_dry.then_some(true),
            worker_version: Some(version()),
        };
        if is_dry {
            let key = format!("would-{}", record.uid);
            return Ok(context.say(&key, Reply::new(told)).await?);
        }
        let meant = Meant::Version(&record.uid, &record.version);
        self.cluster
            .delete_namespace(&record.namespace, meant)
            .await?;
        let key = format!("deleted {}", record.uid);
        Ok(context.say_once(&key, Reply::new(told)).await?)
    }
}
