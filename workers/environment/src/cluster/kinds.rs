//! Which kinds of object the cluster serves. Asked once for each kind, so that a template may hold any of them.

use std::collections::HashMap;

use kube::Client;
use kube::core::{ApiResource, GroupVersionKind};
use kube::discovery::{Scope, pinned_kind};
use tokio::sync::RwLock;

use super::call;
use super::error::{ApiError, Refusal};

/// The kinds asked for so far.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    known: RwLock<HashMap<GroupVersionKind, ApiResource>>,
}

impl Kinds {
    /// The resource that serves this kind in namespaces.
    pub(super) async fn of(
        &self,
        client: &Client,
        kind: &GroupVersionKind,
    ) -> Result<ApiResource, ApiError> {
        if let Some(known) = self.known.read().await.get(kind) {
            return Ok(known.clone());
        }
        let named = format!("{}/{}", kind.api_version(), kind.kind);
        let doing = format!("find the kind {named}");
        let refused = |message: String| ApiError::Refused {
            doing: doing.clone(),
            refusal: Refusal::Invalid,
            message,
        };
        let (resource, capabilities) = call(doing.clone(), pinned_kind(client, kind))
            .await
            .map_err(|error| match error.refusal() {
                Some(Refusal::NotFound) => refused(format!("this cluster serves no {named}")),
                _ => error,
            })?;
        if capabilities.scope != Scope::Namespaced {
            return Err(refused(format!("{named} does not live in a namespace")));
        }
        self.known
            .write()
            .await
            .insert(kind.clone(), resource.clone());
        Ok(resource)
    }
}
