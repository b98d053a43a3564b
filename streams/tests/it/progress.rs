//! What a handler publishes before it is done.

use std::sync::Arc;
use std::time::Duration;

use maestro_redis_server::{Fsync, Server};
use maestro_streams::{
    CancellationToken, ConsumerConfig, Delivery, Entry, EntryId, Fields, Handler, Outcome,
    Outgoing, Progress, ProgressError, Published,
};
use tokio::sync::{Barrier, Notify};

use crate::net::{grant_least_rights, refused};
use crate::rig::{By, Log, Rig, by, config, done, id, job, start, until};

/// One message along the way, to the stream that the results go to.
fn word(of: impl Into<String>) -> Vec<Outgoing> {
    vec![Outgoing::new("results").field("of", of.into())]
}

/// The state in words, for a log.
fn told(published: &Result<Published, ProgressError>) -> &'static str {
    match published {
        Ok(Published::Now) => "now",
        Ok(Published::Already) => "already",
        Err(ProgressError::Lost) => "lost",
        Err(ProgressError::Unfit(_)) => "unfit",
        Err(ProgressError::Refused { .. }) => "refused",
        Err(_) => "another",
    }
}

/// Publishes under the key `begun`, notes what came of it, and does the rest when it may.
fn speaker(log: &Log, release: &Arc<Notify>) -> By {
    let (log, release) = (log.clone(), release.clone());
    by(move |delivery| {
        let (log, release) = (log.clone(), release.clone());
        async move {
            log.note(told(&delivery.publish("begun", word("begun")).await));
            release.notified().await;
            done(&delivery)
        }
    })
}

/// Notes that it has begun, and publishes this when it may, under the key `k`.
fn hesitant(log: &Log, release: &Arc<Notify>, says: &'static str) -> By {
    let (log, release) = (log.clone(), release.clone());
    by(move |delivery| {
        let (log, release) = (log.clone(), release.clone());
        async move {
            log.note("begun");
            release.notified().await;
            log.note(told(&delivery.publish("k", word(says)).await));
            done(&delivery)
        }
    })
}

/// Somebody else takes the only message in hand, as after a long pause.
async fn steal(rig: &Rig) {
    let pending: Vec<(String, String, u64, u64)> = rig
        .ask(&["XPENDING", "jobs", "workers", "-", "+", "1"])
        .await;
    let words = ["XCLAIM", "jobs", "workers", "thief", "0", &pending[0].0];
    let _: Vec<String> = rig.ask(&[&words[..], &["JUSTID"]].concat()).await;
}

/// No upkeep: a worker learns of nothing that it does not ask for itself.
fn blind() -> ConsumerConfig {
    ConsumerConfig {
        lease: Duration::from_mins(10),
        upkeep: Duration::from_mins(10),
        ..config()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_stands_there_at_once_while_the_message_is_still_pending_and_the_outcome_comes_after_it()
{
    let rig = Rig::new();
    // The same text as the message's own key.
    rig.publish(["begun".to_owned()]).await;
    let (log, release) = (Log::default(), Arc::new(Notify::new()));
    let worker = rig.start(config(), speaker(&log, &release));
    until("it is published", || async {
        rig.len("results").await == 1
    })
    .await;
    until("it is told", || async { log.count() == 1 }).await;
    assert_eq!(rig.values("results", "of").await, ["begun"]);
    assert_eq!(rig.pending().await, 1);
    let sets: Vec<String> = rig.ask(&["KEYS", "{jobs}:seen:*"]).await;
    let lives: i64 = rig.ask(&["PTTL", &sets[0]]).await;
    assert!(lives > 2 * 3_600_000, "{sets:?} for {lives} ms");
    release.notify_one();
    until("nothing pending", || async { rig.pending().await == 0 }).await;
    worker.stop().await;
    assert_eq!(rig.values("results", "of").await, ["begun", "begun"]);
    assert_eq!(log.all(), ["now"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_delivered_again_does_not_publish_it_again() {
    let rig = Rig::new();
    rig.publish(["a".to_owned()]).await;
    let log = Log::default();
    let handler = {
        let log = log.clone();
        by(move |delivery| {
            let log = log.clone();
            async move {
                for key in ["one", "two"] {
                    log.note(told(&delivery.publish(key, word(key)).await));
                }
                if delivery.deliveries == 1 {
                    return Outcome::Retry {
                        reason: "once more".to_owned(),
                        after: Some(Duration::from_millis(1)),
                    };
                }
                log.note(told(&delivery.publish("three", word("three")).await));
                done(&delivery)
            }
        })
    };
    let worker = rig.start(config(), handler);
    until("the result", || async {
        rig.values("results", "of").await.contains(&"a".to_owned())
    })
    .await;
    worker.stop().await;
    assert_eq!(
        rig.values("results", "of").await,
        ["one", "two", "three", "a"]
    );
    assert_eq!(log.all(), ["now", "now", "already", "already", "now"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_over_from_a_lost_worker_does_not_publish_it_again() {
    let rig = Rig::new();
    rig.publish(["a".to_owned()]).await;
    let (log, release) = (Log::default(), Arc::new(Notify::new()));
    let lost = rig.start(config(), speaker(&log, &release));
    until("it is told", || async { log.count() == 1 }).await;
    lost.kill();
    let heir = rig.start(config(), speaker(&log, &release));
    until("the heir is told", || async { log.count() == 2 }).await;
    release.notify_one();
    until("the result", || async { rig.len("results").await == 2 }).await;
    heir.stop().await;
    assert_eq!(rig.values("results", "of").await, ["begun", "a"]);
    assert_eq!(log.all(), ["now", "already"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_lost_the_message_publishes_nothing_and_is_told() {
    let rig = Rig::new();
    rig.publish(["a".to_owned()]).await;
    let (log, release) = (Log::default(), Arc::new(Notify::new()));
    let handler = hesitant(&log, &release, "late");
    let zombie = rig.start(blind(), handler);
    until("it has begun", || async { log.count() == 1 }).await;
    steal(&rig).await;
    release.notify_one();
    until("it is told", || async { log.count() == 2 }).await;
    zombie.stop().await;
    assert_eq!(log.all(), ["begun", "lost"]);
    assert_eq!(rig.len("results").await, 0);
    let marks: Vec<String> = rig.ask(&["KEYS", "{jobs}:seen:*"]).await;
    assert!(marks.is_empty(), "{marks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_redis_to_take_it_is_told_when_the_message_is_lost_meanwhile() {
    let rig = Rig::new();
    rig.publish(["a".to_owned()]).await;
    rig.admin()
        .ensure_groups(&[("jobs", "workers")])
        .await
        .expect("a group");
    let _: () = rig.ask(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let (log, release) = (Log::default(), Arc::new(Notify::new()));
    let worker = rig.start(config(), speaker(&log, &release));
    until("it is in hand", || async { rig.pending().await == 1 }).await;
    steal(&rig).await;
    until("it is told", || async { log.count() == 1 }).await;
    assert_eq!(log.all(), ["lost"]);
    let _: () = rig.ask(&["CONFIG", "SET", "maxmemory", "0"]).await;
    release.notify_one();
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_redis_to_take_it_is_told_when_the_grace_period_is_over() {
    let rig = Rig::new();
    rig.publish(["a".to_owned()]).await;
    rig.admin()
        .ensure_groups(&[("jobs", "workers")])
        .await
        .expect("a group");
    let _: () = rig.ask(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let (log, release) = (Log::default(), Arc::new(Notify::new()));
    let short = ConsumerConfig {
        // A tenth of it is what handlers have to hear that it is over, on a busy machine too.
        grace: Duration::from_secs(3),
        ..config()
    };
    let worker = rig.start(short, speaker(&log, &release));
    until("it is in hand", || async { rig.pending().await == 1 }).await;
    worker.stop().await;
    assert_eq!(log.all(), ["lost"]);
    assert_eq!(rig.len("results").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_memory_delays_it_and_leaves_nothing_half_done() {
    let rig = Rig::new();
    rig.publish(["a".to_owned()]).await;
    let (log, release) = (Log::default(), Arc::new(Notify::new()));
    let pair = |of: &str| [word(format!("{of} 1")), word(format!("{of} 2"))].concat();
    let handler = {
        let (log, release) = (log.clone(), release.clone());
        by(move |delivery| {
            let (log, release) = (log.clone(), release.clone());
            async move {
                log.note("begun");
                release.notified().await;
                log.note(told(&delivery.publish("k", pair("one")).await));
                log.note(told(&delivery.publish("k", pair("other")).await));
                done(&delivery)
            }
        })
    };
    let worker = rig.start(config(), handler);
    until("it has begun", || async { log.count() == 1 }).await;
    let _: () = rig.ask(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let refused = || async {
        let stats: String = rig.ask(&["INFO", "errorstats"]).await;
        stats.contains("errorstat_OOM")
    };
    assert!(!refused().await);
    release.notify_one();
    until("Redis refuses it", refused).await;
    let left: Vec<String> = rig.ask(&["KEYS", "*"]).await;
    assert!(
        !left
            .iter()
            .any(|key| key == "results" || key.contains("seen")),
        "{left:?}"
    );
    assert_eq!(log.count(), 1);
    let _: () = rig.ask(&["CONFIG", "SET", "maxmemory", "0"]).await;
    until("the result", || async { rig.len("results").await == 3 }).await;
    worker.stop().await;
    assert_eq!(rig.values("results", "of").await, ["one 1", "one 2", "a"]);
    assert_eq!(log.all(), ["begun", "now", "already"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_redis_or_a_reader_would_never_take_is_an_error_and_leaves_the_key_free() {
    let rig = Rig::new();
    rig.publish(["a".to_owned()]).await;
    // A name that is taken by another type cannot be appended to.
    let _: () = rig.ask(&["SET", "taken", "1"]).await;
    let log = Log::default();
    let handler = {
        let log = log.clone();
        by(move |delivery| {
            let log = log.clone();
            async move {
                let with = |message: Outgoing| [word("first"), vec![message]].concat();
                for bad in [
                    Outgoing::new("taken").field("of", "it"),
                    Outgoing::new("results").field("of", "x".repeat(2000)),
                    Outgoing::new("results"),
                    Outgoing::new("{results}").field("of", "it"),
                ] {
                    log.note(told(&delivery.publish("k", with(bad)).await));
                }
                log.note(told(&delivery.publish("k", word("good")).await));
                done(&delivery)
            }
        })
    };
    let small = ConsumerConfig {
        max_entry_bytes: 1000,
        ..config()
    };
    let worker = rig.start(small, handler);
    until("nothing pending", || async {
        rig.len("results").await == 2
    })
    .await;
    worker.stop().await;
    assert_eq!(rig.values("results", "of").await, ["good", "a"]);
    assert_eq!(log.all(), ["refused", "unfit", "unfit", "unfit", "now"]);
}

/// Publishes many one after the other, then is done. Notes each.
fn talker(log: &Log, many: usize) -> By {
    let log = log.clone();
    by(move |delivery| {
        let log = log.clone();
        async move {
            for n in 0..many {
                let published = delivery.publish(&n.to_string(), word(n.to_string())).await;
                assert!(published.is_ok(), "{published:?}");
                log.note("");
            }
            done(&delivery)
        }
    })
}

async fn assert_all_in_order(rig: &Rig, many: usize) {
    let mut expected: Vec<String> = (0..many).map(|n| n.to_string()).collect();
    expected.push("a".to_owned());
    until("the result", || async {
        rig.values("results", "of").await.contains(&"a".to_owned())
    })
    .await;
    assert_eq!(rig.values("results", "of").await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_redis_in_between_loses_none_and_doubles_none() {
    let mut rig = Rig::with(Server::builder().fsync(Fsync::Always));
    rig.publish(["a".to_owned()]).await;
    let log = Log::default();
    let worker = rig.start(config(), talker(&log, 60));
    for already in [5, 25, 45] {
        until("some are published", || async { log.count() >= already }).await;
        tokio::task::block_in_place(|| rig.server.restart()).expect("a restart");
    }
    assert_all_in_order(&rig, 60).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_doubles_none() {
    let rig = Rig::new();
    rig.publish(["a".to_owned()]).await;
    let log = Log::default();
    let worker = rig.start(config(), talker(&log, 400));
    for round in 1..=15 {
        until("some are published", || async { log.count() >= round * 20 }).await;
        let _: u64 = rig
            .ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"])
            .await;
    }
    assert_all_in_order(&rig, 400).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_two_messages_share_is_published_by_one_of_them_in_whichever_lane() {
    let rig = Rig::new();
    rig.publish(["a".to_owned(), "b".to_owned()]).await;
    let urgent = [job("c").urgent(true)];
    rig.publisher().publish(&urgent).await.expect("published");
    let (log, together) = (Log::default(), Arc::new(Barrier::new(3)));
    let handler = {
        let log = log.clone();
        by(move |delivery| {
            let (log, together) = (log.clone(), together.clone());
            async move {
                together.wait().await;
                let of = id(&delivery.entry.fields);
                log.note(told(&delivery.publish("uid 7", word("gone")).await));
                log.note(told(
                    &delivery.publish(&format!("{of} own"), word("own")).await,
                ));
                Outcome::Done(Vec::new())
            }
        })
    };
    let lanes = ConsumerConfig {
        urgent_lane: true,
        ..config()
    };
    let worker = rig.start(lanes, handler);
    until("all are told", || async { log.count() == 6 }).await;
    worker.stop().await;
    let mut words = rig.values("results", "of").await;
    words.sort();
    assert_eq!(words, ["gone", "own", "own", "own"]);
    let already = log.all().into_iter().filter(|told| told == "already");
    assert_eq!(already.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_published_while_the_worker_finishes_within_its_grace_period() {
    let rig = Rig::new();
    rig.publish(["a".to_owned()]).await;
    let (log, release) = (Log::default(), Arc::new(Notify::new()));
    let handler = hesitant(&log, &release, "last");
    let patient = ConsumerConfig {
        block: Duration::from_hours(1),
        ..config()
    };
    let worker = rig.start(patient, handler);
    until("it has begun", || async { log.count() == 1 }).await;
    until("it reads", || async { rig.blocked().await == 1 }).await;
    let stopping = tokio::spawn(worker.stop());
    until("it reads no more", || async { rig.blocked().await == 0 }).await;
    release.notify_one();
    stopping.await.expect("an end in order");
    assert_eq!(log.all(), ["begun", "now"]);
    assert_eq!(rig.values("results", "of").await, ["last", "a"]);
    assert_eq!(rig.pending().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_rights_are_enough() {
    let rig = Rig::new();
    let url = rig.server.url();
    grant_least_rights(&url, "").await;
    rig.publish(["a".to_owned()]).await;
    let user = format!("{url}?user=worker&pass=p%40ss");
    let log = Log::default();
    let worker = start(&user.parse().expect("a URL"), config(), talker(&log, 3));
    assert_all_in_order(&rig, 3).await;
    worker.stop().await;
    assert_eq!(refused(&url).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_handler_that_publishes_can_be_tested_without_a_server() {
    let (log, release) = (Log::default(), Arc::new(Notify::new()));
    release.notify_one();
    let handler = speaker(&log, &release);
    let delivery = Delivery {
        stream: "jobs".into(),
        urgent: false,
        entry: Entry {
            id: EntryId::ZERO,
            fields: Fields::new(),
        },
        deliveries: 1,
        cancelled: CancellationToken::new(),
        progress: Progress::recording(),
    };
    handler.handle(delivery.clone()).await;
    let again = delivery.publish("begun", word("again")).await;
    assert_eq!(told(&again), "already");
    let recorded = delivery.progress.recorded();
    assert_eq!(recorded, [("begun".to_owned(), word("begun"))]);
    delivery.cancelled.cancel();
    let lost = delivery.publish("ended", word("ended")).await;
    assert_eq!(told(&lost), "lost");
}
