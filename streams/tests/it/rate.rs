//! A rate that the replicas share.

use std::time::Duration;

use maestro_streams::{ConsumerConfig, RateLimit};
use tokio::time::Instant;

use crate::rig::{Rig, config, relay, until};

fn limited(per_second: f64, burst: u32) -> ConsumerConfig {
    ConsumerConfig {
        rate_limit: Some(RateLimit { per_second, burst }),
        ..config()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_replicas_together_stay_below_the_rate() {
    let rig = Rig::new();
    let start = Instant::now();
    let replicas: Vec<_> = (0..3)
        .map(|_| rig.start(limited(200.0, 10), relay()))
        .collect();
    rig.publish((0..110).map(|n| n.to_string())).await;
    until("all are handled", || async {
        rig.len("results").await == 110
    })
    .await;
    // Ten at once, and a hundred at 5 ms each.
    assert!(start.elapsed() >= Duration::from_millis(490));
    for replica in replicas {
        replica.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_replica_keeps_no_permits_from_a_busy_one() {
    let rig = Rig::new();
    // One message every ten minutes after the first forty: a permit that is kept is missed.
    let slow = limited(1.0 / 600.0, 40);
    let few = ConsumerConfig {
        block: Duration::from_millis(20),
        ..slow
    };
    let replicas: Vec<_> = (0..4).map(|_| rig.start(few.clone(), relay())).collect();
    until("all have read in vain", || async {
        rig.blocked().await == 4
    })
    .await;
    for n in 0..36 {
        rig.publish([n.to_string()]).await;
        until("it is handled", || async {
            rig.len("results").await == n + 1
        })
        .await;
    }
    for replica in replicas {
        replica.stop().await;
    }
}

#[tokio::test]
async fn a_rate_that_cannot_be_is_an_error_that_names_it() {
    let zero = limited(0.0, 1).validate().expect_err("no rate at all");
    assert!(zero.to_string().contains("rate_limit.per_second"), "{zero}");
    let none = limited(1.0, 0).validate().expect_err("nothing at once");
    assert!(none.to_string().contains("rate_limit.burst"), "{none}");
}
