//! The proxy passes everything on, tells what it was, and breaks it where a test wants it broken.

use std::process::Command;
use std::sync::mpsc;

use bytes::Bytes;
use futures_util::{AsyncBufReadExt as _, StreamExt as _, TryStreamExt as _};
use http::{Method, StatusCode};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube::api::{ListParams, LogParams, ObjectMeta, PostParams, WatchEvent, WatchParams};
use kube::{Api, Client};
use maestro_test_cluster::{Answer, ApiProxy, ControlPlane, TestNamespace, Then, When, shared};

/// A namespace, and a proxy with nobody else behind it.
struct Stage {
    plane: &'static ControlPlane,
    namespace: TestNamespace,
    proxy: ApiProxy,
}

impl Stage {
    async fn set() -> Option<Self> {
        let plane = shared().await?;
        Some(Self {
            plane,
            namespace: plane.namespace().await.expect("a namespace is made"),
            proxy: ApiProxy::start(plane).await.expect("a proxy is started"),
        })
    }

    /// Through the proxy.
    async fn maps(&self) -> Api<ConfigMap> {
        let client = self.proxy.client().await.expect("a client is made");
        Api::namespaced(client, self.namespace.name())
    }

    /// Past it.
    async fn names(&self) -> Vec<String> {
        let client = self.plane.client().await.expect("a client is made");
        let maps: Api<ConfigMap> = Api::namespaced(client, self.namespace.name());
        let maps = maps
            .list(&ListParams::default())
            .await
            .expect("they are listed");
        let names = maps.into_iter().filter_map(|map| map.metadata.name);
        // From 1.20 on each namespace has this one.
        names.filter(|name| name != "kube-root-ca.crt").collect()
    }

    fn path(&self) -> String {
        format!("/api/v1/namespaces/{}/configmaps", self.namespace.name())
    }
}

fn map(name: &str) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        ..ConfigMap::default()
    }
}

#[tokio::test]
async fn requests_pass_with_the_proxys_rights_and_are_recorded_in_order() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let maps = stage.maps().await;
    maps.create(&PostParams::default(), &map("a"))
        .await
        .unwrap();
    maps.create(&PostParams::default(), &map("a"))
        .await
        .unwrap_err();
    maps.list(&ListParams::default().limit(7)).await.unwrap();
    let path = stage.path();
    let seen: Vec<_> = stage.proxy.requests();
    let seen: Vec<_> = seen
        .iter()
        .map(|request| {
            (
                request.number,
                &request.method,
                request.path.as_str(),
                request.status.unwrap().as_u16(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (1, &Method::POST, path.as_str(), 201),
            (2, &Method::POST, path.as_str(), 409),
            (3, &Method::GET, path.as_str(), 200),
        ]
    );
    assert!(stage.proxy.requests()[2].query.contains("limit=7"));
    stage.proxy.forget();
    assert!(stage.proxy.requests().is_empty());
}

#[tokio::test]
async fn a_watch_is_streamed_and_ends_when_its_connection_is_cut() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let maps = stage.maps().await;
    let only = WatchParams::default().fields("metadata.name=late");
    let mut watch = Box::pin(maps.watch(&only, "0").await.unwrap());
    let client = stage.plane.client().await.unwrap();
    let past: Api<ConfigMap> = Api::namespaced(client, stage.namespace.name());
    past.create(&PostParams::default(), &map("late"))
        .await
        .unwrap();
    // It has come although the answer is not at its end.
    let event = watch.try_next().await.unwrap().unwrap();
    assert!(
        matches!(event, WatchEvent::Added(map) if map.metadata.name.as_deref() == Some("late"))
    );
    stage.proxy.cut();
    while let Some(Ok(_)) = watch.next().await {}
    // The next connection is as good as the first.
    maps.get("late").await.unwrap();
}

#[tokio::test]
async fn a_process_is_killed_after_the_answer_to_its_third_request_and_before_it_hears_of_it() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let program = r#"
import json, sys, urllib.request
for n in range(1, 10):
    body = json.dumps({"metadata": {"name": f"m{n}"}}).encode()
    headers = {"Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(sys.argv[1], body, headers)).read()
"#;
    let url = format!("{}{}", stage.proxy.url(), stage.path());
    // The act needs the child, which exists only after the act has been set.
    let (child, given) = mpsc::channel::<std::process::Child>();
    let (killed, told) = mpsc::channel();
    stage.proxy.at(3, When::After, move |request| {
        let mut child = given.recv().unwrap();
        child.kill().unwrap();
        killed
            .send((request.status, child.wait().unwrap()))
            .unwrap();
        Then::Lose
    });
    let started = Command::new("python3")
        .args(["-c", program, &url])
        .spawn()
        .unwrap();
    child.send(started).unwrap();
    let (status, end) = tokio::task::spawn_blocking(move || told.recv().unwrap())
        .await
        .unwrap();
    assert_eq!(status, Some(StatusCode::CREATED));
    assert!(!end.success());
    assert_eq!(stage.names().await, ["m1", "m2", "m3"]);
}

#[tokio::test]
async fn what_is_lost_before_has_not_happened_and_what_is_lost_after_has() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let maps = stage.maps().await;
    stage.proxy.at(1, When::Before, |_| Then::Lose);
    maps.create(&PostParams::default(), &map("before"))
        .await
        .unwrap_err();
    assert_eq!(stage.proxy.requests()[0].status, None);
    stage.proxy.forget();
    stage.proxy.at(1, When::After, |_| Then::Lose);
    maps.create(&PostParams::default(), &map("after"))
        .await
        .unwrap_err();
    assert_eq!(stage.proxy.requests()[0].status, Some(StatusCode::CREATED));
    assert_eq!(stage.names().await, ["after"]);
}

#[tokio::test]
async fn a_client_waits_as_long_as_a_scripted_429_asks_and_a_5xx_reaches_it() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let maps = stage.maps().await;
    stage.proxy.answer(
        2,
        |request| request.method == Method::POST,
        || Answer::too_many_requests(0),
    );
    maps.create(&PostParams::default(), &map("a"))
        .await
        .unwrap();
    let statuses: Vec<u16> = stage
        .proxy
        .requests()
        .iter()
        .map(|request| request.status.unwrap().as_u16())
        .collect();
    assert_eq!(statuses, [429, 429, 201]);
    let broken = || Answer::failure(StatusCode::INTERNAL_SERVER_ERROR, "etcd is away");
    stage
        .proxy
        .answer(1, |request| request.path.ends_with("/configmaps/a"), broken);
    let kube::Error::Api(status) = maps.get("a").await.unwrap_err() else {
        panic!("the API server's error is not seen as one");
    };
    assert_eq!(
        (status.code, status.message.as_str()),
        (500, "etcd is away")
    );
    maps.get("a").await.unwrap();
}

#[tokio::test]
async fn a_followed_log_is_played_piece_by_piece() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let pods: Api<Pod> =
        Api::namespaced(stage.proxy.client().await.unwrap(), stage.namespace.name());
    let (pieces, given) = tokio::sync::mpsc::unbounded_channel::<Bytes>();
    let given = std::sync::Mutex::new(Some(given));
    stage.proxy.answer(
        1,
        |request| request.path.ends_with("/pods/p/log") && request.query.contains("follow=true"),
        move || {
            let given = given.lock().unwrap().take().unwrap();
            Answer::stream(futures_util::stream::unfold(given, async |mut given| {
                Some((given.recv().await?, given))
            }))
        },
    );
    let follow = LogParams {
        follow: true,
        ..LogParams::default()
    };
    let mut lines = pods.log_stream("p", &follow).await.unwrap().lines();
    pieces.send(Bytes::from_static(b"one\n")).unwrap();
    assert_eq!(lines.try_next().await.unwrap().as_deref(), Some("one"));
    pieces.send(Bytes::from_static(b"two\n")).unwrap();
    drop(pieces);
    assert_eq!(lines.try_next().await.unwrap().as_deref(), Some("two"));
    assert_eq!(lines.try_next().await.unwrap(), None);
}

#[tokio::test]
async fn a_proxy_that_refuses_takes_no_new_connection_until_it_no_longer_does() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    stage.proxy.refuse(true);
    stage
        .maps()
        .await
        .list(&ListParams::default())
        .await
        .unwrap_err();
    assert!(stage.proxy.requests().is_empty());
    stage.proxy.refuse(false);
    stage
        .maps()
        .await
        .list(&ListParams::default())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_service_accounts_rights_are_its_own_and_go_through_the_proxy() {
    let Some(stage) = Stage::set().await else {
        return;
    };
    let name = stage.namespace.name();
    let kubeconfig = stage.plane.kubeconfig_as(name, "default").await.unwrap();
    let proxy = ApiProxy::start_with(&kubeconfig).await.unwrap();
    for client in [
        stage.plane.client_as(name, "default").await.unwrap(),
        proxy.client().await.unwrap(),
    ] {
        assert_eq!(refusal(client).await, 403);
    }
    assert_eq!(proxy.requests()[0].status, Some(StatusCode::FORBIDDEN));
}

async fn refusal(client: Client) -> u16 {
    match Api::<Namespace>::all(client)
        .list(&ListParams::default())
        .await
    {
        Err(kube::Error::Api(status)) => status.code,
        other => panic!("not refused: {other:?}"),
    }
}
