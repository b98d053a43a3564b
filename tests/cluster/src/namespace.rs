//! A namespace of a test's own.

use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, ResourceExt as _};

use crate::programs::note;
use crate::{ControlPlane, Error, Version, background, describe, kubeconfig, sentence};

/// Before this release a `ServiceAccount` has a Secret with its token, and pods that mount it are refused until that is there.
const WITHOUT_TOKEN_SECRETS: Version = Version::new(1, 24);
/// How long a failed test waits for what it prints.
const PATIENCE: Duration = Duration::from_secs(20);

/// A namespace with a name that no other test has. When the test that holds it fails, its state is printed (see
/// [`describe`]); on a cluster that is not ours it is deleted in the end, on our own it goes with the cluster.
#[derive(Debug)]
pub struct TestNamespace {
    name: String,
    watched: Watched,
}

impl TestNamespace {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for TestNamespace {
    fn drop(&mut self) {
        if !self.watched.ours {
            let (kubeconfig, name) = (self.watched.kubeconfig.clone(), self.name.clone());
            self.watched.wait(async move {
                let client = kubeconfig::client(&kubeconfig).await?;
                Api::<Namespace>::all(client)
                    .delete(&name, &DeleteParams::default())
                    .await
                    .map_err(Error::api(format!("delete the namespace {name}")))?;
                Ok(String::new())
            });
        }
    }
}

/// Prints the state of a namespace when the test that holds it fails; see [`ControlPlane::show_if_failed`].
#[derive(Debug)]
#[must_use = "it prints when it is dropped by a test that fails"]
pub struct Watched {
    name: String,
    kubeconfig: PathBuf,
    ours: bool,
}

impl Watched {
    /// A drop cannot be awaited, and the test's own runtime may be ending.
    fn wait(&self, task: impl Future<Output = Result<String, Error>> + Send + 'static) {
        let Ok(runtime) = background::handle() else {
            return;
        };
        let (answer, told) = mpsc::channel();
        runtime.spawn(async move {
            // Nobody waits any more if it took too long.
            drop(answer.send(task.await));
        });
        match told.recv_timeout(PATIENCE) {
            Ok(Ok(text)) if text.is_empty() => {}
            Ok(Ok(text)) => note(&text),
            Ok(Err(error)) => note(&format!("namespace {}: {}", self.name, sentence(&error))),
            Err(_) => note(&format!(
                "namespace {}: the API server does not answer",
                self.name
            )),
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (kubeconfig, name) = (self.kubeconfig.clone(), self.name.clone());
            self.wait(async move {
                let client = kubeconfig::client(&kubeconfig).await?;
                Ok(describe(&client, &name).await)
            });
        }
    }
}

impl ControlPlane {
    /// Makes a namespace and waits until pods can be created there, which need its `ServiceAccount`.
    pub async fn namespace(&self) -> Result<TestNamespace, Error> {
        let client = self.client().await?;
        let namespace = Namespace {
            metadata: ObjectMeta {
                generate_name: Some("test-".to_owned()),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        let made = Api::<Namespace>::all(client.clone())
            .create(&PostParams::default(), &namespace)
            .await
            .map_err(Error::api("create a namespace"))?;
        let name = made.name_any();
        let accounts: Api<ServiceAccount> = Api::namespaced(client, &name);
        let mut states =
            std::pin::pin!(watcher::watch_object(accounts, "default").default_backoff());
        let enough = |account: &ServiceAccount| {
            self.version() >= WITHOUT_TOKEN_SECRETS || account.secrets.is_some()
        };
        while let Some(state) = states.next().await {
            if matches!(state, Ok(Some(account)) if enough(&account)) {
                break;
            }
        }
        Ok(TestNamespace {
            watched: self.show_if_failed(&name),
            name,
        })
    }

    /// What the namespace looks like; see [`describe`].
    pub async fn describe(&self, namespace: &str) -> String {
        match self.client().await {
            Ok(client) => describe(&client, namespace).await,
            Err(error) => sentence(&error),
        }
    }

    /// Prints the state of this namespace if the test fails that holds the answer. For those that a worker makes; a
    /// [`TestNamespace`] does so by itself.
    pub fn show_if_failed(&self, namespace: impl Into<String>) -> Watched {
        Watched {
            name: namespace.into(),
            kubeconfig: self.kubeconfig().to_path_buf(),
            ours: self.is_ours(),
        }
    }
}
