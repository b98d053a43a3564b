//! Specs that are broken or hostile: one clear sentence each, nothing left behind, and the worker goes on.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use maestro_environment_tests::{Site, stack};
use maestro_test_cluster::shared_played;
use serde_json::{Value, json};

/// Every one of these must be refused.
fn specs() -> Vec<Value> {
    let mut specs = Vec::new();
    for image in [
        "",
        " ",
        "shop/UPPER",
        "a b",
        "shop:",
        "shop:1:2",
        "http://registry.example/shop",
        "shop@sha256:12",
        "-shop",
        "../shop",
        "shop:tag with space",
        "shop\nkind: Pod",
        "{{ namespace }}",
        "shop:\u{202e}1",
    ] {
        specs.push(json!({ "app": { "image": image } }));
    }
    for port in [json!(0), json!(65536), json!(-1), json!("80"), json!(1.5)] {
        specs.push(json!({ "app": { "image": "shop:1", "port": port } }));
    }
    for cpu in ["0", "-1", "1 core", "10000000", "1e", "0x1", "1\n"] {
        specs.push(json!({ "app": { "image": "shop:1", "resources": { "cpu": cpu } } }));
    }
    for memory in ["1Zi", "512MB", "999Ei", ""] {
        specs.push(json!({ "app": { "image": "shop:1", "resources": { "memory": memory } } }));
    }
    specs.push(json!({ "app": { "image": "shop:1", "env": { "A=B": "x" } } }));
    specs.push(json!({ "app": { "image": "shop:1", "env": { "": "x" } } }));
    specs.push(json!({ "app": { "image": "shop:1", "env": { "HUGE": "x".repeat(900_000) } } }));
    specs.push(json!({ "app": { "image": "shop:1", "replicas": 0 } }));
    specs.push(json!({ "app": { "image": "shop:1", "replicas": 101 } }));
    specs.push(json!({ "app": { "image": "shop:1", "replicas": 100 } }));
    specs.push(json!({ "app": { "image": "shop:1", "health_path": "health", "port": 80 } }));
    specs.push(json!({ "app": { "image": "shop:1" }, "labels": { "x".repeat(300): "y" } }));
    specs.push(json!({ "app": { "image": "shop:1" }, "labels": { "x": "y".repeat(300) } }));
    specs.push(json!({ "app": { "image": "shop:1" }, "labels": { "maestro.dev/owner": "me" } }));
    specs.push(
        json!({ "app": { "image": "shop:1" }, "labels": { "app.kubernetes.io/managed-by": "me" } }),
    );
    specs.push(json!({ "app": { "image": "shop:1" }, "labels": { "a": "b: c\nd: e" } }));
    specs.push(json!({ "app": { "image": "shop:1" }, "quota": { "cpu": "1m" } }));
    specs.push(json!({ "app": { "image": "shop:1" }, "quota": { "memory": "1Mi" } }));
    specs.push(json!({ "app": { "image": "shop:1", "replicas": 9 }, "quota": { "pods": 3 } }));
    specs.push(json!({ "app": { "image": "shop:1" }, "templates": ["../../etc/passwd"] }));
    specs.push(json!({ "app": { "image": "shop:1" }, "templates": ["unknown"] }));
    specs.push(json!({ "app": { "image": "shop:1" }, "templates": ["namespace"] }));
    specs.push(json!({ "database": "postgresql", "database_version": "9.6" }));
    specs.push(json!({ "database": "postgresql", "database_version": "17\nx: y" }));
    specs.push(json!({ "database": "oracle" }));
    specs.push(json!({ "redis": "yes" }));
    specs.push(json!({ "redis": true, "ttl_s": 0 }));
    specs.push(json!({ "redis": true, "ttl_s": 2_592_001 }));
    specs.push(json!({ "redis": true, "network": { "egress": "everywhere" } }));
    specs.push(json!({ "redis": true, "test": { "image": "t:1", "command": [] } }));
    specs.push(json!({ "redis": true, "test": { "image": "t:1" } }));
    specs.push(json!([]));
    specs
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_with_one_sentence_and_leaves_nothing() {
    let Some((plane, _)) = shared_played().await else {
        return;
    };
    let site = Site::on(plane).await;
    let specs = specs();
    assert!(specs.len() >= 50, "{}", specs.len());
    let provision = site.provision(&[]);
    for (number, spec) in specs.iter().enumerate() {
        site.request(&format!("bad-{number}"), spec);
    }
    let letters = site
        .fleet
        .await_entries("{k8s:provision}:dead", specs.len(), &[&provision]);
    assert_eq!(letters.len(), specs.len());
    for letter in &letters {
        let detail = &letter["deaddetail"];
        assert!(detail.len() > 10 && !detail.contains('\n'), "{detail}");
        assert!(detail.len() < 2000, "{detail}");
    }
    assert!(site.namespaces().await.is_empty());
    // The same worker goes on.
    site.request("good", &stack("shop:1"));
    site.await_phase("good", "ready", &[&provision]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_of_the_same_name_that_is_somebody_else_s_is_left_as_it_is() {
    let Some((plane, _)) = shared_played().await else {
        return;
    };
    let site = Site::on(plane).await;
    let provision = site.provision(&[]);
    // Which name it would be is seen by asking once.
    site.request("taken", &json!({ "redis": true }));
    let told = site.await_phase("taken", "ready", &[&provision]);
    let name = told[0].data["namespace"]
        .as_str()
        .expect("a name")
        .to_owned();
    let all: Api<Namespace> = Api::all(site.client.clone());
    all.delete(&name, &DeleteParams::default())
        .await
        .expect("it goes");
    maestro_test_cluster::until_gone(&all, &name).await;
    let theirs = Namespace {
        metadata: ObjectMeta {
            name: Some(name.clone()),
            ..ObjectMeta::default()
        },
        ..Namespace::default()
    };
    all.create(&PostParams::default(), &theirs)
        .await
        .expect("theirs");
    // The same id by another producer.
    let _: String = redis::cmd("XADD")
        .arg("k8s:provision")
        .arg("*")
        .arg(&[
            ("type", "maestro.environment.requested.v1"),
            ("id", "taken"),
            ("source", "another"),
        ])
        .arg("data")
        .arg(json!({ "redis": true }).to_string())
        .query(&mut site.fleet.redis())
        .expect("XADD");
    let told = site.await_told("taken", &[&provision], |told| {
        told.data["reason"] == "NameTaken"
    });
    let detail = told.last().expect("told").data["detail"].to_string();
    assert!(detail.contains("belongs to somebody else"), "{detail}");
    let there = all.get(&name).await.expect("it is there");
    assert!(
        there
            .metadata
            .labels
            .unwrap_or_default()
            .keys()
            .all(|key| !key.contains("maestro"))
    );
    drop(all.delete(&name, &DeleteParams::default()).await);
}
