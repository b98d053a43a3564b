//! What waits is counted right even where Redis counts wrong.

use std::time::Duration;

use maestro_redis_server::Server;

use crate::rig::{Rig, config, relay, until};

/// Redis's append-only file does not keep how many entries a group has read, save when it is rewritten.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_waits_after_a_restart_although_redis_says_that_something_does() {
    let mut rig = Rig::with(Server::builder());
    let worker = rig.start(config(), relay());
    rig.publish((0..10).map(|n| n.to_string())).await;
    until("the first results", || async {
        rig.len("results").await == 10
    })
    .await;
    let _: String = rig.ask(&["BGREWRITEAOF"]).await;
    until("a file that is written again", || async {
        let info: String = rig.ask(&["INFO", "persistence"]).await;
        info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0")
    })
    .await;
    rig.publish((10..30).map(|n| n.to_string())).await;
    until("the other results", || async {
        rig.len("results").await == 30
    })
    .await;
    until("nothing pending", || async { rig.pending().await == 0 }).await;
    worker.stop().await;
    tokio::task::block_in_place(|| rig.server.restart()).unwrap();
    let groups: Vec<redis::Value> = rig.ask(&["XINFO", "GROUPS", "jobs"]).await;
    let said = format!("{groups:?}");
    let backlog = || async {
        let status = rig.admin().status(&["jobs"]).await.unwrap();
        status[0].groups[0].backlog()
    };
    assert_eq!(backlog().await, Some(0), "{said}");
    rig.publish((30..33).map(|n| n.to_string())).await;
    assert_eq!(backlog().await, Some(3), "{said}");
}

/// What a scaler asks for beside the lag: entries that somebody has, and gives no sign of life for.
#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_age_and_what_may_be_taken_over_are_told_with_and_without_a_lag() {
    let rig = Rig::new();
    let lease = Duration::from_secs(5);
    let status = || async {
        let status = rig.admin().lease(lease).status(&["jobs"]).await.unwrap();
        status[0].groups[0].clone()
    };
    let words = ["XGROUP", "CREATE", "jobs", "workers", "0", "MKSTREAM"];
    let _: String = rig.ask(&words).await;
    let empty = status().await;
    assert_eq!((empty.claimable, empty.oldest_unacknowledged), (0, None));
    let (now, _): (u64, u64) = rig.ask(&["TIME"]).await;
    for age in [1000, 100] {
        let id = format!("{}-0", (now - age) * 1000);
        let _: String = rig.ask(&["XADD", "jobs", &id, "a", "1"]).await;
    }
    let about = |age: Option<Duration>, seconds: u64| {
        let seconds = Duration::from_secs(seconds);
        age.is_some_and(|age| age >= seconds && age < seconds + Duration::from_mins(1))
    };
    // Neither is delivered, then one, then both.
    assert!(about(status().await.oldest_unacknowledged, 1000));
    let read = [
        "XREADGROUP",
        "GROUP",
        "workers",
        "c",
        "COUNT",
        "1",
        "STREAMS",
        "jobs",
        ">",
    ];
    let _: redis::Value = rig.ask(&read).await;
    assert!(about(status().await.oldest_unacknowledged, 1000));
    let first = format!("{}-0", (now - 1000) * 1000);
    let _: u64 = rig.ask(&["XACK", "jobs", "workers", &first]).await;
    assert!(about(status().await.oldest_unacknowledged, 100));
    let _: redis::Value = rig.ask(&read).await;
    let held = status().await;
    assert_eq!((held.lag, held.claimable), (Some(0), 0));
    assert!(about(held.oldest_unacknowledged, 100));
    // As if it had been silent for longer than a lease.
    let second = format!("{}-0", (now - 100) * 1000);
    let words = [
        "XCLAIM", "jobs", "workers", "c", "0", &second, "IDLE", "6000", "JUSTID",
    ];
    let _: redis::Value = rig.ask(&words).await;
    assert_eq!(status().await.claimable, 1);
}
