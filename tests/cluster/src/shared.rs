//! One control plane for all tests of a program.

use tokio::sync::OnceCell;

use crate::programs::note;
use crate::{ControlPlane, Error, Kubelet, Node, sentence};

const SWITCH: &str = "MAESTRO_TEST_CLUSTER";
const KUBECONFIG: &str = "MAESTRO_TEST_KUBECONFIG";

/// A start that failed is not tried again by every other test.
type Shared = OnceCell<Result<Option<ControlPlane>, String>>;

/// The control plane of this test program, with a played node: started by the first test that asks. `None` when the tests
/// that need one are switched off, which has been said on stderr; such a test returns.
///
/// # Panics
///
/// When there is none, with the reason.
pub async fn shared() -> Option<&'static ControlPlane> {
    static SHARED: Shared = OnceCell::const_new();
    get(&SHARED, Node::Played).await
}

/// The same with its kubelet, for a test that scripts what pods do. `None` also where the cluster is not ours and its kubelets are
/// real, which has been said on stderr.
///
/// # Panics
///
/// When there is none, with the reason.
pub async fn shared_played() -> Option<(&'static ControlPlane, &'static Kubelet)> {
    let plane = shared().await?;
    let kubelet = plane.kubelet();
    if kubelet.is_none() {
        note(
            "the kubelets of MAESTRO_TEST_KUBECONFIG are real: a test that scripts one is left out",
        );
    }
    Some((plane, kubelet?))
}

/// The same with a hollow node, as a second control plane. `None` also where no hollow node can be had, which has been said.
///
/// # Panics
///
/// When there is none, with the reason.
pub async fn shared_hollow() -> Option<&'static ControlPlane> {
    static SHARED: Shared = OnceCell::const_new();
    get(&SHARED, Node::Hollow).await
}

/// Whether tests that need a control plane are switched off, for those that start their own; says so if they are.
pub fn switched_off() -> bool {
    let off = std::env::var(SWITCH).is_ok_and(|value| value == "off");
    if off {
        note("MAESTRO_TEST_CLUSTER=off: a test that needs a Kubernetes control plane is left out");
    }
    off
}

async fn get(shared: &'static Shared, node: Node) -> Option<&'static ControlPlane> {
    if switched_off() {
        return None;
    }
    match shared.get_or_init(|| start(node)).await {
        Ok(plane) => plane.as_ref(),
        #[expect(clippy::panic, reason = "a test without its control plane has failed")]
        Err(reason) => panic!("no control plane for this test: {reason}"),
    }
}

async fn start(node: Node) -> Result<Option<ControlPlane>, String> {
    let started = match std::env::var_os(KUBECONFIG).filter(|path| !path.is_empty()) {
        Some(path) => ControlPlane::foreign(path).await,
        None => ControlPlane::start(node).await,
    };
    match started {
        Ok(plane) => Ok(Some(plane)),
        Err(Error::NoKubemark) => {
            note("KUBEBUILDER_ASSETS has no kubemark: tests on a hollow node are left out");
            Ok(None)
        }
        Err(error) => Err(sentence(&error)),
    }
}
