//! A real Kubernetes control plane for tests: etcd, kube-apiserver, kube-controller-manager and kube-scheduler as child processes.
//! [`shared`] starts one for a whole test program; [`ControlPlane::start`] starts one of a test's own, which may then be broken.
//! Pods come to life on one node: a [`Kubelet`] that plays what a test scripts, or a hollow one of Kubernetes' own.
//! An [`ApiProxy`] stands in front of the API server, counts requests, and answers, cuts or kills at any of them.
//!
//! Which control plane: any cluster meant for tests whose kubeconfig `MAESTRO_TEST_KUBECONFIG` names; or the programs in the directory
//! `KUBEBUILDER_ASSETS`; or those that `deploy/control-plane.sh` builds once and keeps. `MAESTRO_TEST_CLUSTER=off` leaves out
//! every test that needs one.

mod background;
mod describe;
mod error;
mod flags;
mod kubeconfig;
mod kubelet;
mod namespace;
mod own;
mod plane;
mod process;
mod programs;
mod proof;
mod proxy;
mod shared;
mod until;
mod version;
mod workplace;

pub use describe::describe;
pub use error::{Error, sentence};
pub use kubelet::{Kubelet, Play};
pub use namespace::{TestNamespace, Watched};
pub use plane::{ControlPlane, Node};
pub use proxy::{Answer, ApiProxy, Request, Then, When};
pub use shared::{shared, shared_hollow, shared_played, switched_off};
pub use until::{until, until_gone};
pub use version::Version;
