//! The [Pod Security Standards](https://kubernetes.io/docs/concepts/security/pod-security-standards/), looked at before
//! the API server does: there the pods of a Deployment are refused one by one, long after it was taken.

use serde_json::Value;

use crate::templates::{Rendered, TemplateFault};

/// What the namespace lets its pods do: its label `pod-security.kubernetes.io/enforce`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Privileged,
    Baseline,
    Restricted,
}

/// The label that says the level.
const ENFORCE: &str = "pod-security.kubernetes.io/enforce";

/// What a container may add without being more than any other.
const BASELINE_CAPABILITIES: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
    "NET_RAW",
];
const RESTRICTED_CAPABILITIES: [&str; 1] = ["NET_BIND_SERVICE"];
const RESTRICTED_VOLUMES: [&str; 9] = [
    "name",
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

impl Level {
    /// The level of a namespace; without a label anything goes.
    pub(super) fn of(namespace: &Rendered<'_>) -> Result<Self, TemplateFault> {
        let labels = namespace.manifest.pointer("/metadata/labels");
        match labels
            .and_then(|labels| labels.get(ENFORCE))
            .map(Value::as_str)
        {
            None | Some(Some("privileged")) => Ok(Self::Privileged),
            Some(Some("baseline")) => Ok(Self::Baseline),
            Some(Some("restricted")) => Ok(Self::Restricted),
            Some(_) => Err(namespace.fault(
                &["metadata", "labels", ENFORCE],
                "the levels are `privileged`, `baseline` and `restricted`",
            )),
        }
    }
}

/// Finds what the level does not let the pods at `path` do.
pub(super) fn check(
    rendered: &Rendered<'_>,
    path: &[&str],
    level: Level,
) -> Result<(), TemplateFault> {
    if level == Level::Privileged {
        return Ok(());
    }
    let pod = Pod {
        rendered,
        path: path.iter().copied().chain(["spec"]).collect(),
        level,
    };
    pod.check_pod()?;
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        let count = pod
            .at(&[list])
            .and_then(Value::as_array)
            .map_or(0, Vec::len);
        for number in 0..count {
            pod.check_container(list, &number.to_string())?;
        }
    }
    Ok(())
}

struct Pod<'a> {
    rendered: &'a Rendered<'a>,
    path: Vec<&'a str>,
    level: Level,
}

impl Pod<'_> {
    fn at(&self, path: &[&str]) -> Option<&Value> {
        self.path
            .iter()
            .chain(path)
            .try_fold(&self.rendered.manifest, |value, key| match value {
                Value::Array(items) => items.get(key.parse::<usize>().ok()?),
                other => other.get(key),
            })
            .filter(|value| !value.is_null())
    }

    fn refuse<T>(&self, path: &[&str], problem: &str) -> Result<T, TemplateFault> {
        let whole: Vec<&str> = self.path.iter().chain(path).copied().collect();
        let level = match self.level {
            Level::Restricted => "restricted",
            _ => "baseline",
        };
        Err(self.rendered.fault(
            &whole,
            format!("{problem}; the namespace's Pod Security level is `{level}`"),
        ))
    }

    fn is_true(&self, path: &[&str]) -> bool {
        self.at(path).and_then(Value::as_bool) == Some(true)
    }

    fn check_pod(&self) -> Result<(), TemplateFault> {
        for name in ["hostNetwork", "hostPID", "hostIPC"] {
            if self.is_true(&[name]) {
                return self.refuse(&[name], &format!("`{name}` shares the node's with the pod"));
            }
        }
        self.check_context(&["securityContext"])?;
        let volumes = self.at(&["volumes"]).and_then(Value::as_array);
        for (number, volume) in volumes.into_iter().flatten().enumerate() {
            let kinds = volume
                .as_object()
                .into_iter()
                .flat_map(|volume| volume.keys());
            for kind in kinds.map(String::as_str) {
                let refused = match self.level {
                    Level::Restricted => !RESTRICTED_VOLUMES.contains(&kind),
                    _ => kind == "hostPath",
                };
                if refused {
                    return self.refuse(
                        &["volumes", &number.to_string(), kind],
                        &format!("a volume of the kind `{kind}` reaches out of the pod"),
                    );
                }
            }
        }
        Ok(())
    }

    /// What a pod's context and a container's have in common.
    fn check_context(&self, path: &[&str]) -> Result<(), TemplateFault> {
        let below =
            |more: &[&'static str]| -> Vec<&str> { path.iter().chain(more).copied().collect() };
        let profile = below(&["seccompProfile", "type"]);
        if self
            .at(&profile)
            .is_some_and(|profile| profile == "Unconfined")
        {
            return self.refuse(
                &profile,
                "the seccomp profile is `RuntimeDefault` or `Localhost`",
            );
        }
        let host = below(&["windowsOptions", "hostProcess"]);
        if self.is_true(&host) {
            return self.refuse(&host, "`hostProcess` runs on the node itself");
        }
        let user = below(&["runAsUser"]);
        if self.level == Level::Restricted && self.at(&user).is_some_and(|user| *user == 0) {
            return self.refuse(&user, "user 0 is root");
        }
        Ok(())
    }

    fn check_container(&self, list: &str, number: &str) -> Result<(), TemplateFault> {
        let context = [list, number, "securityContext"];
        let below = |more: &'static str| [list, number, "securityContext", more];
        self.check_context(&context)?;
        if self.is_true(&below("privileged")) {
            return self.refuse(
                &below("privileged"),
                "a privileged container is root on its node",
            );
        }
        let mount = below("procMount");
        if self.at(&mount).is_some_and(|mount| mount != "Default") {
            return self.refuse(&mount, "`procMount` is `Default`");
        }
        let ports = self.at(&[list, number, "ports"]).and_then(Value::as_array);
        for (port, entry) in ports.into_iter().flatten().enumerate() {
            if entry
                .get("hostPort")
                .is_some_and(|port| !port.is_null() && *port != 0)
            {
                let path = [list, number, "ports", &port.to_string(), "hostPort"];
                return self.refuse(&path, "`hostPort` takes a port of the node");
            }
        }
        let allowed: &[&str] = match self.level {
            Level::Restricted => &RESTRICTED_CAPABILITIES,
            _ => &BASELINE_CAPABILITIES,
        };
        let capabilities = [list, number, "securityContext", "capabilities", "add"];
        let added = self.at(&capabilities).and_then(Value::as_array);
        if added
            .into_iter()
            .flatten()
            .any(|each| !each.as_str().is_some_and(|each| allowed.contains(&each)))
        {
            return self.refuse(
                &capabilities,
                &format!(
                    "of capabilities only `{}` may be added",
                    allowed.join("`, `")
                ),
            );
        }
        if self.level == Level::Restricted {
            self.check_restricted(list, number)?;
        }
        Ok(())
    }

    fn check_restricted(&self, list: &str, number: &str) -> Result<(), TemplateFault> {
        let container = [list, number];
        let own = |more: &[&'static str]| -> Option<&Value> {
            let path: Vec<&str> = [list, number, "securityContext"]
                .iter()
                .chain(more)
                .copied()
                .collect();
            self.at(&path)
        };
        // A container's word goes before the pod's.
        let said = |more: &[&'static str]| {
            own(more).or_else(|| {
                let path: Vec<&str> = ["securityContext"].iter().chain(more).copied().collect();
                self.at(&path)
            })
        };
        if own(&["allowPrivilegeEscalation"]) != Some(&Value::Bool(false)) {
            return self.refuse(
                &container,
                "`securityContext.allowPrivilegeEscalation` is `false`",
            );
        }
        let dropped = own(&["capabilities", "drop"]).and_then(Value::as_array);
        if !dropped.is_some_and(|dropped| dropped.iter().any(|each| each == "ALL")) {
            return self.refuse(&container, "`securityContext.capabilities.drop` is `[ALL]`");
        }
        if said(&["runAsNonRoot"]) != Some(&Value::Bool(true)) {
            return self.refuse(
                &container,
                "`securityContext.runAsNonRoot` is `true`, here or of the pod",
            );
        }
        let profile = said(&["seccompProfile", "type"]).and_then(Value::as_str);
        if !matches!(profile, Some("RuntimeDefault" | "Localhost")) {
            return self.refuse(
                &container,
                "`securityContext.seccompProfile.type` is `RuntimeDefault` or `Localhost`, here or of the pod",
            );
        }
        Ok(())
    }
}
