use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use maestro_streams::{ConsumerConfig, Delivery, Entry, Handler, Inspection, Outcome};

use crate::rig::{Log, Rig, by, config, done, job, relay, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_retried_message_keeps_its_id_counts_its_deliveries_and_ends_exhausted() {
    let rig = Rig::new();
    let log = Log::default();
    let handler = {
        let log = log.clone();
        by(move |delivery: Delivery| {
            log.note(format!(
                "{} {} {}",
                delivery.entry.id,
                delivery.deliveries,
                delivery.entry.fields.len()
            ));
            async {
                Outcome::Retry {
                    reason: "not yet".to_owned(),
                    after: None,
                }
            }
        })
    };
    let worker = rig.start(config(), handler);
    let ids = rig.publisher().publish(&[job("a")]).await.unwrap();
    until("a dead letter", || async {
        rig.len("{jobs}:dead").await == 1
    })
    .await;
    let first = ids[0];
    let expected: Vec<_> = (1..=5).map(|n| format!("{first} {n} 2")).collect();
    assert_eq!(log.all(), expected);
    let letter = &rig.admin().dead_letters("jobs", None, 1).await.unwrap()[0];
    assert_eq!(letter.reason(), "exhausted");
    assert!(letter.detail().contains("not yet"));
    assert_eq!(letter.entry.fields.get_str("deaddeliveries"), Some("5"));
    assert_eq!(
        letter.entry.fields.get_str("deadid"),
        Some(first.to_string().as_str())
    );
    assert_eq!(letter.entry.fields.get_str("retryof"), None);
    worker.stop().await;
    assert_eq!(rig.pending().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_panics_is_retried_and_the_worker_lives_on() {
    let rig = Rig::new();
    let handler = by(|delivery| async move {
        assert!(delivery.deliveries > 1, "the first time");
        done(&delivery)
    });
    let worker = rig.start(config(), handler);
    rig.publish((0..50).map(|n| n.to_string())).await;
    until("all handled", || async { rig.len("results").await == 50 }).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_kills_its_worker_is_set_aside_before_it_kills_another() {
    let rig = Rig::new();
    let few = ConsumerConfig {
        max_deliveries: 2,
        lease: Duration::from_millis(200),
        ..config()
    };
    rig.publish(["poison".to_owned()]).await;
    let begun = Log::default();
    for n in 1..=2 {
        let log = begun.clone();
        let victim = rig.start(
            few.clone(),
            by(move |_| {
                log.note("");
                std::future::pending()
            }),
        );
        until("it has begun", || async { begun.count() == n }).await;
        victim.kill();
    }
    let third = {
        let begun = begun.clone();
        by(move |delivery| {
            begun.note("");
            async move { done(&delivery) }
        })
    };
    let third = rig.start(few, third);
    until("it is set aside", || async {
        rig.len("{jobs}:dead").await == 1
    })
    .await;
    assert_eq!(begun.count(), 2);
    assert_eq!(rig.values("{jobs}:dead", "deadreason").await, ["exhausted"]);
    third.stop().await;
}

/// A worker takes over what a killed one had in hand: how many handlers ran beside one of those, at the most, itself included.
async fn side_by_side(quarantine_from: u32) -> u64 {
    let rig = Rig::new();
    let config = ConsumerConfig {
        quarantine_from,
        lease: Duration::from_millis(200),
        ..config()
    };
    rig.publish((0..8).map(|n| n.to_string())).await;
    let begun = Log::default();
    let log = begun.clone();
    let victim = by(move |_| {
        log.note("");
        std::future::pending()
    });
    let victim = rig.start(config.clone(), victim);
    until("all have begun", || async { begun.count() == 8 }).await;
    victim.kill();
    let most = Arc::new(AtomicU64::new(0));
    let running = Arc::new(AtomicU64::new(0));
    let heir = {
        let most = most.clone();
        by(move |delivery| {
            let (most, running) = (most.clone(), running.clone());
            async move {
                let before = running.fetch_add(1, Ordering::SeqCst) + 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
                let after = running.fetch_sub(1, Ordering::SeqCst);
                if delivery.deliveries > 1 {
                    most.fetch_max(before.max(after), Ordering::SeqCst);
                }
                done(&delivery)
            }
        })
    };
    let heir = rig.start(config, heir);
    // What comes in meanwhile is not forgotten.
    rig.publish((8..12).map(|n| n.to_string())).await;
    until("all are handled", || async {
        rig.len("results").await == 12
    })
    .await;
    heir.stop().await;
    most.load(Ordering::SeqCst)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_worker_had_in_hand_is_handled_alone() {
    assert_eq!(side_by_side(2).await, 1);
    assert!(side_by_side(3).await > 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unavailable_dependency_spends_no_deliveries_and_fetching_resumes_by_itself() {
    let rig = Rig::new();
    let (up, tried) = (Arc::new(AtomicBool::new(false)), Log::default());
    let handler = {
        let (up, tried) = (up.clone(), tried.clone());
        by(move |delivery: Delivery| {
            let up = up.load(Ordering::SeqCst);
            tried.note(delivery.deliveries.to_string());
            async move {
                if up {
                    done(&delivery)
                } else {
                    Outcome::Unavailable {
                        dependency: "kubernetes".to_owned(),
                        detail: "connection refused".to_owned(),
                    }
                }
            }
        })
    };
    rig.publish((0..200).map(|n| n.to_string())).await;
    let worker = rig.start(config(), handler);
    until("several probes", || async { tried.count() >= 16 + 5 }).await;
    // Far fewer than there are messages: most wait in the stream.
    assert!(tried.count() < 100, "{} tries", tried.count());
    up.store(true, Ordering::SeqCst);
    until("all handled", || async { rig.len("results").await == 200 }).await;
    assert!(tried.all().iter().all(|deliveries| deliveries == "1"));
    assert_eq!(rig.len("{jobs}:dead").await, 0);
    worker.stop().await;
    assert_eq!(rig.pending().await, 0);
}

/// Handles nothing before the time in the field `notbefore`.
struct Scheduled(Log);

impl Handler for Scheduled {
    fn inspect(&self, entry: &Entry) -> Inspection {
        let due = entry
            .fields
            .get_str("notbefore")
            .and_then(|due| due.parse().ok());
        due.map_or_else(Inspection::handle, Inspection::not_before)
    }

    async fn handle(&self, delivery: Delivery) -> Outcome {
        let now = now_ms();
        let due = delivery.entry.fields.get_str("notbefore").unwrap_or("0");
        let early = due.parse::<u64>().is_ok_and(|due| due > now);
        self.0
            .note(format!("early {early} deliveries {}", delivery.deliveries));
        done(&delivery)
    }
}

fn now_ms() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    u64::try_from(now.as_millis()).expect("before the year 500 million")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_message_waits_for_its_time() {
    let rig = Rig::new();
    let log = Log::default();
    let worker = rig.start(config(), Scheduled(log.clone()));
    let due = (now_ms() + 700).to_string();
    let message = job("later").field("notbefore", due);
    rig.publisher().publish(&[message]).await.unwrap();
    until("it waits", || async {
        let waiting: u64 = rig.ask(&["ZCARD", "{jobs}:delayed"]).await;
        waiting == 1
    })
    .await;
    until("it is handled", || async { rig.len("results").await == 1 }).await;
    assert_eq!(log.all(), ["early false deliveries 1"]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_took_effect_is_not_set_aside_too_however_often_it_is_delivered_later() {
    let rig = Rig::new();
    let worker = rig.start(config(), relay());
    rig.publish(["a".to_owned()]).await;
    until("its result", || async { rig.len("results").await == 1 }).await;
    // As it comes back from waiting, after so many deliveries that nobody looks at it any more.
    let again = job("a")
        .field("retryof", "1-1")
        .field("retrydeliveries", "99");
    let never = job("b")
        .field("retryof", "1-2")
        .field("retrydeliveries", "99");
    rig.publisher().publish(&[again, never]).await.unwrap();
    until("the dead letter", || async {
        rig.len("{jobs}:dead").await >= 1
    })
    .await;
    until("nothing pending", || async { rig.pending().await == 0 }).await;
    assert_eq!(rig.values("{jobs}:dead", "id").await, ["b"]);
    worker.stop().await;
}
