//! Messages with the same ordering key, one after the other.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use maestro_streams::{
    ConsumerConfig, Delivery, Entry, EntryId, Handler, Inspection, Outcome, Outgoing,
};
use tokio::sync::Semaphore;

use crate::rig::{By, Entries, Log, Rig, by, config, done, id, job, until};

fn keyed(id: &str, key: &str) -> Outgoing {
    job(id).field("partitionkey", key.to_owned())
}

fn key(delivery: &Delivery) -> String {
    let key = delivery.entry.fields.get_str("partitionkey");
    key.unwrap_or_default().to_owned()
}

async fn publish(rig: &Rig, messages: Vec<Outgoing>) {
    rig.publisher().publish(&messages).await.expect("published");
}

/// So many messages with the key `slow`, named 0, 1, 2…
async fn publish_of_one_key(rig: &Rig, n: u32) {
    let messages = (0..n).map(|n| keyed(&n.to_string(), "slow"));
    publish(rig, messages.collect()).await;
}

/// What was handled of each key, in order, and how many of one key ran at the same time at the most.
#[derive(Clone, Default)]
struct Watch {
    handled: Arc<Mutex<HashMap<String, Vec<String>>>>,
    running: Arc<Mutex<HashMap<String, u64>>>,
    most: Arc<AtomicU64>,
}

impl Watch {
    fn begin(&self, key: &str) {
        let mut running = self.running.lock().expect("no panic");
        let now = running.entry(key.to_owned()).or_default();
        *now += 1;
        self.most.fetch_max(*now, Ordering::SeqCst);
    }

    fn end(&self, key: &str, id: Option<String>) {
        *self
            .running
            .lock()
            .expect("no panic")
            .get_mut(key)
            .expect("begun") -= 1;
        if let Some(id) = id {
            let mut handled = self.handled.lock().expect("no panic");
            handled.entry(key.to_owned()).or_default().push(id);
        }
    }
}

/// Takes a little while, longer for some; one message in seven is retried once.
fn watched(watch: &Watch) -> By {
    let watch = watch.clone();
    by(move |delivery| {
        let watch = watch.clone();
        async move {
            let (key, id) = (key(&delivery), id(&delivery.entry.fields));
            watch.begin(&key);
            let number: u64 = id.parse().unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(number % 5)).await;
            if number % 7 == 3 && delivery.deliveries == 1 {
                watch.end(&key, None);
                return once_more(Duration::from_millis(5));
            }
            watch.end(&key, Some(id));
            done(&delivery)
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_one_key_are_handled_in_their_order_across_all_replicas() {
    let rig = Rig::new();
    let watch = Watch::default();
    let few = ConsumerConfig {
        concurrency: 6,
        ..config()
    };
    let replicas: Vec<_> = (0..3)
        .map(|_| rig.start(few.clone(), watched(&watch)))
        .collect();
    let messages = (0..300).map(|n| keyed(&n.to_string(), &format!("key {}", n % 9)));
    publish(&rig, messages.collect()).await;
    until("all are handled", || async {
        rig.len("results").await == 300
    })
    .await;
    for replica in replicas {
        replica.stop().await;
    }
    assert_eq!(watch.most.load(Ordering::SeqCst), 1);
    for (key, ids) in watch.handled.lock().expect("no panic").iter() {
        let of_key = format!("key {}", ids[0].parse::<u64>().expect("a number") % 9);
        assert_eq!(*key, of_key);
        let mut sorted: Vec<u64> = ids.iter().map(|id| id.parse().expect("a number")).collect();
        let as_handled = sorted.clone();
        sorted.sort_unstable();
        assert_eq!(as_handled, sorted, "{key}");
    }
    // Nothing is left behind for keys that nobody uses any more.
    assert_eq!(rig.len_of("ZCARD", "{jobs}:order:workers").await, 0);
    assert_eq!(rig.len_of("ZCARD", "{jobs}:parked:workers").await, 0);
    assert_eq!(rig.len_of("HLEN", "{jobs}:turn:workers").await, 1);
}

/// A handler that waits for a permit when the message's key is `slow`.
fn gated(gate: &Arc<Semaphore>, begun: &Log) -> By {
    let (gate, begun) = (gate.clone(), begun.clone());
    by(move |delivery| {
        let (gate, begun) = (gate.clone(), begun.clone());
        async move {
            begun.note(id(&delivery.entry.fields));
            if key(&delivery) == "slow" {
                gate.acquire().await.expect("open").forget();
            }
            done(&delivery)
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_takes_long_holds_up_no_other() {
    let rig = Rig::new();
    let gate = Arc::new(Semaphore::new(0));
    let few = ConsumerConfig {
        concurrency: 4,
        ..config()
    };
    let worker = rig.start(few, gated(&gate, &Log::default()));
    let slow = (0..50).map(|n| keyed(&format!("slow {n}"), "slow"));
    let other = (0..50).map(|n| keyed(&format!("other {n}"), "other"));
    let free = (0..50).map(|n| job(&format!("free {n}")));
    publish(&rig, slow.chain(other).chain(free).collect()).await;
    until("the others are handled", || async {
        rig.len("results").await == 100
    })
    .await;
    gate.add_permits(50);
    until("all are handled", || async {
        rig.len("results").await == 150
    })
    .await;
    let of = rig.values("results", "of").await;
    let slow: Vec<_> = of.iter().filter(|id| id.starts_with("slow")).collect();
    let expected: Vec<_> = (0..50).map(|n| format!("slow {n}")).collect();
    assert!(slow.into_iter().eq(expected.iter()));
    worker.stop().await;
    assert_eq!(rig.pending().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_workers_turn_goes_to_whoever_takes_over() {
    let rig = Rig::new();
    let (gate, begun) = (Arc::new(Semaphore::new(0)), Log::default());
    let victim = rig.start(config(), gated(&gate, &begun));
    publish_of_one_key(&rig, 5).await;
    until("one has begun", || async { begun.count() == 1 }).await;
    victim.kill();
    let heir = rig.start(config(), gated(&gate, &begun));
    // The victim may still take one.
    gate.add_permits(10);
    until("all are handled", || async {
        rig.len("results").await == 5
    })
    .await;
    let of = rig.values("results", "of").await;
    assert_eq!(of, ["0", "1", "2", "3", "4"]);
    heir.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_wait_for_a_message_that_was_acknowledged_by_hand_go_on() {
    let rig = Rig::new();
    let (gate, begun) = (Arc::new(Semaphore::new(0)), Log::default());
    let worker = rig.start(config(), gated(&gate, &begun));
    publish_of_one_key(&rig, 3).await;
    until("the others are parked", || async {
        rig.len_of("ZCARD", "{jobs}:parked:workers").await == 2
    })
    .await;
    let first: Entries = rig.ask(&["XRANGE", "jobs", "-", "+", "COUNT", "1"]).await;
    let _: u64 = rig.ask(&["XACK", "jobs", "workers", &first[0].0]).await;
    gate.add_permits(3);
    until("the others are handled", || async {
        rig.len("results").await == 2
    })
    .await;
    assert_eq!(rig.values("results", "of").await, ["1", "2"]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_group_loses_nobody_who_waits_for_a_turn() {
    let rig = Rig::new();
    let (gate, begun) = (Arc::new(Semaphore::new(0)), Log::default());
    let worker = rig.start(config(), gated(&gate, &begun));
    publish_of_one_key(&rig, 20).await;
    until("the others are parked", || async {
        rig.len_of("ZCARD", "{jobs}:parked:workers").await == 19
    })
    .await;
    let _: u64 = rig.ask(&["XGROUP", "DESTROY", "jobs", "workers"]).await;
    gate.add_permits(40);
    until("all are handled", || async {
        rig.len("results").await >= 20
    })
    .await;
    worker.stop().await;
    let of = rig.values("results", "of").await;
    let expected: Vec<_> = (0..20).map(|n| n.to_string()).collect();
    assert_eq!(of, expected);
}

/// Asks for another delivery of the message `0`, and finds at the look before that one that it has expired.
#[derive(Default)]
struct Expiring {
    asked: AtomicBool,
}

impl Handler for Expiring {
    fn inspect(&self, entry: &Entry) -> Inspection {
        if id(&entry.fields) == "0" && self.asked.load(Ordering::SeqCst) {
            return Inspection::dead("expired", "while it waited");
        }
        Inspection::handle().key(id(&entry.fields))
    }

    async fn handle(&self, delivery: Delivery) -> Outcome {
        if id(&delivery.entry.fields) == "0" {
            self.asked.store(true, Ordering::SeqCst);
            return once_more(Duration::from_millis(200));
        }
        done(&delivery)
    }
}

fn once_more(after: Duration) -> Outcome {
    Outcome::Retry {
        reason: "once more".to_owned(),
        after: Some(after),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_set_aside_without_being_handled_again_gives_its_turn_to_the_next() {
    let rig = Rig::new();
    let worker = rig.start(config(), Expiring::default());
    publish_of_one_key(&rig, 3).await;
    until("the others are handled", || async {
        rig.len("results").await == 2
    })
    .await;
    worker.stop().await;
    assert_eq!(rig.len("{jobs}:dead").await, 1);
    assert_eq!(rig.values("results", "of").await, ["1", "2"]);
    assert_eq!(rig.len_of("HLEN", "{jobs}:turn:workers").await, 1);
}

/// Waits until a group made anew would not begin with the first entry again.
async fn cursor_is_behind_the_first(rig: &Rig) {
    // Published in one pipeline, they may still be of different milliseconds; what counts is that the first is not delivered again.
    let second: Entries = rig.ask(&["XRANGE", "jobs", "-", "+", "COUNT", "2"]).await;
    let second: EntryId = second[1].0.parse().expect("an id");
    until("the cursor is behind it", || async {
        let cursor: Option<String> = rig.ask(&["HGET", "{jobs}:cursor", "workers"]).await;
        let cursor = cursor.and_then(|cursor| cursor.parse::<EntryId>().ok());
        cursor.is_some_and(|cursor| cursor.ms + 1 >= second.ms)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_waits_for_another_delivery_keeps_its_turn_when_the_group_is_lost() {
    let rig = Rig::new();
    let (handled, asked) = (Log::default(), Log::default());
    let worker = {
        let (handled, asked) = (handled.clone(), asked.clone());
        by(move |delivery| {
            let (handled, asked) = (handled.clone(), asked.clone());
            async move {
                let id = id(&delivery.entry.fields);
                if id == "0" && asked.note("once more") == 1 {
                    return once_more(Duration::from_secs(2));
                }
                handled.note(id);
                done(&delivery)
            }
        })
    };
    let worker = rig.start(config(), worker);
    publish_of_one_key(&rig, 3).await;
    until("the others are parked behind it", || async {
        rig.len_of("ZCARD", "{jobs}:parked:workers").await == 2
            && rig.len_of("ZCARD", "{jobs}:delayed").await == 1
    })
    .await;
    cursor_is_behind_the_first(&rig).await;
    let _: u64 = rig.ask(&["XGROUP", "DESTROY", "jobs", "workers"]).await;
    until("all are handled", || async {
        rig.len("results").await == 3
    })
    .await;
    worker.stop().await;
    assert_eq!(rig.values("results", "of").await, ["0", "1", "2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_in_its_second_delivery_keeps_its_turn_when_the_group_is_lost() {
    let rig = Rig::new();
    let (gate, begun) = (Arc::new(Semaphore::new(0)), Log::default());
    let worker = {
        let (gate, begun) = (gate.clone(), begun.clone());
        by(move |delivery| {
            let (gate, begun) = (gate.clone(), begun.clone());
            async move {
                if id(&delivery.entry.fields) == "0" {
                    match begun.note("0") {
                        1 => return once_more(Duration::from_millis(300)),
                        2 => gate.acquire().await.expect("open").forget(),
                        _ => {}
                    }
                }
                done(&delivery)
            }
        })
    };
    let worker = rig.start(config(), worker);
    publish_of_one_key(&rig, 3).await;
    until("it is delivered again", || async { begun.count() == 2 }).await;
    cursor_is_behind_the_first(&rig).await;
    let _: u64 = rig.ask(&["XGROUP", "DESTROY", "jobs", "workers"]).await;
    until(
        "the others are delivered again, and parked again",
        || async {
            rig.len_of("ZCARD", "{jobs}:parked:workers").await == 2 && rig.pending().await == 1
        },
    )
    .await;
    // The handler that began before has no turn any more, and is begun again.
    gate.add_permits(1);
    until("all are handled", || async {
        rig.len("results").await == 3
    })
    .await;
    worker.stop().await;
    assert_eq!(rig.values("results", "of").await, ["0", "1", "2"]);
    assert_eq!(begun.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_waits_for_its_turn_is_not_trimmed() {
    let rig = Rig::new();
    let short = ConsumerConfig {
        retention: Duration::ZERO,
        ..config()
    };
    // While the first waits for its second delivery nothing is pending, and housekeeping comes by several times.
    let worker = by(|delivery| async move {
        if id(&delivery.entry.fields) == "0" && delivery.deliveries == 1 {
            return once_more(Duration::from_millis(500));
        }
        done(&delivery)
    });
    let worker = rig.start(short, worker);
    publish_of_one_key(&rig, 3).await;
    until("all are handled", || async {
        rig.len("results").await == 3
    })
    .await;
    assert_eq!(rig.values("results", "of").await, ["0", "1", "2"]);
    until("the stream is trimmed", || async {
        rig.len("jobs").await <= 1
    })
    .await;
    worker.stop().await;
}
