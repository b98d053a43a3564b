//! Kubeconfig files, as kube and kubectl read them: JSON is YAML.

use std::path::Path;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

use crate::Error;

/// A file's content for one cluster and one user, who has at most a token.
pub(crate) fn simple(server: &str, authority: Option<&Path>, token: Option<&str>) -> String {
    let mut cluster = json!({ "server": server });
    if let Some(authority) = authority {
        cluster["certificate-authority"] = json!(authority);
    }
    let user = token.map_or_else(|| json!({}), |token| json!({ "token": token }));
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "test", "cluster": cluster }],
        "users": [{ "name": "test", "user": user }],
        "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test" } }],
        "current-context": "test",
    })
    .to_string()
}

/// The same cluster as in this file, for another user, who has this token.
pub(crate) fn with_token(path: &Path, token: &str) -> Result<String, Error> {
    let kubeconfig = read(path)?;
    let mut value = serde_json::to_value(kubeconfig).unwrap_or(Value::Null);
    for user in value["users"].as_array_mut().into_iter().flatten() {
        user["user"] = json!({ "token": token });
    }
    Ok(value.to_string())
}

/// How to reach the cluster of this file.
pub(crate) async fn config(path: &Path) -> Result<Config, Error> {
    Config::from_custom_kubeconfig(read(path)?, &KubeConfigOptions::default())
        .await
        .map_err(|source| Error::Kubeconfig {
            path: path.to_path_buf(),
            source: Box::new(source),
        })
}

/// A client for it, which lives in the runtime of whoever calls.
pub(crate) async fn client(path: &Path) -> Result<Client, Error> {
    Client::try_from(config(path).await?).map_err(Error::api("make a client"))
}

fn read(path: &Path) -> Result<Kubeconfig, Error> {
    Kubeconfig::read_from(path).map_err(|source| Error::Kubeconfig {
        path: path.to_path_buf(),
        source: Box::new(source),
    })
}
