//! The namespace is claimed: made by a POST that carries whose it is and until when it lives, or found to be ours.

use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::Timestamp;
use maestro_worker::Outcome;

use super::{Stop, Work};
use crate::cluster::Claim;
use crate::identity::spec_hash;
use crate::plan::Plan;
use crate::record::Record;
use crate::verdict::{Fault, Reason};

/// How long an earlier environment of the same name may take to go, before the message is put back.
const LEAVING: Duration = Duration::from_mins(1);

/// The namespace of an environment, and that it is this request's.
#[derive(Debug, Clone)]
pub(super) struct Claimed {
    pub(super) uid: String,
    /// When its time is over.
    pub(super) expires_at: Option<Timestamp>,
}

impl Work<'_> {
    pub(super) async fn claim(&self, plan: &Plan) -> Result<Claimed, Stop> {
        let cluster = &self.worker.cluster;
        loop {
            let (claim, is_found) = match cluster.claim(&plan.namespace.manifest).await? {
                Claim::Made(made) => (made, false),
                Claim::Found(found) => (found, true),
            };
            let owner = &self.worker.settings.stack.owner;
            let name = self.namespace;
            let Some(record) = Record::of(&claim, owner) else {
                let detail = format!(
                    "the namespace {name} belongs to somebody else: it does not bear the owner label of `{owner}`"
                );
                return Err(Fault::new(Reason::NameTaken, detail).into());
            };
            if record.is_leaving {
                self.until_gone(&record).await?;
                continue;
            }
            if is_found {
                self.check_that_it_is_ours(&record)?;
            }
            return Ok(Claimed {
                uid: record.uid,
                expires_at: record.expires_at,
            });
        }
    }

    fn check_that_it_is_ours(&self, record: &Record) -> Result<(), Stop> {
        let is_same = record.id.as_deref() == Some(self.identity.id.as_str())
            && record.source == self.identity.source;
        if is_same && record.spec_hash == spec_hash(self.request).ok() {
            return Ok(());
        }
        let detail = format!(
            "there is an environment `{}` already, which {}; the id of a request names one environment",
            self.identity.id,
            if is_same {
                "asked for something else"
            } else {
                "another producer asked for"
            },
        );
        Err(Fault::new(Reason::NameTaken, detail).into())
    }

    /// An earlier environment of the same id is going away.
    async fn until_gone(&self, record: &Record) -> Result<(), Stop> {
        let cluster = &self.worker.cluster;
        let mut states = Box::pin(cluster.watch_namespace(&record.namespace));
        let waiting = async {
            while let Some(state) = states.next().await {
                let there = state?.and_then(|state| state.metadata.uid);
                if there.as_deref() != Some(record.uid.as_str()) {
                    return Ok(());
                }
            }
            Ok(())
        };
        match tokio::time::timeout(LEAVING, waiting).await {
            Ok(ended) => ended,
            Err(_) => Err(Stop::Outcome(Outcome::Retry {
                reason: format!(
                    "an earlier environment of this id is still going away: namespace {}",
                    record.namespace
                ),
            })),
        }
    }
}
