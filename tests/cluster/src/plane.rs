use std::path::{Path, PathBuf};

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client};

use crate::own::Own;
use crate::workplace::Workplace;
use crate::{Error, Kubelet, Version, background, kubeconfig};

/// What brings pods to life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Node {
    /// One node whose kubelet a test scripts.
    Played,
    /// One node of Kubernetes' own kubelet code with a made-up runtime (kubemark): every container runs, exec probes pass, HTTP
    /// probes fail, nothing ever ends, and there are no logs.
    Hollow,
    /// None: every pod stays unschedulable.
    None,
    /// Those of the cluster that `MAESTRO_TEST_KUBECONFIG` names.
    Foreign,
}

/// A Kubernetes control plane: processes of our own, or any cluster that is meant for tests. Dropping it ends the processes and
/// removes their directory; so does the end of this process, even by SIGKILL (where util-linux's `setpriv` is installed).
#[derive(Debug)]
pub struct ControlPlane {
    own: Option<Own>,
    node: Node,
    version: Version,
    kubeconfig: PathBuf,
    workplace: Workplace,
}

impl ControlPlane {
    /// Starts one of its caller's own, on free ports of 127.0.0.1, and returns when it schedules pods, and runs them if it has a
    /// node. Takes about 8 s and 500 MB; a test that does not break it takes [`shared`](crate::shared).
    pub async fn start(node: Node) -> Result<Self, Error> {
        background::run(Self::start_here(node)).await
    }

    async fn start_here(node: Node) -> Result<Self, Error> {
        let workplace = Workplace::make()?;
        let own = Own::start(node, &workplace).await?;
        Ok(Self {
            node,
            version: own.version(),
            kubeconfig: own.kubeconfig().to_path_buf(),
            own: Some(own),
            workplace,
        })
    }

    /// The cluster of this kubeconfig file, which is asked for its version. It is left as it is, namespaces of tests aside.
    pub async fn foreign(kubeconfig: impl Into<PathBuf>) -> Result<Self, Error> {
        let kubeconfig = kubeconfig.into();
        let client = kubeconfig::client(&kubeconfig).await?;
        let info = client.apiserver_version().await.map_err(Error::api(
            "ask the cluster of MAESTRO_TEST_KUBECONFIG for its version",
        ))?;
        Ok(Self {
            own: None,
            node: Node::Foreign,
            version: Version::read(&info.git_version)?,
            kubeconfig,
            workplace: Workplace::make()?,
        })
    }

    /// The administrator's kubeconfig file.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A kubeconfig file for this `ServiceAccount`, with a token of its own that is good for an hour, so that its RBAC is what counts.
    pub async fn kubeconfig_as(
        &self,
        namespace: &str,
        service_account: &str,
    ) -> Result<PathBuf, Error> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await?, namespace);
        let request = TokenRequest {
            spec: TokenRequestSpec {
                expiration_seconds: Some(3600),
                ..TokenRequestSpec::default()
            },
            ..TokenRequest::default()
        };
        let answer = accounts
            .create_token_request(service_account, &kube::api::PostParams::default(), &request)
            .await
            .map_err(Error::api(format!(
                "make a token for the ServiceAccount {namespace}/{service_account}"
            )))?;
        let token = answer.status.map(|status| status.token).unwrap_or_default();
        let text = kubeconfig::with_token(&self.kubeconfig, &token)?;
        self.workplace
            .write(&format!("{namespace}.{service_account}.kubeconfig"), &text)
    }

    /// Where its programs run, with their logs, each named as its program is. It goes with the control plane.
    pub fn directory(&self) -> &Path {
        self.workplace.path()
    }

    /// The administrator's client. It lives in the runtime of its caller, so each test asks for its own.
    pub async fn client(&self) -> Result<Client, Error> {
        kubeconfig::client(&self.kubeconfig).await
    }

    /// A client for this `ServiceAccount`; see [`kubeconfig_as`](Self::kubeconfig_as).
    pub async fn client_as(&self, namespace: &str, service_account: &str) -> Result<Client, Error> {
        kubeconfig::client(&self.kubeconfig_as(namespace, service_account).await?).await
    }

    /// The API server's release.
    pub fn version(&self) -> Version {
        self.version
    }

    /// What brings pods to life here.
    pub fn node(&self) -> Node {
        self.node
    }

    /// The kubelet of the played node, if there is one: what a test needs that scripts a fault.
    pub fn kubelet(&self) -> Option<&Kubelet> {
        self.own.as_ref().and_then(Own::kubelet)
    }

    /// The process ids of etcd, API server, controller manager, scheduler and hollow node, as far as they are ours and run.
    pub fn pids(&self) -> Vec<u32> {
        self.own.as_ref().map(Own::pids).unwrap_or_default()
    }

    /// Kills the API server. Connections to it break, and new ones are refused, until [`start_api_server`](Self::start_api_server).
    pub fn stop_api_server(&self) -> Result<(), Error> {
        self.ours("stop the API server")?.stop_api_server();
        Ok(())
    }

    /// Starts it again on the same port and the same data, and returns when it is ready. Does nothing if it runs.
    pub async fn start_api_server(&self) -> Result<(), Error> {
        self.ours("start the API server")?.start_api_server().await
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.own.is_some()
    }

    fn ours(&self, action: &'static str) -> Result<&Own, Error> {
        self.own.as_ref().ok_or(Error::NotOurs { action })
    }
}
