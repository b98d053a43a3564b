//! The edge to Kubernetes: every call there is, each with a time limit, a name for what it is for, and a typed error.
//!
//! Everything turns around [`Cluster`]. Nothing else in this crate holds a client, so that what the workers may do to a cluster
//! can be read off this folder.

mod access;
mod error;
mod kinds;
mod logs;
mod namespaces;
mod objects;
mod watching;

use std::sync::Arc;
use std::time::Duration;

use kube::Client;

pub use access::{Access, ConnectError};
pub use error::{ApiError, Refusal};
pub(crate) use logs::ContainerOf;
pub(crate) use namespaces::{Claim, Deletion, Meant};
pub(crate) use watching::{Change, Changes};

use kinds::Kinds;

/// By whom the fields of an object are owned (server-side apply).
const MANAGER: &str = "maestro";

/// How long one call may take, its repeats after 429 and 503 included. kube itself has no limit.
const CALL: Duration = Duration::from_secs(20);

/// A Kubernetes cluster. Clones share the connections, the rate limit and what is known of its kinds.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    kinds: Arc<Kinds>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cluster")
    }
}

impl Cluster {
    fn new(client: Client) -> Self {
        Self {
            client,
            kinds: Arc::default(),
        }
    }

    /// The server's version, for example `v1.33.1`: whether it answers at all.
    pub async fn version(&self) -> Result<String, ApiError> {
        let info = call("ask for the version", self.client.apiserver_version()).await?;
        Ok(info.git_version)
    }
}

/// Makes a call that belongs to `doing` ("unable to {doing}: …").
async fn call<T>(
    doing: impl Into<String>,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, ApiError> {
    call_within(CALL, doing, request).await
}

async fn call_within<T>(
    limit: Duration,
    doing: impl Into<String>,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, ApiError> {
    match tokio::time::timeout(limit, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(ApiError::of(doing.into(), error)),
        Err(_) => Err(ApiError::silent(doing.into(), limit)),
    }
}
