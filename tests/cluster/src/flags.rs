//! The command line of each program, by release: the oldest that is tested against is 1.20, the newest today's.

use std::path::Path;

use crate::Version;

/// From here on the flags of insecure serving are gone (deprecated since 1.10, removed in 1.24).
const WITHOUT_INSECURE_PORTS: Version = Version::new(1, 24);

/// Unix sockets, named as `host:port` since etcd asks for that form, in the directory where the programs run: no other user reaches them.
pub(crate) const ETCD_SOCKET: &str = "etcd:1";
const ETCD_PEER_SOCKET: &str = "etcd:2";

/// Which of a node's addresses the API server dials for logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dial {
    /// The address; a played kubelet's is 127.0.0.1.
    Address,
    /// The name, which nobody resolves: a hollow node's address is made up and must not be dialled.
    Nothing,
}

pub(crate) fn etcd() -> Vec<String> {
    words(&[
        "--name=etcd",
        "--data-dir=etcd",
        &format!("--listen-client-urls=unix://{ETCD_SOCKET}"),
        &format!("--advertise-client-urls=unix://{ETCD_SOCKET}"),
        &format!("--listen-peer-urls=unix://{ETCD_PEER_SOCKET}"),
        &format!("--initial-advertise-peer-urls=unix://{ETCD_PEER_SOCKET}"),
        &format!("--initial-cluster=etcd=unix://{ETCD_PEER_SOCKET}"),
        "--unsafe-no-fsync",
        "--logger=zap",
        "--log-level=warn",
        "--log-outputs=stderr",
    ])
}

pub(crate) fn api_server(version: Version, port: u16, dial: Dial) -> Vec<String> {
    let mut args = words(&[
        &format!("--etcd-servers=unix://{ETCD_SOCKET}"),
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        &format!("--secure-port={port}"),
        "--tls-cert-file=tls.crt",
        "--tls-private-key-file=tls.key",
        "--token-auth-file=tokens.csv",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-account-signing-key-file=service-accounts.key",
        "--service-account-key-file=service-accounts.key",
        "--service-cluster-ip-range=10.96.0.0/12",
        // The Service `kubernetes` would have 127.0.0.1 behind it, which no Endpoints object may have.
        "--endpoint-reconciler-type=none",
        match dial {
            Dial::Address => "--kubelet-preferred-address-types=InternalIP",
            Dial::Nothing => "--kubelet-preferred-address-types=Hostname",
        },
    ]);
    if version < WITHOUT_INSECURE_PORTS {
        args.push("--insecure-port=0".into());
    }
    args
}

pub(crate) fn controller_manager(version: Version, kubeconfig: &Path) -> Vec<String> {
    let mut args = client(version, kubeconfig);
    args.extend(words(&[
        "--service-account-private-key-file=service-accounts.key",
        "--root-ca-file=tls.crt",
        // A played kubelet sends no heartbeats.
        "--node-monitor-grace-period=1000h",
        // PersistentVolumeClaims are bound to directories under /tmp that nobody mounts.
        "--enable-hostpath-provisioner=true",
    ]));
    args
}

pub(crate) fn scheduler(version: Version, kubeconfig: &Path) -> Vec<String> {
    client(version, kubeconfig)
}

/// A kubelet with a made-up container runtime. Its server cannot be kept off the other addresses of this machine.
pub(crate) fn kubemark(kubeconfig: &Path, name: &str, port: u16) -> Vec<String> {
    words(&[
        "--morph=kubelet",
        &format!("--name={name}"),
        &format!("--kubeconfig={}", kubeconfig.display()),
        &format!("--kubelet-port={port}"),
        "--kubelet-read-only-port=0",
    ])
}

/// What those have in common that are only the API server's clients here and serve nothing themselves.
fn client(version: Version, kubeconfig: &Path) -> Vec<String> {
    let mut args = words(&[
        &format!("--kubeconfig={}", kubeconfig.display()),
        "--leader-elect=false",
        "--secure-port=0",
    ]);
    if version < WITHOUT_INSECURE_PORTS {
        args.push("--port=0".into());
    }
    args
}

fn words(args: &[&str]) -> Vec<String> {
    args.iter().map(|&arg| arg.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_old_release_is_told_to_close_its_insecure_ports() {
        let insecure = |args: Vec<String>| {
            let mut args = args.into_iter();
            args.any(|arg| arg == "--port=0" || arg == "--insecure-port=0")
        };
        let kubeconfig = Path::new("k");
        for (minor, told) in [(20, true), (23, true), (24, false), (33, false)] {
            let version = Version::new(1, minor);
            assert_eq!(insecure(api_server(version, 1, Dial::Address)), told);
            assert_eq!(insecure(controller_manager(version, kubeconfig)), told);
            assert_eq!(insecure(scheduler(version, kubeconfig)), told);
        }
    }
}
