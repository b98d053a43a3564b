//! The API server goes away in the middle of provisions and comes back: nothing is lost, and no delivery is spent.

use std::time::Duration;

use maestro_environment_tests::{Site, phases, stack};
use maestro_test_cluster::{ControlPlane, Node, switched_off};
use serde_json::json;

/// How long the API server is away: not a wait for something, but what is tried.
const OUTAGE: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn environments_that_an_outage_interrupts_all_finish_and_spend_no_delivery() {
    if switched_off() {
        return;
    }
    let plane = ControlPlane::start(Node::Played)
        .await
        .expect("a control plane");
    let site = Site::on(&plane).await;
    // A second failure would be the last.
    let provision = site.provision(&["--max-deliveries", "2", "--retry-cap", "2s"]);
    site.request("before", &stack("shop:1"));
    site.await_phase("before", "ready", &[&provision]);
    for number in 0..8 {
        site.request(&format!("env-{number}"), &stack("shop:1"));
    }
    site.await_phase("env-0", "accepted", &[&provision]);
    plane.stop_api_server().expect("it stops");
    site.fleet.wait_until("the circuit is open", |_| {
        provision.log().contains("a dependency is unavailable")
    });
    tokio::time::sleep(OUTAGE).await;
    plane.start_api_server().await.expect("it starts");
    for number in 0..8 {
        let told = site.await_phase(&format!("env-{number}"), "ready", &[&provision]);
        assert_eq!(phases(&told), ["accepted", "provisioning", "ready"]);
    }
    assert!(site.fleet.dead("k8s:provision").is_empty());
    assert_eq!(site.namespaces().await.len(), 9);

    // The other worker's messages wait as well.
    let cleanup = site.cleanup(&["--max-deliveries", "2", "--retry-cap", "2s"]);
    plane.stop_api_server().expect("it stops");
    let down = json!({ "environment": "before" });
    site.publish(
        "k8s:cleanup",
        "maestro.environment.cleanup.requested.v1",
        "d",
        &down,
    );
    site.fleet.wait_until("the circuit is open", |_| {
        cleanup.log().contains("a dependency is unavailable")
    });
    plane.start_api_server().await.expect("it starts");
    site.await_deleted("before", &[&cleanup]);
    assert!(site.fleet.dead("k8s:cleanup").is_empty());
}
