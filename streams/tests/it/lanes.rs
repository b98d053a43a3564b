//! The urgent lane goes first.

use std::sync::Arc;

use maestro_streams::{ConsumerConfig, DeadLetter, Outcome, Outgoing};
use tokio::sync::Semaphore;

use crate::rig::{Log, Rig, by, config, done, job, relay, until};

fn two_lanes(concurrency: usize) -> ConsumerConfig {
    ConsumerConfig {
        urgent_lane: true,
        concurrency,
        ..config()
    }
}

fn urgent(id: &str) -> Outgoing {
    job(id).urgent(true)
}

async fn publish(rig: &Rig, messages: Vec<Outgoing>) {
    let published = rig.publisher().publish(&messages).await;
    published.expect("published");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_urgent_message_overtakes_what_waits() {
    let rig = Rig::new();
    let (gate, begun) = (Arc::new(Semaphore::new(0)), Log::default());
    let worker = {
        let (gate, begun) = (gate.clone(), begun.clone());
        by(move |delivery| {
            let (gate, begun) = (gate.clone(), begun.clone());
            async move {
                begun.note(if delivery.urgent { "urgent" } else { "usual" });
                gate.acquire().await.expect("open").forget();
                done(&delivery)
            }
        })
    };
    let worker = rig.start(two_lanes(1), worker);
    // Without a key, so that nothing is asked before they may begin.
    let message = || Outgoing::new("jobs").field("data", "{}");
    publish(&rig, (0..20).map(|_| message()).collect()).await;
    until("one has begun", || async { begun.count() == 1 }).await;
    publish(&rig, vec![message().urgent(true)]).await;
    until("both lanes have one in hand", || async {
        worker.pulse.in_hand() == 2
    })
    .await;
    gate.add_permits(21);
    until("all are handled", || async {
        rig.len("results").await == 21
    })
    .await;
    worker.stop().await;
    assert_eq!(begun.all()[..3], ["usual", "urgent", "usual"]);
    assert_eq!(rig.pending().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_came_by_both_lanes_takes_effect_once() {
    let rig = Rig::new();
    let worker = rig.start(two_lanes(8), relay());
    let both = (0..100).flat_map(|n| [job(&n.to_string()), urgent(&n.to_string())]);
    publish(&rig, both.collect()).await;
    publish(&rig, vec![job("last")]).await;
    until("all are handled", || async {
        rig.pending().await == 0 && rig.len("results").await == 101
    })
    .await;
    worker.stop().await;
    assert_eq!(rig.len("results").await, 101);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_urgent_message_is_retried_by_its_lane_and_set_aside_with_the_others() {
    let rig = Rig::new();
    let seen = Log::default();
    let worker = {
        let seen = seen.clone();
        by(move |delivery| {
            seen.note(format!("{} {}", delivery.deliveries, delivery.urgent));
            async move {
                if delivery.deliveries == 1 {
                    return Outcome::Retry {
                        reason: "once more".to_owned(),
                        after: None,
                    };
                }
                Outcome::Dead(DeadLetter::new("refused", "it is one"))
            }
        })
    };
    let worker = rig.start(two_lanes(2), worker);
    publish(&rig, vec![urgent("a")]).await;
    until("it is set aside", || async {
        rig.len("{jobs}:dead").await == 1
    })
    .await;
    worker.stop().await;
    assert_eq!(seen.all(), ["1 true", "2 true"]);
}
