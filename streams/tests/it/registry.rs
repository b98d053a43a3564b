//! Who works on a stream, and what each one holds.

use std::sync::Arc;
use std::time::Duration;

use maestro_streams::{ConsumerConfig, Outcome, Replica};
use tokio::sync::Semaphore;

use crate::rig::{Rig, by, config, done, job, relay, until};

async fn replicas(rig: &Rig) -> Vec<Replica> {
    let all = rig.admin().replicas(&["jobs"]).await;
    all.expect("the registry")
}

async fn named(rig: &Rig, name: &str) -> Option<Replica> {
    let all = replicas(rig).await;
    all.into_iter().find(|replica| replica.name == name)
}

fn versioned(version: &str) -> ConsumerConfig {
    ConsumerConfig {
        concurrency: 7,
        version: version.to_owned(),
        ..config()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_says_who_it_is_and_what_it_holds_and_is_gone_when_it_has_ended() {
    let rig = Rig::new();
    let gate = Arc::new(Semaphore::new(0));
    let handler = {
        let gate = gate.clone();
        by(move |delivery| {
            let gate = gate.clone();
            async move {
                gate.acquire().await.expect("open").forget();
                done(&delivery)
            }
        })
    };
    let config = ConsumerConfig {
        urgent_lane: true,
        ..versioned("1.2.3")
    };
    let running = rig.start(config, handler);
    let urgent = job("b").urgent(true);
    let published = rig.publisher().publish(&[job("a"), urgent]).await.unwrap();
    until("both are in hand, and it has said so", || async {
        let one = named(&rig, &running.name).await;
        one.is_some_and(|one| one.pending == 2 && one.started > Some(Duration::from_millis(300)))
    })
    .await;
    let one = named(&rig, &running.name).await.unwrap();
    let who = (one.process, one.version.as_str(), one.concurrency);
    assert_eq!(who, (Some(std::process::id()), "1.2.3", Some(7)));
    assert!(!one.host.is_empty() && !one.has_left);
    assert!(one.beat.unwrap() < one.started.unwrap());
    let held: Vec<_> = one
        .held
        .iter()
        .map(|held| (held.entry, held.urgent))
        .collect();
    assert_eq!(held, [(published[0], false), (published[1], true)]);
    assert!(one.held.iter().all(|held| held.deliveries == 1));
    let expires: i64 = rig.ask(&["PTTL", "{jobs}:workers"]).await;
    assert!(expires > 80_000_000, "{expires}");

    gate.add_permits(2);
    running.stop().await;
    assert_eq!(replicas(&rig).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_was_lost_keeps_its_place_until_what_it_held_is_taken_over() {
    let rig = Rig::new();
    let lost = rig.start(
        versioned("1"),
        by(|_| async { std::future::pending::<Outcome>().await }),
    );
    let name = lost.name.clone();
    rig.publish(["a".to_owned()]).await;
    until("it holds the message", || async {
        let one = named(&rig, &name).await;
        one.is_some_and(|one| one.pending == 1 && one.beat.is_some())
    })
    .await;
    lost.kill();
    until("it is silent", || async {
        let one = named(&rig, &name).await.expect("it keeps its place");
        assert_eq!((one.pending, one.held.len()), (1, 1));
        one.beat > Some(Duration::from_millis(500))
    })
    .await;
    let other = rig.start(versioned("2"), relay());
    until("its place is cleared", || async {
        named(&rig, &name).await.is_none()
    })
    .await;
    assert_eq!(rig.values("results", "of").await, ["a"]);
    assert_eq!(named(&rig, &other.name).await.unwrap().version, "2");
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_registered_otherwise_or_not_at_all_is_seen_too() {
    let rig = Rig::new();
    rig.publish(["a".to_owned()]).await;
    let groups = [("jobs", "workers")];
    rig.admin().ensure_groups(&groups).await.unwrap();
    let read = [
        "XREADGROUP",
        "GROUP",
        "workers",
        "foreign",
        "STREAMS",
        "jobs",
        ">",
    ];
    let _: redis::Value = rig.ask(&read).await;
    let time: Vec<u64> = rig.ask(&["TIME"]).await;
    let registered = format!("{} earlier 12 0.0.9", time[0] * 1000);
    let _: u64 = rig
        .ask(&["HSET", "{jobs}:workers", "workers/old", &registered])
        .await;
    let _: u64 = rig
        .ask(&["HSET", "{jobs}:workers", "workers/gone", "0 left"])
        .await;
    let all = replicas(&rig).await;
    let names: Vec<_> = all.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["foreign", "gone", "old"]);
    assert_eq!(
        (all[0].pending, all[0].beat, all[0].has_left),
        (1, None, false)
    );
    assert_eq!((all[1].beat, all[1].has_left), (None, true));
    let old = &all[2];
    let said = (old.host.as_str(), old.process, old.version.as_str());
    assert_eq!(said, ("earlier", Some(12), "0.0.9"));
    assert_eq!((old.concurrency, old.started), (None, None));
    assert!(old.beat.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_counts_what_came_and_what_is_done_and_tells_how_old_the_oldest_is() {
    let rig = Rig::new();
    let flow = || async { rig.admin().flow(&["jobs"]).await.unwrap().remove(0) };
    assert_eq!(flow().await.added, 0);
    rig.publish((0..3).map(|n| n.to_string())).await;
    rig.publisher()
        .publish(&[job("u").urgent(true)])
        .await
        .unwrap();
    let groups = [("jobs", "workers")];
    rig.admin().ensure_groups(&groups).await.unwrap();
    rig.admin().ensure_urgent_groups(&groups).await.unwrap();
    let before = flow().await;
    assert_eq!((before.added, before.groups.len()), (4, 1));
    assert_eq!(before.groups[0].done, Some(0));
    until("the oldest grows older", || async {
        flow().await.groups[0].oldest > before.groups[0].oldest
    })
    .await;
    let config = ConsumerConfig {
        urgent_lane: true,
        ..config()
    };
    let worker = rig.start(config, relay());
    until("all are done", || async {
        let flow = flow().await;
        flow.groups[0].done == Some(4) && flow.groups[0].oldest.is_none()
    })
    .await;
    worker.stop().await;
}
