use std::collections::HashSet;
use std::time::Duration;

use maestro_streams::{CheckFirst, ConsumerConfig, DeadLetter, Outcome, Outgoing};

use crate::rig::{Log, Rig, by, config, done, id, job, relay, until};

#[tokio::test(flavor = "multi_thread")]
async fn every_message_has_its_result_exactly_once_and_nothing_is_left_over() {
    let rig = Rig::new();
    rig.publish((0..3000).map(|n| n.to_string())).await;
    let wide = ConsumerConfig {
        concurrency: 300,
        ..config()
    };
    let workers: Vec<_> = (0..3).map(|_| rig.start(wide.clone(), relay())).collect();
    until("all results", || async { rig.len("results").await >= 3000 }).await;
    for worker in workers {
        worker.stop().await;
    }
    let results = rig.values("results", "of").await;
    let distinct: HashSet<_> = results.iter().collect();
    assert_eq!((results.len(), distinct.len()), (3000, 3000));
    assert_eq!(rig.pending().await, 0);
    assert_eq!(rig.consumers().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_follow_each_other_double_nothing_when_their_connections_break() {
    let rig = Rig::new();
    // Without a key, so that only the fence stands between them and a second effect.
    let plain = |n: u32| Outgoing::new("jobs").field("n", n.to_string());
    let plain: Vec<_> = (0..3000).map(plain).collect();
    rig.publisher().publish(&plain).await.unwrap();
    let relay = || {
        by(|delivery| async move {
            let n = delivery.entry.fields.get_str("n").unwrap_or_default();
            let result = Outgoing::new("results").field("of", n.to_owned());
            Outcome::Done(vec![result])
        })
    };
    let small = ConsumerConfig {
        concurrency: 64,
        batch: 4,
        ..config()
    };
    let workers: Vec<_> = (0..2).map(|_| rig.start(small.clone(), relay())).collect();
    let mut killed: u64 = 0;
    for at in (100..3000).step_by(100) {
        until("some results", || async { rig.len("results").await >= at }).await;
        killed += rig
            .ask::<u64>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"])
            .await;
    }
    until("all results", || async { rig.len("results").await >= 3000 }).await;
    for worker in workers {
        worker.stop().await;
    }
    assert!(killed > 50, "{killed}");
    let results = rig.values("results", "of").await;
    let distinct: HashSet<_> = results.iter().collect();
    assert_eq!((results.len(), distinct.len()), (3000, 3000));
    assert_eq!(rig.pending().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_id_published_again_takes_effect_once_and_does_not_reach_the_handler_twice() {
    let rig = Rig::new();
    let seen = Log::default();
    let handler = {
        let seen = seen.clone();
        by(move |delivery| {
            seen.note(id(&delivery.entry.fields));
            async move { done(&delivery) }
        })
    };
    let always = ConsumerConfig {
        check_first: CheckFirst::Always,
        ..config()
    };
    let worker = rig.start(always, handler);
    rig.publish(["a".to_owned()]).await;
    until("the first result", || async {
        rig.len("results").await == 1
    })
    .await;
    rig.publish(["a".to_owned(), "b".to_owned()]).await;
    until("the next result", || async {
        rig.len("results").await == 2
    })
    .await;
    until("nothing pending", || async { rig.pending().await == 0 }).await;
    assert_eq!(rig.values("results", "of").await, ["a", "b"]);
    assert_eq!(seen.all(), ["a", "b"]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_that_are_in_hand_at_the_same_time_take_effect_once() {
    let rig = Rig::new();
    rig.publish((0..200).map(|n| (n % 10).to_string())).await;
    let never = ConsumerConfig {
        check_first: CheckFirst::Never,
        concurrency: 64,
        ..config()
    };
    let workers: Vec<_> = (0..2).map(|_| rig.start(never.clone(), relay())).collect();
    until("all acknowledged", || async {
        let groups = rig.admin().status(&["jobs"]).await.unwrap();
        groups[0]
            .groups
            .first()
            .is_some_and(|g| g.backlog() == Some(0))
    })
    .await;
    for worker in workers {
        worker.stop().await;
    }
    let mut results = rig.values("results", "of").await;
    results.sort();
    let expected: Vec<_> = (0..10).map(|n| n.to_string()).collect();
    assert_eq!(results, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_without_a_key_are_never_duplicates() {
    let rig = Rig::new();
    let plain = || Outgoing::new("jobs").field("data", "same");
    rig.publisher().publish(&[plain(), plain()]).await.unwrap();
    let worker = rig.start(config(), relay());
    until("both results", || async { rig.len("results").await == 2 }).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_is_all_or_nothing_and_a_bad_one_does_not_spoil_its_neighbours() {
    let rig = Rig::new();
    // A name that is taken by another type cannot be appended to.
    let _: () = rig.ask(&["SET", "taken", "1"]).await;
    let handler = by(|delivery| async move {
        let of = id(&delivery.entry.fields);
        let mut messages = vec![Outgoing::new("results").field("of", of.clone())];
        if of == "bad" {
            messages.push(Outgoing::new("taken").field("of", of));
        }
        Outcome::Done(messages)
    });
    rig.publish(["a", "bad", "b"].map(String::from)).await;
    let few = ConsumerConfig {
        max_deliveries: 2,
        ..config()
    };
    let worker = rig.start(few, handler);
    until("a dead letter", || async {
        rig.len("{jobs}:dead").await == 1
    })
    .await;
    until("nothing pending", || async { rig.pending().await == 0 }).await;
    let mut results = rig.values("results", "of").await;
    results.sort();
    assert_eq!(results, ["a", "b"]);
    assert_eq!(rig.values("{jobs}:dead", "deadreason").await, ["exhausted"]);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_keeps_every_field_says_why_and_publishes_its_companions() {
    let rig = Rig::new();
    let raw = redis::Value::BulkString(vec![0xff, 0x00]);
    let mut connection = rig.redis().await;
    let mut command = redis::cmd("XADD");
    command.arg("jobs").arg("*").arg("id").arg("x").arg("raw");
    command.arg(&[0xff_u8, 0x00][..]);
    let entry: String = command.query_async(&mut connection).await.unwrap();
    let worker = rig.start(
        config(),
        by(|_| async {
            Outcome::Dead(DeadLetter {
                also: vec![Outgoing::new("results").field("of", "refusal")],
                ..DeadLetter::new("invalid", "not so")
            })
        }),
    );
    until("a dead letter", || async {
        rig.len("{jobs}:dead").await == 1
    })
    .await;
    let letters = rig.admin().dead_letters("jobs", None, 10).await.unwrap();
    let fields = &letters[0].entry.fields;
    assert_eq!(letters[0].reason(), "invalid");
    assert_eq!(letters[0].detail(), "not so");
    assert_eq!(fields.get("raw"), Some([0xff, 0x00].as_ref()));
    assert_eq!(
        redis::Value::BulkString(fields.get("raw").unwrap().to_vec()),
        raw
    );
    assert_eq!(fields.get_str("deadid"), Some(entry.as_str()));
    assert_eq!(fields.get_str("deadstream"), Some("jobs"));
    assert_eq!(fields.get_str("deadgroup"), Some("workers"));
    assert_eq!(fields.get_str("deadconsumer"), Some(worker.name.as_str()));
    assert_eq!(fields.get_str("deaddeliveries"), Some("1"));
    assert!(fields.get_str("deadtime").unwrap().ends_with('Z'));
    assert_eq!(rig.values("results", "of").await, ["refusal"]);
    // Like any other outcome it leaves its mark.
    rig.publish(["x".to_owned()]).await;
    until("acknowledged", || async { rig.pending().await == 0 }).await;
    worker.stop().await;
    assert_eq!(rig.len("{jobs}:dead").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversized_message_is_set_aside_unseen() {
    let rig = Rig::new();
    let small = ConsumerConfig {
        max_entry_bytes: 100,
        ..config()
    };
    let reached = Log::default();
    let handler = {
        let reached = reached.clone();
        by(move |delivery| {
            reached.note(id(&delivery.entry.fields));
            async move { done(&delivery) }
        })
    };
    let large = job("large").field("more", "x".repeat(200));
    let many = (0..5000).fold(job("many"), |message, n| message.field(n.to_string(), ""));
    let _: String = {
        let mut connection = rig.redis().await;
        let mut command = redis::cmd("XADD");
        command.arg("jobs").arg("*");
        for (name, value) in &many.fields {
            command.arg(name.as_ref()).arg(value.as_ref());
        }
        command.query_async(&mut connection).await.unwrap()
    };
    rig.publisher()
        .publish(&[large, job("small")])
        .await
        .unwrap();
    let worker = rig.start(small, handler);
    until("both set aside", || async {
        rig.len("{jobs}:dead").await == 2
    })
    .await;
    until("the other handled", || async {
        rig.len("results").await == 1
    })
    .await;
    assert_eq!(
        rig.values("{jobs}:dead", "deadreason").await,
        ["oversized", "oversized"]
    );
    assert_eq!(reached.all(), ["small"]);
    worker.stop().await;
    let refused = rig.publisher().max_bytes(100);
    let error = refused
        .publish(&[job("l").field("m", "x".repeat(200))])
        .await;
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("publish a reference")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dedup_window_ends() {
    let rig = Rig::new();
    let short = ConsumerConfig {
        dedup_window: Duration::from_secs(1),
        ..config()
    };
    let worker = rig.start(short, relay());
    rig.publish(["a".to_owned()]).await;
    until("the first result", || async {
        rig.len("results").await == 1
    })
    .await;
    until("it is forgotten", || async {
        rig.publish(["a".to_owned()]).await;
        rig.len("results").await >= 2
    })
    .await;
    worker.stop().await;
}
