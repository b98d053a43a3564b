//! From a message to a running stack, through its tests, to nothing.

use maestro_environment_tests::{Site, phases, stack};
use maestro_test_cluster::{Play, shared_played};
use serde_json::json;

mod report;

#[tokio::test(flavor = "multi_thread")]
async fn one_message_becomes_a_stack_that_is_ready_and_stays_until_it_is_taken_down() {
    let Some((plane, _)) = shared_played().await else {
        return;
    };
    let site = Site::on(plane).await;
    let (provision, cleanup) = (site.provision(&[]), site.cleanup(&[]));
    site.request("shop-1", &stack("shop:1"));
    let told = site.await_phase("shop-1", "ready", &[&provision]);
    assert_eq!(phases(&told), ["accepted", "provisioning", "ready"]);
    let namespace = site.namespace().await;
    let _shown = plane.show_if_failed(&namespace);
    let ready = &told[2].data;
    assert_eq!(ready["namespace"], namespace);
    assert_eq!(
        ready["endpoints"]["app"],
        format!("http://app.{namespace}.svc:8080")
    );
    let secret = ready["secret"].as_str().expect("the Secret's name");
    assert!(ready["expires_at"].as_str().is_some());

    // What is in it is the cluster's to know.
    let secrets: kube::Api<k8s_openapi::api::core::v1::Secret> =
        kube::Api::namespaced(site.client.clone(), &namespace);
    let secret = secrets.get(secret).await.expect("the Secret").data;
    let results = format!("{:?}", site.fleet.entries("k8s:results"));
    for (key, value) in secret.expect("data") {
        let value = String::from_utf8(value.0).expect("UTF-8");
        if key.contains("PASSWORD") {
            assert!(value.len() >= 24, "{key}");
            assert!(!results.contains(&value), "{key} was told");
        }
    }

    let down = json!({ "environment": "shop-1" });
    site.publish(
        "k8s:cleanup",
        "maestro.environment.cleanup.requested.v1",
        "down-1",
        &down,
    );
    let told = site.await_deleted("shop-1", &[&cleanup]);
    assert_eq!(
        phases(&told),
        ["accepted", "provisioning", "ready", "deleting", "deleted"]
    );
    assert_eq!(told.last().expect("told").data["cause"], "requested");
    assert!(site.namespaces().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn tests_run_in_their_environment_and_each_failure_becomes_an_error_to_heal() {
    let Some((plane, kubelet)) = shared_played().await else {
        return;
    };
    let log = report::log("collecting\n", report::JUNIT);
    kubelet.play("shop-tests:lifecycle", Play::exits(1).printing(log));
    let site = Site::on(plane).await;
    let (provision, cleanup) = (site.provision(&[]), site.cleanup(&[]));
    let project = json!({ "repository": "https://example.org/shop.git", "revision": "abc123" });
    let mut spec = stack("shop:1");
    spec["project"] = project.clone();
    spec["test"] = json!({
        "image": "shop-tests:lifecycle", "command": ["pytest", "-q"],
        "junit_path": "/results/junit.xml", "framework": "pytest",
    });
    site.request("shop-2", &spec);
    let told = site.await_deleted("shop-2", &[&provision, &cleanup]);
    assert_eq!(
        phases(&told),
        [
            "accepted",
            "provisioning",
            "ready",
            "testing",
            "tested",
            "deleting",
            "deleted"
        ]
    );
    let tested = told
        .iter()
        .find(|told| told.kind == "maestro.environment.tested.v1")
        .expect("tested");
    assert_eq!(tested.data["outcome"], "failed");
    assert_eq!(tested.data["exit_code"], 1);
    assert_eq!(
        tested.data["tests"],
        json!({ "passed": 1, "failed": 1, "errors": 0, "skipped": 0 })
    );
    assert_eq!(tested.data["reported"], 1);
    assert_eq!(
        tested.data["failures"][0]["id"],
        "tests/test_cart.py::test_total"
    );
    let head = tested.data["log"]["head"].as_str().expect("a log");
    assert!(head.contains("collecting"), "{head}");
    assert!(
        !head.contains("testsuite"),
        "the report is no part of the log: {head}"
    );
    assert_eq!(told.last().expect("told").data["cause"], "finished");

    let errors = site
        .fleet
        .await_entries("automation:errors", 1, &[&provision]);
    let error: serde_json::Value = serde_json::from_str(&errors[0]["data"]).expect("JSON");
    assert_eq!(error["environment"], "shop-2");
    assert_eq!(error["project"], project);
    assert_eq!(error["test"]["id"], "tests/test_cart.py::test_total");
    assert_eq!(error["kind"], "test_failure");
    assert!(site.namespaces().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_environment_whose_time_is_over_goes_unless_it_was_extended() {
    let Some((plane, _)) = shared_played().await else {
        return;
    };
    let site = Site::on(plane).await;
    let (provision, cleanup) = (site.provision(&[]), site.cleanup(&[]));
    let spec = json!({ "redis": true, "ttl_s": 8 });
    site.request("brief", &spec);
    site.request("longer", &spec);
    site.await_phase("longer", "ready", &[&provision]);
    let more = json!({ "environment": "longer", "by_s": 3600 });
    site.publish(
        "k8s:cleanup",
        "maestro.environment.extension.requested.v1",
        "more-1",
        &more,
    );
    let told = site.await_told("longer", &[&cleanup], |told| {
        told.kind == "maestro.environment.extended.v1"
    });
    assert_eq!(told.last().expect("told").data["granted"], true);
    let told = site.await_deleted("brief", &[&cleanup]);
    assert_eq!(told.last().expect("told").data["cause"], "expired");
    let left = site.namespaces().await;
    assert_eq!(left.len(), 1, "{left:?}");
    let untouched = site.told("longer");
    assert!(!phases(&untouched).contains(&"deleting"), "{untouched:?}");
}
