//! What goes on in one namespace: its pods and the warnings about its objects, and a Job while one runs.
//!
//! A watch of Kubernetes is of one kind of object, so an environment has two, however many objects it holds. Pods tell whether
//! workloads of any kind are up; warnings tell why there are no pods.

use std::pin::Pin;

use futures_util::stream::select;
use futures_util::{Stream, StreamExt};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event as Warning, Pod};
use kube::Api;
use kube::runtime::watcher::{self, Event};

use super::Cluster;
use super::error::ApiError;

/// Something changed.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, on its way into what has been observed"
)]
pub(crate) enum Change {
    /// A pod.
    Pod(Event<Pod>),
    /// A warning of the cluster about an object.
    Warning(Event<Warning>),
    /// The Job.
    Job(Event<Job>),
}

/// Changes as they come. Ends never; a lost connection is made again by itself, and what cannot be made again is an error.
pub(crate) type Changes = Pin<Box<dyn Stream<Item = Result<Change, ApiError>> + Send>>;

impl Cluster {
    /// The pods of a namespace and the warnings about its objects, from now on and as they are now.
    pub(crate) fn changes(&self, namespace: &str) -> Changes {
        let pods = self.watch::<Pod>(namespace, watcher::Config::default(), "pods");
        let warnings = watcher::Config::default().fields("type=Warning");
        let warnings = self.watch::<Warning>(namespace, warnings, "warnings");
        Box::pin(select(
            pods.map(|change| change.map(Change::Pod)),
            warnings.map(|change| change.map(Change::Warning)),
        ))
    }

    /// One Job of a namespace.
    pub(crate) fn job_changes(&self, namespace: &str, name: &str) -> Changes {
        let one = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let jobs = self.watch::<Job>(namespace, one, "the Job");
        Box::pin(jobs.map(|change| change.map(Change::Job)))
    }

    fn watch<K>(
        &self,
        namespace: &str,
        config: watcher::Config,
        what: &str,
    ) -> impl Stream<Item = Result<Event<K>, ApiError>> + Send + use<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned
            + Send
            + 'static,
        K::DynamicType: Default,
    {
        let doing = format!("watch {what} of the namespace {namespace}");
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        watcher::watcher(api, config)
            .filter_map(move |change| std::future::ready(fault(&doing, change)))
    }
}

/// A watch that broke off goes on by itself, unless it cannot be begun again.
pub(super) fn fault<T>(
    doing: &str,
    change: Result<T, watcher::Error>,
) -> Option<Result<T, ApiError>> {
    match change {
        Ok(change) => Some(Ok(change)),
        Err(watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error)) => {
            Some(Err(ApiError::of(doing.to_owned(), error)))
        }
        Err(
            error @ (watcher::Error::WatchError(_)
            | watcher::Error::WatchFailed(_)
            | watcher::Error::NoResourceVersion),
        ) => {
            tracing::debug!(doing, %error, "a watch broke off and is begun again");
            None
        }
    }
}
