//! What waits is counted right even where Redis counts wrong.

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
