//! The stack is raised: rights, guards, Secret, workloads; then it is watched until all is up or something never will be.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use maestro_protocol::environment::Phase;
use maestro_worker::{Context, Outcome};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::claiming::Claimed;
use super::{Rights, Stop, Work, no_randomness};
use crate::cluster::{ApiError, Changes};
use crate::credentials::Credentials;
use crate::plan::{AwaitedKind, Object, Plan};
use crate::verdict::{Fault, Observed, Pods, Reason, Verdict, Workload, judge};

/// How long a right that was just given may take to be known to every API server.
const RIGHTS: Duration = Duration::from_secs(10);

/// A watch that lacks a right which was just given is begun again after this.
const WATCH_AGAIN: Duration = Duration::from_millis(200);

/// The templates of what an application needs.
const BACKING: [&str; 4] = ["postgresql", "mysql", "mongodb", "redis"];

/// What is watched, and what has been seen of it.
pub(super) struct Watching {
    pub(super) changes: Changes,
    pub(super) observed: Observed,
    /// When it was last looked whether the namespace is still there.
    looked: Option<Instant>,
    /// When the watch was begun.
    begun: Instant,
}

impl Watching {
    fn has_not_looked_for_a_second(&self) -> bool {
        self.looked
            .is_none_or(|at| at.elapsed() >= Duration::from_secs(1))
    }

    /// Whether the rights are so new that not every API server may know of them.
    fn may_lack_rights(&self, work: &Work<'_>) -> bool {
        work.worker.settings.rights.is_some() && self.begun.elapsed() < RIGHTS
    }
}

impl Work<'_> {
    pub(super) async fn bring_up(&self, plan: Plan, claimed: &Claimed) -> Result<Outcome, Stop> {
        let status = self.living(claimed, Phase::Provisioning);
        self.say("provisioning", status).await?;
        if let Some(rights) = &self.worker.settings.rights {
            self.apply_manifest(&binding(rights)).await?;
        }
        self.apply_all(&plan.guards).await?;
        let plan = self.configured(plan).await?;
        self.apply_all(&plan.workloads).await?;
        let mut watching = Watching {
            changes: self.worker.cluster.changes(self.namespace),
            observed: Observed::default(),
            looked: None,
            begun: Instant::now(),
        };
        self.until_ready(&plan, claimed, &mut watching).await?;
        self.say("ready", self.ready(&plan, claimed)).await?;
        match (&plan.tests, &self.request.test) {
            (Some(job), Some(test)) => self.test(job, test, claimed, watching).await,
            _ => Ok(Outcome::Done(Vec::new())),
        }
    }

    /// What the pods read. The Secret is made once: one that is there was handed out already, and what is made of it must be the
    /// same again.
    async fn configured(&self, plan: Plan) -> Result<Plan, Stop> {
        let is_secret = |object: &&Object| {
            object.kind == "Secret" && plan.secret.as_deref() == Some(object.name.as_str())
        };
        let cluster = &self.worker.cluster;
        let mut resumed = None;
        if let Some(secret) = plan.configuration.iter().find(is_secret) {
            let manifest = &secret.manifest;
            let made = patiently(self, || cluster.secret(self.namespace, manifest)).await?;
            if let Some(found) = made {
                let data = found.data.unwrap_or_default();
                let credentials = Credentials::resumed(&data)
                    .map_err(|error| Stop::Outcome(no_randomness(error)))?;
                let again = self.plan(&credentials);
                resumed =
                    Some(again.map_err(|unfit| Fault::new(Reason::Invalid, unfit.to_string()))?);
            }
        }
        let rest = plan
            .configuration
            .iter()
            .filter(|object| !is_secret(object));
        try_join_all(rest.map(|object| self.apply(object))).await?;
        Ok(resumed.unwrap_or(plan))
    }

    pub(super) async fn apply(&self, object: &Object) -> Result<(), Stop> {
        self.apply_manifest(&object.manifest).await
    }

    async fn apply_manifest(&self, manifest: &Value) -> Result<(), Stop> {
        let cluster = &self.worker.cluster;
        patiently(self, || cluster.apply(self.namespace, manifest)).await
    }

    async fn apply_all(&self, objects: &[Object]) -> Result<(), Stop> {
        try_join_all(objects.iter().map(|object| self.apply(object))).await?;
        Ok(())
    }

    async fn until_ready(
        &self,
        plan: &Plan,
        claimed: &Claimed,
        watching: &mut Watching,
    ) -> Result<(), Stop> {
        let workloads = workloads(plan);
        let deadline = Instant::now() + self.worker.settings.ready_timeout;
        loop {
            let now = self.context.now();
            let verdict = judge(&watching.observed, &workloads, self.worker.patience(), now);
            let (look_again, lacking) = match verdict {
                Verdict::Ready => return Ok(()),
                Verdict::Failed(fault) => return Err(Stop::Fault(fault)),
                Verdict::Waiting {
                    look_again,
                    lacking,
                } => (look_again, lacking),
            };
            if Instant::now() >= deadline {
                let seconds = self.worker.settings.ready_timeout.as_secs();
                let detail = format!("not all was ready within {seconds} s: {lacking}");
                return Err(Fault::new(Reason::Deadline, detail).into());
            }
            let again = look_again.map_or(deadline, |at| deadline.min(instant(self.context, at)));
            self.next(claimed, watching, again).await?;
        }
    }

    /// Takes in the next change, or nothing at `again`.
    pub(super) async fn next(
        &self,
        claimed: &Claimed,
        watching: &mut Watching,
        again: Instant,
    ) -> Result<(), Stop> {
        tokio::select! {
            change = watching.changes.next() => match change {
                // Another API server may not know of the right yet. The watch is begun again when it is asked the next time.
                Some(Err(ApiError::Denied { .. })) if watching.may_lack_rights(self) => {
                    tokio::time::sleep(WATCH_AGAIN).await;
                }
                Some(change) => watching.observed.take(change?),
                None => return Err(Stop::Outcome(Outcome::Retry {
                    reason: "the watch ended".to_owned(),
                })),
            },
            () = tokio::time::sleep_until(again) => {}
        }
        if watching.observed.seems_to_leave() && watching.has_not_looked_for_a_second() {
            watching.looked = Some(Instant::now());
            self.check_that_it_stays(claimed).await?;
        }
        Ok(())
    }

    /// Whether the namespace is still there and stays.
    pub(super) async fn check_that_it_stays(&self, claimed: &Claimed) -> Result<(), Stop> {
        let found = self.worker.cluster.namespace(self.namespace).await?;
        let stays = found.is_some_and(|found| {
            found.metadata.deletion_timestamp.is_none()
                && found.metadata.uid.as_deref() == Some(claimed.uid.as_str())
        });
        if stays {
            return Ok(());
        }
        let detail = "it was taken away before it was done";
        Err(Fault::new(Reason::Deleted, detail).into())
    }
}

/// What has to be up, and how its pods are told.
fn workloads(plan: &Plan) -> Vec<Workload> {
    let object = |kind: &str, name: &str| {
        let mut all = plan.workloads.iter();
        all.find(|object| object.kind == kind && object.name == name)
    };
    let workload = |awaited: &crate::plan::Awaited| {
        let (kind, pods) = match awaited.kind {
            AwaitedKind::Deployment => ("Deployment", None),
            AwaitedKind::StatefulSet => ("StatefulSet", None),
            AwaitedKind::Job => ("Job", Some(Pods::OfJob(awaited.name.clone()))),
            AwaitedKind::Pod => ("Pod", Some(Pods::Named(awaited.name.clone()))),
        };
        let object = object(kind, &awaited.name)?;
        let labels = object.manifest.pointer("/spec/selector/matchLabels");
        let labelled = || {
            let labels = labels?.as_object()?.iter();
            let labels = labels.map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
            labels.collect::<Option<_>>().map(Pods::Labelled)
        };
        Some(Workload {
            name: awaited.name.clone(),
            pods: pods.or_else(labelled)?,
            wanted: awaited.pods,
            is_backing: BACKING.contains(&object.template.as_str()),
        })
    };
    plan.awaited.iter().filter_map(workload).collect()
}

/// The instant of a time by this worker's clock.
pub(super) fn instant(context: &Context, at: Timestamp) -> Instant {
    let wait = at.duration_since(context.now()).max(SignedDuration::ZERO);
    // A little later rather than a little earlier.
    Instant::now() + wait.unsigned_abs() + Duration::from_millis(1)
}

/// Tries again for a while what the worker has the right to do only since a moment ago.
async fn patiently<T, F>(work: &Work<'_>, request: impl Fn() -> F) -> Result<T, Stop>
where
    F: Future<Output = Result<T, ApiError>>,
{
    let until = Instant::now() + RIGHTS;
    let mut wait = Duration::from_millis(20);
    loop {
        match request().await {
            Err(ApiError::Denied { .. })
                if work.worker.settings.rights.is_some() && Instant::now() < until =>
            {
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(Duration::from_secs(1));
            }
            Err(error) => return Err(error.into()),
            Ok(answer) => return Ok(answer),
        }
    }
}

/// The worker's rights in a namespace of its own.
fn binding(rights: &Rights) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": { "name": rights.cluster_role },
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": rights.cluster_role,
        },
        "subjects": [{
            "kind": "ServiceAccount",
            "name": rights.service_account,
            "namespace": rights.namespace,
        }],
    })
}
