//! The restricted profile of the Pod Security Standards (<https://kubernetes.io/docs/concepts/security/pod-security-standards/>), and what this project asks
//! beyond it: a root that is read-only, and no token where none is needed.

use serde_json::Value;

use crate::Manifest;

/// The kinds of volume that the profile allows.
const VOLUMES: [&str; 8] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// In what the pods of an object go beyond the profile; nothing if they do not, or if it makes none.
pub fn violations(manifest: &Manifest) -> Vec<String> {
    let Some(pod) = manifest.pod() else {
        return Vec::new();
    };
    let mut found = of_pod(pod);
    for container in manifest.containers() {
        let name = container["name"].as_str().unwrap_or_default();
        let of_container = of_container(pod, container);
        found.extend(
            of_container
                .into_iter()
                .map(|said| format!("{name}: {said}")),
        );
    }
    let title = manifest.title();
    found
        .into_iter()
        .map(|said| format!("{title}: {said}"))
        .collect()
}

fn of_pod(pod: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for name in ["hostNetwork", "hostPID", "hostIPC"] {
        if pod[name] == true {
            found.push(format!("{name} is on"));
        }
    }
    let volumes = pod["volumes"].as_array().into_iter().flatten();
    for volume in volumes.filter_map(Value::as_object) {
        let kinds = volume.keys().filter(|key| *key != "name");
        for kind in kinds.filter(|kind| !VOLUMES.contains(&kind.as_str())) {
            found.push(format!("a volume is a {kind}"));
        }
    }
    if !pod["securityContext"]["sysctls"].is_null() {
        found.push("it sets sysctls".to_owned());
    }
    found
}

fn of_container(pod: &Value, container: &Value) -> Vec<String> {
    let own = &container["securityContext"];
    let either = |name: &str| match &own[name] {
        Value::Null => &pod["securityContext"][name],
        said => said,
    };
    let mut found = Vec::new();
    let mut must = |holds: bool, said: &str| {
        if !holds {
            found.push(said.to_owned());
        }
    };
    must(own["privileged"] != true, "it is privileged");
    must(
        own["allowPrivilegeEscalation"] == false,
        "allowPrivilegeEscalation is not off",
    );
    must(
        own["readOnlyRootFilesystem"] == true,
        "its root can be written",
    );
    must(either("runAsNonRoot") == true, "runAsNonRoot is not on");
    must(
        either("runAsUser").as_u64().is_some_and(|user| user > 0),
        "runAsUser is root, or whoever the image says",
    );
    let profile = &either("seccompProfile")["type"];
    must(
        profile == "RuntimeDefault" || profile == "Localhost",
        "it has no seccomp profile",
    );
    let drop = own["capabilities"]["drop"].as_array();
    must(
        drop.is_some_and(|drop| drop.iter().any(|one| one == "ALL")),
        "capabilities are not all dropped",
    );
    must(
        own["capabilities"]["add"].is_null(),
        "capabilities are added",
    );
    must(
        own["procMount"].is_null() || own["procMount"] == "Default",
        "its /proc is unmasked",
    );
    let ports = container["ports"].as_array().into_iter().flatten();
    must(
        !ports.into_iter().any(|port| !port["hostPort"].is_null()),
        "it takes a port of the host",
    );
    found
}
