//! The server's clock goes back, as it does when NTP corrects it.

use maestro_streams::{CheckFirst, ConsumerConfig};

use crate::rig::{Rig, config, relay, until};

/// Publishes a message, moves its mark into the window that follows, as if the clock had gone back over the end of one since, and
/// publishes it again.
async fn twice(check_first: CheckFirst) {
    let rig = Rig::new();
    let config = ConsumerConfig {
        check_first,
        ..config()
    };
    let worker = rig.start(config, relay());
    rig.publish(["a".to_owned()]).await;
    until("the result", || async { rig.len("results").await == 1 }).await;
    let sets: Vec<String> = rig.ask(&["KEYS", "{jobs}:seen:*"]).await;
    let (name, number) = sets[0].rsplit_once(':').expect("a name with a window");
    let following = format!("{name}:{}", number.parse::<u64>().expect("a number") + 1);
    let _: () = rig.ask(&["RENAME", &sets[0], &following]).await;
    rig.publish(["a", "b"].map(str::to_owned)).await;
    until("the other result", || async {
        rig.values("results", "of").await.contains(&"b".to_owned())
    })
    .await;
    until("nothing pending", || async { rig.pending().await == 0 }).await;
    worker.stop().await;
    assert_eq!(rig.values("results", "of").await, ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_is_told_after_the_clock_went_back_over_the_end_of_a_window() {
    twice(CheckFirst::Never).await;
    twice(CheckFirst::Always).await;
}
