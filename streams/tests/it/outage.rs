use std::collections::HashSet;

use maestro_redis_server::{Fsync, Server};

use maestro_streams::ConsumerConfig;

use crate::rig::{Rig, config, relay, until};

fn assert_once(results: &[String], expected: usize) {
    let distinct: HashSet<_> = results.iter().collect();
    assert_eq!((results.len(), distinct.len()), (expected, expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_connections_lose_nothing_and_double_nothing() {
    let rig = Rig::new();
    let wide = ConsumerConfig {
        concurrency: 64,
        ..config()
    };
    let workers = [rig.start(wide.clone(), relay()), rig.start(wide, relay())];
    let mut sent = 0;
    for round in 0..15 {
        rig.publish((0..200).map(|n| format!("{round}-{n}"))).await;
        sent += 200;
        let _: u64 = rig
            .ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"])
            .await;
    }
    until("all results", || async { rig.len("results").await >= sent }).await;
    until("nothing pending", || async { rig.pending().await == 0 }).await;
    for worker in workers {
        worker.stop().await;
    }
    assert_once(&rig.values("results", "of").await, 3000);
    assert_eq!(rig.consumers().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_server_finds_the_fleet_again() {
    let mut rig = Rig::with(Server::builder().fsync(Fsync::Always));
    let worker = rig.start(config(), relay());
    for round in 0..3 {
        rig.publish((0..100).map(|n| format!("{round}-{n}"))).await;
        tokio::task::block_in_place(|| rig.server.restart()).unwrap();
    }
    until("all results", || async { rig.len("results").await >= 300 }).await;
    until("nothing pending", || async { rig.pending().await == 0 }).await;
    worker.stop().await;
    assert_once(&rig.values("results", "of").await, 300);
    assert_eq!(rig.consumers().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_waits_for_a_server_that_is_not_there_yet() {
    let mut rig = Rig::with(Server::builder());
    rig.server.kill();
    let worker = rig.start(config(), relay());
    tokio::task::block_in_place(|| rig.server.restart()).unwrap();
    rig.publish(["a".to_owned()]).await;
    until("the result", || async { rig.len("results").await == 1 }).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_group_is_made_again_where_it_had_come_to() {
    let rig = Rig::new();
    let worker = rig.start(config(), relay());
    rig.publish((0..100).map(|n| n.to_string())).await;
    until("the first results", || async {
        rig.len("results").await == 100
    })
    .await;
    until("the cursor is saved", || async {
        let cursor: Option<String> = rig.ask(&["HGET", "{jobs}:cursor", "workers"]).await;
        let last: Vec<(String, Vec<(String, String)>)> = rig
            .ask(&["XREVRANGE", "jobs", "+", "-", "COUNT", "1"])
            .await;
        cursor.as_deref() == Some(last[0].0.as_str())
    })
    .await;
    let _: u64 = rig.ask(&["XGROUP", "DESTROY", "jobs", "workers"]).await;
    rig.publish((100..200).map(|n| n.to_string())).await;
    until("the other results", || async {
        rig.len("results").await >= 200
    })
    .await;
    worker.stop().await;
    assert_once(&rig.values("results", "of").await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flushed_server_is_worked_on_as_a_new_one() {
    let rig = Rig::new();
    let worker = rig.start(config(), relay());
    rig.publish(["a".to_owned()]).await;
    until("the result", || async { rig.len("results").await == 1 }).await;
    let _: () = rig.ask(&["FLUSHALL"]).await;
    rig.publish(["b".to_owned()]).await;
    until("the other result", || async {
        rig.values("results", "of").await == ["b"]
    })
    .await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_memory_delays_outcomes_and_loses_none() {
    let rig = Rig::new();
    rig.publish((0..50).map(|n| n.to_string())).await;
    rig.admin()
        .ensure_groups(&[("jobs", "workers")])
        .await
        .unwrap();
    let _: () = rig.ask(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let worker = rig.start(config(), relay());
    until("they are in hand", || async {
        let status = rig.admin().status(&["jobs"]).await.unwrap();
        status[0]
            .groups
            .first()
            .is_some_and(|group| group.pending > 0)
    })
    .await;
    assert_eq!(rig.len("results").await, 0);
    let _: () = rig.ask(&["CONFIG", "SET", "maxmemory", "0"]).await;
    until("all results", || async { rig.len("results").await == 50 }).await;
    until("nothing pending", || async { rig.pending().await == 0 }).await;
    assert_eq!(rig.len("{jobs}:dead").await, 0);
    worker.stop().await;
}
