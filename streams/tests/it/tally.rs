use std::time::Duration;

use maestro_streams::Tally;

use crate::rig::{Rig, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_member_recorded_again_counts_once_and_keeps_its_position() {
    let rig = Rig::new();
    let tally = Tally::new(&rig.endpoint, "").unwrap();
    let hour = Duration::from_hours(1);
    let a = tally.record("jobs", "k", "a", hour).await.unwrap();
    assert_eq!(
        (a.first.as_str(), a.count, a.position, a.is_new),
        ("a", 1, 1, true)
    );
    let b = tally.record("jobs", "k", "b", hour).await.unwrap();
    assert_eq!(
        (b.first.as_str(), b.count, b.position, b.is_new),
        ("a", 2, 2, true)
    );
    let again = tally.record("jobs", "k", "a", hour).await.unwrap();
    assert_eq!((again.count, again.position, again.is_new), (2, 1, false));
    let other = tally.record("jobs", "other", "b", hour).await.unwrap();
    assert_eq!((other.first.as_str(), other.count), ("b", 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_members_get_distinct_positions() {
    let rig = Rig::new();
    let tally = Tally::new(&rig.endpoint, "").unwrap();
    let tasks: Vec<_> = (0..40)
        .map(|n| {
            let tally = tally.clone();
            tokio::spawn(async move {
                let member = (n % 20).to_string();
                let window = Duration::from_mins(1);
                tally
                    .record("jobs", "k", &member, window)
                    .await
                    .unwrap()
                    .position
            })
        })
        .collect();
    let mut positions = Vec::new();
    for task in tasks {
        positions.push(task.await.unwrap());
    }
    positions.sort_unstable();
    let expected: Vec<u64> = (1..=20).flat_map(|n| [n, n]).collect();
    assert_eq!(positions, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_its_bound_a_tally_only_counts_and_its_window_ends() {
    let rig = Rig::new();
    let tally = Tally::new(&rig.endpoint, "").unwrap().remembered(2);
    let window = Duration::from_secs(2);
    for member in ["a", "b", "c", "d"] {
        tally.record("jobs", "k", member, window).await.unwrap();
    }
    let remembered: u64 = rig.ask(&["HLEN", "{jobs}:tally:k"]).await;
    assert_eq!(remembered, 2 + 2);
    assert_eq!(
        tally.record("jobs", "k", "b", window).await.unwrap().count,
        4
    );
    until("a new window", || async {
        tally.record("jobs", "k", "b", window).await.unwrap().first == "b"
    })
    .await;
}
