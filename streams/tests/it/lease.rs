use std::sync::Arc;
use std::time::Duration;

use maestro_streams::{ConsumerConfig, Outcome};
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::rig::{Log, Rig, by, config, done, relay, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_runs_many_leases_long_keeps_its_message() {
    let rig = Rig::new();
    rig.publish(["slow".to_owned()]).await;
    let begun = Log::default();
    let slow = || {
        let begun = begun.clone();
        by(move |delivery| {
            begun.note("slow");
            async move {
                sleep(Duration::from_secs(6)).await;
                if delivery.cancelled.is_cancelled() {
                    return Outcome::Done(Vec::new());
                }
                done(&delivery)
            }
        })
    };
    let short = ConsumerConfig {
        lease: Duration::from_millis(300),
        upkeep: Duration::from_millis(25),
        ..config()
    };
    let (one, two) = (rig.start(short.clone(), slow()), rig.start(short, slow()));
    until("the result", || async { rig.len("results").await == 1 }).await;
    assert_eq!(begun.count(), 1);
    one.stop().await;
    two.stop().await;
    assert_eq!(rig.pending().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_workers_messages_are_taken_over_and_the_worker_is_forgotten() {
    let rig = Rig::new();
    rig.publish((0..5).map(|n| n.to_string())).await;
    let begun = Log::default();
    let hanging = {
        let begun = begun.clone();
        by(move |_| {
            begun.note("");
            std::future::pending()
        })
    };
    let dead = rig.start(config(), hanging);
    until("all in hand", || async { begun.count() == 5 }).await;
    let name = dead.name.clone();
    dead.kill();
    let deliveries = Log::default();
    let heir = {
        let deliveries = deliveries.clone();
        by(move |delivery| {
            deliveries.note(delivery.deliveries.to_string());
            async move { done(&delivery) }
        })
    };
    let heir = rig.start(config(), heir);
    until("all handled", || async { rig.len("results").await == 5 }).await;
    assert!(deliveries.all().iter().all(|n| n == "2"));
    until("the dead one is gone", || async {
        rig.consumers().await == 1
    })
    .await;
    let registered: bool = rig
        .ask(&["HEXISTS", "{jobs}:workers", &format!("workers/{name}")])
        .await;
    assert!(!registered);
    heir.stop().await;
    assert_eq!(rig.consumers().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fence_token_of_a_consumer_that_was_lost_before_it_read_anything_is_taken_away() {
    let rig = Rig::new();
    let worker = rig.start(config(), relay());
    let has_token = async |name: &str| {
        let field = format!("workers/{name}");
        rig.ask::<bool>(&["HEXISTS", "{jobs}:fence", &field]).await
    };
    until("it has a token", || has_token(&worker.name)).await;
    let _: u64 = rig
        .ask(&["HSET", "{jobs}:fence", "workers/lost", "7"])
        .await;
    until("the other one's is gone", async || !has_token("lost").await).await;
    // It is in nobody's group either, before it has read anything.
    assert!(has_token(&worker.name).await);
    worker.stop().await;
    assert_eq!(rig.len_of("HLEN", "{jobs}:fence").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_living_consumer_that_waits_in_vain_is_not_deleted() {
    let rig = Rig::new();
    let short = ConsumerConfig {
        // It counts as dead after three of them, which a busy machine must not take from it.
        lease: Duration::from_millis(300),
        housekeeping: Duration::from_millis(30),
        ..config()
    };
    let (one, two) = (rig.start(short.clone(), relay()), rig.start(short, relay()));
    // A consumer exists in the group once it has read.
    let sent = Log::default();
    until("both are there", || async {
        rig.publish([sent.note("").to_string()]).await;
        rig.consumers().await == 2
    })
    .await;
    for _ in 0..40 {
        sleep(Duration::from_millis(30)).await;
        assert_eq!(rig.consumers().await, 2);
    }
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zombie_that_lost_its_lease_is_told_and_commits_nothing() {
    let rig = Rig::new();
    rig.publish(["a".to_owned()]).await;
    let (begun, told) = (Log::default(), Log::default());
    let release = Arc::new(Notify::new());
    let zombie = {
        let (begun, told, release) = (begun.clone(), told.clone(), release.clone());
        by(move |delivery| {
            let (begun, told, release) = (begun.clone(), told.clone(), release.clone());
            async move {
                begun.note("");
                delivery.cancelled.cancelled().await;
                told.note("");
                release.notified().await;
                done(&delivery)
            }
        })
    };
    let zombie = rig.start(config(), zombie);
    until("it has begun", || async { begun.count() == 1 }).await;
    // Somebody else takes it, as after a long pause.
    let id: Vec<(String, String, u64, u64)> = rig
        .ask(&["XPENDING", "jobs", "workers", "-", "+", "1"])
        .await;
    let _: Vec<String> = rig
        .ask(&[
            "XCLAIM", "jobs", "workers", "thief", "0", &id[0].0, "JUSTID",
        ])
        .await;
    until("it is told", || async { told.count() == 1 }).await;
    release.notify_one();
    zombie.stop().await;
    assert_eq!(rig.len("results").await, 0);
    assert_eq!(rig.pending().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_comes_after_the_take_over_is_fenced_by_the_commit_itself() {
    let rig = Rig::new();
    rig.publish(["a".to_owned()]).await;
    let begun = Log::default();
    let release = Arc::new(Notify::new());
    let zombie = {
        let (begun, release) = (begun.clone(), release.clone());
        by(move |delivery| {
            let (begun, release) = (begun.clone(), release.clone());
            async move {
                begun.note("");
                release.notified().await;
                done(&delivery)
            }
        })
    };
    // No upkeep: it learns of nothing before it commits.
    let blind = ConsumerConfig {
        lease: Duration::from_mins(10),
        upkeep: Duration::from_mins(10),
        ..config()
    };
    let zombie = rig.start(blind, zombie);
    until("it has begun", || async { begun.count() == 1 }).await;
    let id: Vec<(String, String, u64, u64)> = rig
        .ask(&["XPENDING", "jobs", "workers", "-", "+", "1"])
        .await;
    let _: Vec<String> = rig
        .ask(&[
            "XCLAIM", "jobs", "workers", "thief", "0", &id[0].0, "JUSTID",
        ])
        .await;
    release.notify_one();
    zombie.stop().await;
    assert_eq!(rig.len("results").await, 0);
    assert_eq!(rig.pending().await, 1);
}
