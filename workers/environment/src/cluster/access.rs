//! How the cluster is reached.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tower::limit::RateLimitLayer;

use super::Cluster;

/// Until when a connection must stand.
const CONNECT: Duration = Duration::from_secs(5);

/// How the cluster is reached, and how hard it may be asked.
#[derive(Debug, Clone)]
pub struct Access {
    /// A kubeconfig file. Without one: `KUBECONFIG`, `~/.kube/config`, then the service account of the pod that this runs in.
    pub kubeconfig: Option<PathBuf>,
    /// The context in it; the current one without this.
    pub context: Option<String>,
    /// The most requests a second that this process begins; watches count once. What `kubectl` and controllers call QPS.
    pub rate: NonZeroU32,
}

/// The cluster cannot be reached as configured.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig file cannot be used.
    #[error("the kubeconfig `{path}` cannot be used: {source}")]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<kube::config::KubeconfigError>,
    },
    /// No file was named, and there is no other way to a cluster.
    #[error(
        "no Kubernetes cluster is configured: neither a kubeconfig nor a pod's service account was found ({0})"
    )]
    Nowhere(Box<kube::config::InferConfigError>),
    /// What the configuration asks for cannot be set up.
    #[error("a client for the Kubernetes API cannot be made: {0}")]
    Client(Box<kube::Error>),
}

impl Access {
    /// A client for the cluster. Asks the cluster nothing yet.
    pub async fn connect(&self) -> Result<Cluster, ConnectError> {
        let mut config = self.config().await?;
        config.connect_timeout = Some(CONNECT);
        // A watch is silent for as long as nothing happens; calls have a limit of their own.
        config.read_timeout = None;
        let limit = RateLimitLayer::new(self.rate.get().into(), Duration::from_secs(1));
        let builder = ClientBuilder::try_from(config)
            .map_err(|error| ConnectError::Client(Box::new(error)))?;
        let client: Client = builder.with_layer(&limit).build();
        Ok(Cluster::new(client))
    }

    async fn config(&self) -> Result<Config, ConnectError> {
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..KubeConfigOptions::default()
        };
        if let Some(path) = &self.kubeconfig {
            let unusable = |source| ConnectError::Kubeconfig {
                path: path.clone(),
                source: Box::new(source),
            };
            let file = Kubeconfig::read_from(path).map_err(unusable)?;
            return Config::from_custom_kubeconfig(file, &options)
                .await
                .map_err(unusable);
        }
        if self.context.is_some() {
            return Config::from_kubeconfig(&options).await.map_err(|source| {
                ConnectError::Kubeconfig {
                    path: PathBuf::from("~/.kube/config"),
                    source: Box::new(source),
                }
            });
        }
        Config::infer()
            .await
            .map_err(|error| ConnectError::Nowhere(Box::new(error)))
    }
}
