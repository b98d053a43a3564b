use std::time::Duration;

use maestro_redis_server::Server;
use maestro_streams::{CancellationToken, Consumer, Endpoint, Error};

use crate::rig::{Rig, config, relay, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_behind_a_port_and_a_password_is_reached_by_its_url() {
    let rig = Rig::with(Server::builder().free_port().append_only(false));
    let _: () = rig
        .ask(&[
            "ACL", "SETUSER", "worker", "on", ">p@ss", "~*", "&*", "+@all",
        ])
        .await;
    let port = rig.server.port().unwrap();
    let url = format!("redis://worker:p%40ss@127.0.0.1:{port}/0");
    let endpoint: Endpoint = url.parse().unwrap();
    let stop = CancellationToken::new();
    let consumer = Consumer::new(endpoint, config(), relay()).unwrap();
    let task = tokio::spawn(consumer.run(stop.clone()));
    rig.publish(["a".to_owned()]).await;
    until("the result", || async { rig.len("results").await == 1 }).await;
    stop.cancel();
    task.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_an_error_at_the_start() {
    let rig = Rig::with(Server::builder().free_port().append_only(false));
    let port = rig.server.port().unwrap();
    let endpoint: Endpoint = format!("redis://nobody:wrong@127.0.0.1:{port}")
        .parse()
        .unwrap();
    let consumer = Consumer::new(endpoint, config(), relay()).unwrap();
    let run = consumer.run(CancellationToken::new());
    let ended = tokio::time::timeout(Duration::from_secs(30), run)
        .await
        .unwrap();
    let error = ended.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }));
    assert!(!error.to_string().contains("wrong"));
}
