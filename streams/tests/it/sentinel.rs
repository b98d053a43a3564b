//! Redis behind Sentinel: found, and found again after the replica has become the master.

use std::collections::HashSet;
use std::time::Duration;

use maestro_streams::{Error, Publisher};
use tokio::time::Instant;

use crate::net::ask_at;
use crate::rig::{config, job, relay, start, until};
use crate::watched::Watched;

fn numbered(what: &str, n: usize) -> Vec<String> {
    (0..n).map(|n| format!("{what}{n}")).collect()
}

async fn publish(publisher: &Publisher, ids: &[String]) -> Result<(), Error> {
    let messages: Vec<_> = ids.iter().map(|id| job(id)).collect();
    publisher.publish(&messages).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failover_work_goes_on_and_what_a_replica_had_is_neither_lost_nor_done_twice() {
    let watched = Watched::new().await;
    let [old, new] = [0, 1];
    let workers = [
        start(&watched.endpoint, config(), relay()),
        start(&watched.endpoint, config(), relay()),
    ];
    let publisher = watched.publisher();
    let before = numbered("before", 50);
    publish(&publisher, &before).await.unwrap();
    until("results", || async {
        watched.values(old, "results", "of").await.len() == 50
    })
    .await;

    let sentinel = watched.sentinels[0].url();
    let last = numbered("last", 50);
    publish(&publisher, &last).await.unwrap();
    assert!(watched.is_replicated(old).await);
    until("a failover", || async {
        // Refused as long as the Sentinel has not looked at the replica lately.
        let begun = ask_at::<()>(&sentinel, &["SENTINEL", "FAILOVER", "main"]).await;
        begun.is_ok()
    })
    .await;
    let begun = Instant::now();
    // What is published while the master changes may be refused, or be lost with the old master: the ids are told again.
    let mut during = Vec::new();
    let port = watched.ports[new];
    while watched.master_of(0).await != port {
        assert!(begun.elapsed() < Duration::from_secs(40), "no other master");
        let batch = numbered(&format!("during{}-", during.len()), 5);
        drop(publish(&publisher, &batch).await);
        during.extend(batch);
    }
    // Sentinel does this too, after eight seconds.
    let follow = ["REPLICAOF", "127.0.0.1", &port.to_string()];
    let _: () = watched.ask(old, &follow).await;
    until("a master with a replica", || watched.is_replicated(new)).await;
    until("a publisher at the new master", || async {
        publish(&publisher, &during).await.is_ok()
    })
    .await;
    let after = numbered("after", 50);
    publish(&publisher, &after).await.unwrap();

    let expected = [before, last, during, after].concat();
    let expected: HashSet<String> = expected.into_iter().collect();
    until("all results", || async {
        let results = watched.values(new, "results", "of").await;
        results.len() >= expected.len()
    })
    .await;
    until("the end of the work", || async {
        let status = watched.admin().status(&["jobs"]).await;
        status.is_ok_and(|status| status[0].groups[0].backlog() == Some(0))
    })
    .await;
    for worker in workers {
        worker.stop().await;
    }
    let results = watched.values(new, "results", "of").await;
    assert_eq!(results.len(), expected.len());
    assert_eq!(results.into_iter().collect::<HashSet<_>>(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sentinel_that_is_gone_is_passed_over_and_a_slow_answer_is_waited_for() {
    let mut watched = Watched::new().await;
    watched.sentinels[0].kill();
    let worker = start(&watched.endpoint, config(), relay());
    let publisher = watched.publisher();
    publish(&publisher, &numbered("a", 5)).await.unwrap();
    until("results", || async {
        watched.values(0, "results", "of").await.len() == 5
    })
    .await;
    worker.stop().await;
    // Longer than the half second after which the redis crate gives up by itself.
    let _: () = watched.ask(0, &["CLIENT", "PAUSE", "900", "WRITE"]).await;
    let begun = Instant::now();
    publish(&publisher, &numbered("b", 5)).await.unwrap();
    assert!(begun.elapsed() > Duration::from_millis(500));
}
