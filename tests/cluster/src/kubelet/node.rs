//! The node that a played kubelet stands for.

use k8s_openapi::api::core::v1::Node;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::json;

use crate::{Error, Version};

pub(crate) const NAME: &str = "played";

/// Registers it, ready and with room for thousands of pods. Nothing of it is real but the port of 127.0.0.1 where logs are served.
pub(super) async fn register(client: Client, version: Version, port: u16) -> Result<(), Error> {
    let room =
        json!({ "cpu": "1000", "memory": "4Ti", "ephemeral-storage": "10Ti", "pods": "5000" });
    let now = k8s_openapi::jiff::Timestamp::now();
    let condition = |name: &str, status: &str, reason: &str| {
        json!({
            "type": name, "status": status, "reason": reason, "message": "played",
            "lastHeartbeatTime": now, "lastTransitionTime": now,
        })
    };
    let node: Node = serde_json::from_value(json!({
        "metadata": {
            "name": NAME,
            "labels": {
                "kubernetes.io/hostname": NAME,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
            },
        },
        "status": {
            "capacity": room,
            "allocatable": room,
            "addresses": [
                { "type": "InternalIP", "address": "127.0.0.1" },
                { "type": "Hostname", "address": NAME },
            ],
            "daemonEndpoints": { "kubeletEndpoint": { "Port": port } },
            "conditions": [
                condition("Ready", "True", "KubeletReady"),
                condition("MemoryPressure", "False", "KubeletHasSufficientMemory"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID"),
            ],
            "nodeInfo": {
                "architecture": "amd64", "bootID": "", "containerRuntimeVersion": "played://1",
                "kernelVersion": "", "kubeProxyVersion": "", "kubeletVersion": format!("v{version}.0"),
                "machineID": "", "operatingSystem": "linux", "osImage": "", "systemUUID": "",
            },
        },
    }))
    .map_err(|error| Error::api("describe the played node")(kube::Error::SerdeError(error)))?;
    Api::<Node>::all(client)
        .create(&PostParams::default(), &node)
        .await
        .map_err(Error::api("register the played node"))?;
    Ok(())
}
