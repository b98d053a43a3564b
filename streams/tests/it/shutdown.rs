use std::time::Duration;

use maestro_streams::{ConsumerConfig, Delivery};
use tokio::time::Instant;

use crate::rig::{Log, Rig, by, config, done, until};

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_is_finished_within_the_grace_period() {
    let rig = Rig::new();
    rig.publish((0..8).map(|n| n.to_string())).await;
    let begun = Log::default();
    let handler = {
        let begun = begun.clone();
        by(move |delivery| {
            begun.note("");
            async move {
                tokio::time::sleep(Duration::from_millis(300)).await;
                done(&delivery)
            }
        })
    };
    let worker = rig.start(config(), handler);
    until("all have begun", || async { begun.count() == 8 }).await;
    worker.stop().await;
    assert_eq!(rig.len("results").await, 8);
    assert_eq!(rig.pending().await, 0);
    assert_eq!(rig.consumers().await, 0);
    let registered: u64 = rig.ask(&["HLEN", "{jobs}:workers"]).await;
    assert_eq!(registered, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_is_handed_back_and_another_replica_takes_it_at_once() {
    let rig = Rig::new();
    rig.publish((0..4).map(|n| n.to_string())).await;
    // A lease that nobody could wait for here.
    let long = ConsumerConfig {
        lease: Duration::from_hours(1),
        // A tenth of it is what handlers have to hear that it is over, on a busy machine too.
        grace: Duration::from_secs(3),
        ..config()
    };
    let (begun, told) = (Log::default(), Log::default());
    let hanging = {
        let (begun, told) = (begun.clone(), told.clone());
        by(move |delivery: Delivery| {
            let (begun, told) = (begun.clone(), told.clone());
            async move {
                begun.note("");
                delivery.cancelled.cancelled().await;
                told.note("");
                std::future::pending().await
            }
        })
    };
    let deliveries = Log::default();
    let heir = {
        let deliveries = deliveries.clone();
        by(move |delivery| {
            deliveries.note(delivery.deliveries.to_string());
            async move { done(&delivery) }
        })
    };
    let leaving = rig.start(long.clone(), hanging);
    until("all have begun", || async { begun.count() == 4 }).await;
    let heir = rig.start(long, heir);
    until("the heir waits", || async { rig.blocked().await == 2 }).await;
    leaving.stop().await;
    let left = Instant::now();
    until("all handled", || async { rig.len("results").await == 4 }).await;
    assert!(left.elapsed() < Duration::from_secs(10));
    assert_eq!(told.count(), 4);
    // A hand-over does not count as a delivery.
    assert!(deliveries.all().iter().all(|n| n == "1"));
    until("the one that left is gone", || async {
        rig.consumers().await == 1
    })
    .await;
    heir.stop().await;
    assert_eq!(rig.consumers().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_worker_ends_without_waiting_for_its_blocking_read() {
    let rig = Rig::new();
    let patient = ConsumerConfig {
        block: Duration::from_hours(1),
        ..config()
    };
    let worker = rig.start(patient, crate::rig::relay());
    until("it waits", || async { rig.blocked().await == 1 }).await;
    worker.stop().await;
    assert_eq!(rig.consumers().await, 0);
}
