//! Many environments at once, several replicas, and all of them gone in the end.

use std::time::Instant;

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use maestro_environment_tests::Site;
use maestro_test_cluster::{ApiProxy, shared_played};
use serde_json::json;

/// How many are asked for at once.
const MANY: usize = 200;
/// How many replicas of each worker share them.
const REPLICAS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_at_once_all_come_up_and_all_go_when_their_time_is_over() {
    let Some((plane, _)) = shared_played().await else {
        return;
    };
    let proxy = ApiProxy::start(plane).await.expect("a proxy");
    let site = Site::through(plane, proxy.kubeconfig()).await;
    let all: Api<Namespace> = Api::all(site.client.clone());
    let made = strangers(&all).await;
    let workers: Vec<_> = (0..REPLICAS)
        .map(|_| site.provision(&["--provision-concurrency", "64"]))
        .collect();
    let begun = Instant::now();
    for number in 0..MANY {
        // Long enough to be up all at once, on a busy machine too.
        let spec = json!({ "app": { "image": "shop:1" }, "ttl_s": 3600 });
        site.request(&format!("env-{number}"), &spec);
    }
    let provisioners: Vec<_> = workers.iter().collect();
    // Three phases each.
    let entries = site
        .fleet
        .await_entries("k8s:results", 3 * MANY, &provisioners);
    let up = begun.elapsed();
    let ready = entries
        .iter()
        .filter(|entry| entry["data"].contains("\"phase\":\"ready\""))
        .count();
    assert_eq!(ready, MANY);
    assert_eq!(site.namespaces().await.len(), MANY);
    assert!(site.fleet.dead("k8s:provision").is_empty());
    let refused = proxy
        .requests()
        .iter()
        .filter(|request| request.status.is_some_and(|status| status.as_u16() == 429))
        .count();
    assert_eq!(refused, 0, "the API server had to hold the workers off");

    // Their time is over: what stands on them says so.
    let over = json!({ "metadata": { "annotations": { "maestro.dev/expires-at": "2020-01-01T00:00:00Z" } } });
    for namespace in site.namespaces().await {
        let name = namespace.metadata.name.expect("a name");
        all.patch(
            &name,
            &kube::api::PatchParams::default(),
            &kube::api::Patch::Merge(&over),
        )
        .await
        .expect("it can be annotated");
    }
    let begun = Instant::now();
    let cleaners: Vec<_> = (0..REPLICAS).map(|_| site.cleanup(&[])).collect();
    let cleaners: Vec<_> = cleaners.iter().collect();
    // Deleting, deleted, and the event itself.
    let entries = site.fleet.await_entries("k8s:results", 6 * MANY, &cleaners);
    let down = begun.elapsed();
    let mut deleted: Vec<_> = entries
        .iter()
        .filter(|entry| entry["type"] == "maestro.environment.deleted.v1")
        .map(|entry| entry["data"].clone())
        .collect();
    deleted.sort();
    deleted.dedup();
    assert_eq!(deleted.len(), MANY);
    assert!(site.namespaces().await.is_empty());
    for name in made {
        let stranger = all.get(&name).await.expect("it is still there");
        assert!(stranger.metadata.deletion_timestamp.is_none(), "{name}");
        drop(all.delete(&name, &kube::api::DeleteParams::default()).await);
    }
    println!(
        "{MANY} environments by {REPLICAS} replicas: ready after {up:.1?} with {} requests, gone after {down:.1?}",
        proxy.requests().len(),
    );
}

/// A namespace of somebody else, and one that looks like ours but belongs to another fleet.
async fn strangers(all: &Api<Namespace>) -> Vec<String> {
    let strangers = [("stranger", None), ("neighbour", Some("another-fleet"))];
    let mut made = Vec::new();
    for (name, owner) in strangers {
        let labels = owner.map(|owner: &str| {
            [
                (
                    "app.kubernetes.io/managed-by".to_owned(),
                    "maestro".to_owned(),
                ),
                ("maestro.dev/owner".to_owned(), owner.to_owned()),
            ]
            .into()
        });
        let namespace = Namespace {
            metadata: ObjectMeta {
                generate_name: Some(format!("{name}-")),
                labels,
                annotations: Some(
                    [(
                        "maestro.dev/expires-at".to_owned(),
                        "2020-01-01T00:00:00Z".to_owned(),
                    )]
                    .into(),
                ),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        let namespace = all.create(&PostParams::default(), &namespace).await;
        made.push(
            namespace
                .expect("a namespace")
                .metadata
                .name
                .expect("a name"),
        );
    }
    made
}
