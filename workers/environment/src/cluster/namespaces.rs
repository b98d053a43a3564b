//! Namespaces: claimed, read, listed by pages, extended, and deleted under preconditions.

use std::time::Duration;

use futures_util::{Stream, StreamExt};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::ObjectList;
use kube::runtime::watcher;
use serde_json::{Value, json};

use super::error::{ApiError, Refusal};
use super::objects::typed;
use super::watching::fault;
use super::{Cluster, MANAGER, call, call_within};

/// The most namespaces that one answer holds.
const PAGE: u32 = 250;
/// A page of a list takes longer than a single object.
const LIST: Duration = Duration::from_mins(1);

/// What came of claiming a name.
#[derive(Debug)]
pub(crate) enum Claim {
    /// There was none of that name; there is now.
    Made(Box<Namespace>),
    /// There is one already. Whose it is stands on it.
    Found(Box<Namespace>),
}

/// What came of asking for a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deletion {
    /// It is going away.
    Begun,
    /// There is none.
    Gone,
    /// It is another one, or has changed since it was read.
    Changed,
}

/// Which version of a namespace a deletion is meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meant<'a> {
    /// This one, whatever has become of it.
    Uid(&'a str),
    /// This one, as it was read.
    Version(&'a str, &'a str),
}

impl Cluster {
    fn namespaces(&self) -> Api<Namespace> {
        Api::all(self.client.clone())
    }

    /// Makes the namespace, unless there is one of its name. Never touches one that is there: applying onto it would merge into
    /// a stranger's.
    pub(crate) async fn claim(&self, wanted: &Value) -> Result<Claim, ApiError> {
        let wanted: Namespace = typed(wanted)?;
        let name = wanted.metadata.name.clone().unwrap_or_default();
        let parameters = PostParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PostParams::default()
        };
        let doing = format!("create the namespace {name}");
        let api = self.namespaces();
        // Twice, should it vanish between the two.
        for _ in 0..2 {
            match call(doing.clone(), api.create(&parameters, &wanted)).await {
                Ok(made) => return Ok(Claim::Made(Box::new(made))),
                Err(error) if error.refusal() == Some(Refusal::Exists) => {}
                Err(error) => return Err(error),
            }
            if let Some(found) = self.namespace(&name).await? {
                return Ok(Claim::Found(Box::new(found)));
            }
        }
        Err(ApiError::Refused {
            doing,
            refusal: Refusal::Terminating,
            message: "one of that name comes and goes".to_owned(),
        })
    }

    /// The namespace of this name.
    pub(crate) async fn namespace(&self, name: &str) -> Result<Option<Namespace>, ApiError> {
        call(
            format!("read the namespace {name}"),
            self.namespaces().get_opt(name),
        )
        .await
    }

    /// One page of the namespaces that a label selector matches, and where the next one begins.
    pub(crate) async fn namespaces_page(
        &self,
        selector: &str,
        from: Option<String>,
    ) -> Result<ObjectList<Namespace>, ApiError> {
        let parameters = ListParams {
            label_selector: Some(selector.to_owned()),
            limit: Some(PAGE),
            continue_token: from,
            ..ListParams::default()
        };
        let api = self.namespaces();
        call_within(LIST, "list namespaces", api.list(&parameters)).await
    }

    /// Sets annotations, if the namespace still is as it was read.
    pub(crate) async fn annotate(
        &self,
        read: &Namespace,
        annotations: Value,
    ) -> Result<Namespace, ApiError> {
        let metadata = &read.metadata;
        let name = metadata.name.as_deref().unwrap_or_default();
        let patch = json!({ "metadata": {
            "uid": metadata.uid,
            "resourceVersion": metadata.resource_version,
            "annotations": annotations,
        }});
        let parameters = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let api = self.namespaces();
        call(
            format!("annotate the namespace {name}"),
            api.patch(name, &parameters, &Patch::Merge(&patch)),
        )
        .await
    }

    /// Deletes a namespace, if it is the one that is meant.
    pub(crate) async fn delete_namespace(
        &self,
        name: &str,
        meant: Meant<'_>,
    ) -> Result<Deletion, ApiError> {
        let (uid, version) = match meant {
            Meant::Uid(uid) => (uid, None),
            Meant::Version(uid, version) => (uid, Some(version.to_owned())),
        };
        let parameters = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(uid.to_owned()),
                resource_version: version,
            }),
            ..DeleteParams::default()
        };
        let api = self.namespaces();
        let doing = format!("delete the namespace {name}");
        match call(doing, api.delete(name, &parameters)).await {
            Ok(_) => Ok(Deletion::Begun),
            Err(error) => match error.refusal() {
                Some(Refusal::NotFound) => Ok(Deletion::Gone),
                Some(Refusal::Conflict) => Ok(Deletion::Changed),
                // It is going away already, says a conflict of another kind.
                Some(Refusal::Terminating) => Ok(Deletion::Begun),
                _ => Err(error),
            },
        }
    }

    /// What becomes of a namespace: each state of it, and `None` once there is none.
    pub(crate) fn watch_namespace(
        &self,
        name: &str,
    ) -> impl Stream<Item = Result<Option<Namespace>, ApiError>> + Send + use<> {
        let doing = format!("watch the namespace {name}");
        watcher::watch_object(self.namespaces(), name)
            .filter_map(move |change| std::future::ready(fault(&doing, change)))
    }
}
