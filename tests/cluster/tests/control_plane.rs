//! The control plane comes up with each kind of node, and goes away and comes back.

use maestro_test_cluster::{ControlPlane, Node, shared_hollow, switched_off};

#[tokio::test]
async fn a_control_plane_without_a_node_finds_pods_unschedulable() {
    if switched_off() {
        return;
    }
    let plane = ControlPlane::start(Node::None).await.unwrap();
    assert!(plane.version() >= maestro_test_cluster::Version::new(1, 20));
    assert_eq!(plane.pids().len(), 4);
}

#[tokio::test]
async fn a_hollow_node_runs_pods() {
    let Some(plane) = shared_hollow().await else {
        return;
    };
    assert!(matches!(plane.node(), Node::Hollow | Node::Foreign));
}
