//! Redis Cluster: streams that live on different servers, and a stream that moves from one to another.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use maestro_streams::{
    Admin, CheckFirst, ConsumerConfig, DeadLetter, Delivery, Outcome, Outgoing, Projection,
    Replaced, Tail, TailFrom, Tally,
};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::net::{ask_at, grant_least_rights, refused};
use crate::nodes::Cluster;
use crate::rig::{By, Log, by, config, id, job, seen, start, until};

/// One message in another slot, with an id that is derived from its cause.
fn pass_on(delivery: &Delivery, stream: &str) -> Outcome {
    let cause = id(&delivery.entry.fields);
    let message = Outgoing::new(stream).field("of", cause.clone());
    Outcome::Done(vec![message.field("id", format!("{cause}/0"))])
}

fn relay_to(stream: &'static str) -> By {
    by(move |delivery| async move { pass_on(&delivery, stream) })
}

fn next(stream: &str) -> ConsumerConfig {
    ConsumerConfig {
        stream: stream.to_owned(),
        ..config()
    }
}

fn numbered(what: &str, n: usize) -> Vec<String> {
    (0..n).map(|n| format!("{what}{n}")).collect()
}

async fn publish(cluster: &Cluster, ids: &[String]) {
    let messages: Vec<_> = ids.iter().map(|id| job(id)).collect();
    let published = cluster.publisher().publish(&messages).await;
    assert_eq!(published.expect("published").len(), ids.len());
}

/// Each of these has exactly one effect, and nothing else has.
async fn assert_effects(cluster: &Cluster, causes: &[String]) {
    let mut times: HashMap<String, u32> = HashMap::new();
    for effect in cluster.values("effects", "of").await {
        *times.entry(effect).or_default() += 1;
    }
    let expected = causes.iter().map(|cause| (format!("{cause}/0"), 1));
    assert_eq!(times, expected.collect());
}

/// The only dead letter comes back once, and then is dropped.
/// What is derived from a stream lies in its slot, and can be written in one step with the least rights.
async fn project(cluster: &Cluster) {
    let projection = Projection::new(&cluster.endpoint, "", "jobs", "history").expect("an answer");
    let entries = projection.entries(None, 1).await.expect("an answer");
    let hash = Replaced {
        key: "one".to_owned(),
        fields: vec![("n".into(), "1".into())],
        kept: Duration::from_hours(1),
    };
    let moved = projection.advance(None, entries[0].id, &[hash]).await;
    assert!(moved.expect("an answer"));
    let read = projection.read(&["one"]).await.expect("an answer");
    assert_eq!(read[0].get_str("n"), Some("1"));
    assert_eq!(
        projection.place().await.expect("an answer"),
        Some(entries[0].id)
    );
    let (stream, hash) = ("jobs", "{jobs}:history:one");
    assert_eq!(cluster.slot(stream).await, cluster.slot(hash).await);
}

/// The only one, and what went through its hands.
async fn is_registered(admin: &Admin, name: &str) {
    let streams = ["jobs", "nothing"];
    let replicas = admin.replicas(&streams).await.expect("an answer");
    let names: Vec<_> = replicas.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, [name]);
    let flow = admin.flow(&streams).await.expect("an answer");
    assert!(flow[0].groups[0].done >= Some(3), "{flow:?}");
    assert_eq!((flow[1].added, flow[1].groups.len()), (0, 0));
}

async fn replay_and_drop(admin: &Admin) {
    let letters = admin
        .dead_letters("jobs", None, 10)
        .await
        .expect("an answer");
    assert_eq!(letters[0].reason(), "invalid");
    admin
        .replay("jobs", letters[0].id)
        .await
        .expect("an answer");
    until("the same dead letter", || async {
        admin.status(&["jobs"]).await.expect("an answer")[0].dead_letters == 1
    })
    .await;
    let letters = admin
        .dead_letters("jobs", None, 10)
        .await
        .expect("an answer");
    admin
        .drop_dead_letter("jobs", letters[0].id)
        .await
        .expect("an answer");
}

async fn tally(cluster: &Cluster) {
    let tally = Tally::new(&cluster.endpoint, "").expect("a tally");
    for (member, position) in [("m", 1), ("n", 2), ("m", 1)] {
        let window = Duration::from_mins(1);
        let count = tally
            .record("jobs", "k", member, window)
            .await
            .expect("an answer");
        assert_eq!((count.position, count.first.as_str()), (position, "m"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_for_another_slot_that_is_sent_more_than_once_has_one_effect() {
    let cluster = Cluster::new().await;
    let mut homes = HashSet::new();
    for stream in ["jobs", "results", "effects"] {
        homes.insert(cluster.home(stream).await);
    }
    assert!(homes.len() > 1, "all on one server: {homes:?}");
    let causes = numbered("a", 40);
    publish(&cluster, &causes).await;
    // The commit's second part is impossible for a while: what goes to other slots goes out each time.
    let home = cluster.nodes[cluster.home("jobs").await].url();
    let _: () = ask_at(&home, &["ACL", "SETUSER", "default", "-xack"])
        .await
        .unwrap();
    let workers = [
        start(&cluster.endpoint, config(), relay_to("results")),
        start(&cluster.endpoint, next("results"), relay_to("effects")),
    ];
    until("results that were sent twice", || async {
        cluster.len("results").await > 50
    })
    .await;
    let _: () = ask_at(&home, &["ACL", "SETUSER", "default", "+xack"])
        .await
        .unwrap();
    for stream in ["jobs", "results"] {
        until("the end of the work", || cluster.is_done(stream)).await;
    }
    for worker in workers {
        worker.stop().await;
    }
    assert_effects(&cluster, &causes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_along_the_way_to_another_slot_more_than_once_has_one_effect() {
    let cluster = Cluster::new().await;
    let home = cluster.nodes[cluster.home("jobs").await].url();
    assert_ne!(
        cluster.home("jobs").await,
        cluster.home("results").await,
        "both on one server"
    );
    let (log, release) = (Log::default(), Arc::new(Notify::new()));
    let handler = {
        let (log, release) = (log.clone(), release.clone());
        by(move |delivery| {
            let (log, release) = (log.clone(), release.clone());
            async move {
                log.note("begun");
                release.notified().await;
                let cause = id(&delivery.entry.fields);
                let word = |stream: &str| {
                    let word = Outgoing::new(stream).field("of", cause.clone());
                    vec![word.field("id", format!("{cause}/word"))]
                };
                // Its own stream's urgent lane, which nobody reads here, is in the same slot.
                let near: Vec<_> = word("jobs").into_iter().map(|w| w.urgent(true)).collect();
                for _ in 0..2 {
                    let far = delivery.publish("word", [word("results"), near.clone()].concat());
                    log.note(format!("{:?}", far.await));
                }
                Outcome::Done(Vec::new())
            }
        })
    };
    // An effect in the receiver's own slot is one atomic step with its acknowledgement.
    let settle = by(|_| async { Outcome::Dead(DeadLetter::new("settled", "it counts")) });
    let workers = [
        start(&cluster.endpoint, config(), handler),
        start(&cluster.endpoint, next("results"), settle),
    ];
    publish(&cluster, &["a".to_owned()]).await;
    until("it has begun", || async { log.count() == 1 }).await;
    // The second part is impossible for a while: the first one is repeated.
    let _: () = ask_at(&home, &["CONFIG", "SET", "maxmemory", "1"])
        .await
        .unwrap();
    release.notify_one();
    until("a word that was sent twice", || async {
        cluster.len("results").await > 1
    })
    .await;
    assert_eq!(log.count(), 1);
    assert_eq!(cluster.len("{jobs}:urgent").await, 0);
    let _: () = ask_at(&home, &["CONFIG", "SET", "maxmemory", "0"])
        .await
        .unwrap();
    for stream in ["jobs", "results"] {
        until("the end of the work", || cluster.is_done(stream)).await;
    }
    for worker in workers {
        worker.stop().await;
    }
    assert_eq!(log.all(), ["begun", "Ok(Now)", "Ok(Already)"]);
    assert_eq!(cluster.values("{jobs}:urgent", "id").await, ["a/word"]);
    assert_eq!(cluster.values("{results}:dead", "id").await, ["a/word"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_retries_tallies_tails_and_the_state_work_in_a_cluster_with_the_documented_rights()
 {
    let mut cluster = Cluster::new().await;
    for node in &cluster.nodes {
        grant_least_rights(&node.url(), "").await;
    }
    let url = cluster.nodes[1].url();
    let url = url.replace("redis://", "redis+cluster://worker:p%40ss@");
    cluster.endpoint = url.parse().unwrap();
    let admin = cluster.admin();
    admin.ping().await.unwrap();
    let groups = [("jobs", "workers"), ("results", "workers")];
    admin.ensure_groups(&groups).await.unwrap();
    let mut tail = Tail::open(&cluster.endpoint, "", &["jobs", "results"], TailFrom::Now)
        .await
        .unwrap();
    let log = Log::default();
    let handler = {
        let log = log.clone();
        by(move |delivery| {
            let is_first = delivery.deliveries == 1;
            log.note(id(&delivery.entry.fields));
            async move {
                match id(&delivery.entry.fields).as_str() {
                    "again" if is_first => Outcome::Retry {
                        reason: "once more".to_owned(),
                        after: Some(Duration::from_millis(1)),
                    },
                    "bad" => Outcome::Dead(DeadLetter {
                        also: vec![Outgoing::new("results").field("of", "refusal")],
                        ..DeadLetter::new("invalid", "as it says")
                    }),
                    _ => pass_on(&delivery, "results"),
                }
            }
        })
    };
    let always = ConsumerConfig {
        check_first: CheckFirst::Always,
        ..config()
    };
    let worker = start(&cluster.endpoint, always, handler);
    // One call, three streams on different servers, and the ids come back in the order of the messages.
    let other = |stream: &str| Outgoing::new(stream).field("x", "y");
    let mixed = [
        job("a"),
        other("effects"),
        job("again"),
        other("other"),
        job("bad"),
    ];
    let ids = cluster.publisher().publish(&mixed).await.unwrap();
    let first: Vec<(String, Vec<(String, String)>)> =
        cluster.ask(&["XRANGE", "effects", "-", "+"]).await;
    assert_eq!(first[0].0, ids[1].to_string());

    let mut found = Vec::new();
    while found.len() < 7 {
        let (stream, entry) = seen(&mut tail).await;
        let name = if &*stream == "jobs" { "id" } else { "of" };
        found.push(format!("{stream} {}", entry.fields.get_str(name).unwrap()));
    }
    found.sort();
    let expected = [
        "jobs a",
        "jobs again",
        "jobs again",
        "jobs bad",
        "results a",
        "results again",
        "results refusal",
    ];
    assert_eq!(found, expected);
    publish(&cluster, &["a".to_owned()]).await;
    until("the end of the work", || cluster.is_done("jobs")).await;
    let mut calls = log.all();
    calls.sort();
    assert_eq!(calls, ["a", "again", "again", "bad"]);

    let status = admin.status(&["jobs", "effects", "nothing"]).await.unwrap();
    assert_eq!((status[0].dead_letters, status[0].delayed), (1, 0));
    assert_eq!((status[1].length, status[2].length), (1, 0));
    let consumers = &status[0].groups[0].consumers;
    assert_eq!(consumers[0].name, worker.name);

    is_registered(&admin, &worker.name).await;
    replay_and_drop(&admin).await;
    tally(&cluster).await;
    project(&cluster).await;
    worker.stop().await;
    assert!(
        admin.status(&["jobs"]).await.unwrap()[0].groups[0]
            .consumers
            .is_empty()
    );
    for node in &cluster.nodes {
        let refused = refused(&node.url()).await;
        assert!(refused.is_empty(), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_in_a_cluster_is_woken_from_its_read_when_it_is_to_stop() {
    let cluster = Cluster::new().await;
    let patient = ConsumerConfig {
        block: Duration::from_secs(30),
        ..config()
    };
    let home = cluster.nodes[cluster.home("jobs").await].url();
    let mut shortest = Duration::MAX;
    // A reader that is not woken waits for a second; a busy machine may do so once, not each time.
    for _ in 0..4 {
        let worker = start(&cluster.endpoint, patient.clone(), relay_to("results"));
        until("a blocking read", || async {
            let info: String = ask_at(&home, &["INFO", "clients"]).await.unwrap();
            info.contains("blocked_clients:1\r\n")
        })
        .await;
        let begun = Instant::now();
        worker.stop().await;
        shortest = shortest.min(begun.elapsed());
    }
    assert!(shortest < Duration::from_millis(700), "{shortest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_moves_to_another_server_takes_its_group_along_and_work_goes_on() {
    let cluster = Cluster::new().await;
    let workers = [
        start(&cluster.endpoint, config(), relay_to("results")),
        start(&cluster.endpoint, next("results"), relay_to("effects")),
    ];
    let before = numbered("before", 30);
    publish(&cluster, &before).await;
    until("the first effects", || async {
        cluster.len("effects").await >= 30
    })
    .await;

    let slot = cluster.slot("jobs").await.to_string();
    let from = cluster.home("jobs").await;
    let to = (from + 1) % cluster.nodes.len();
    let (source, target) = (cluster.nodes[from].url(), cluster.nodes[to].url());
    let (source_id, target_id) = (cluster.id(from).await, cluster.id(to).await);
    let set = ["CLUSTER", "SETSLOT", &slot];
    let importing = [&set[..], &["IMPORTING", &source_id]].concat();
    let _: () = ask_at(&target, &importing).await.unwrap();
    let migrating = [&set[..], &["MIGRATING", &target_id]].concat();
    let _: () = ask_at(&source, &migrating).await.unwrap();
    let port = cluster.nodes[to].port().unwrap().to_string();
    let during = numbered("during", 30);
    publish(&cluster, &during).await;
    loop {
        let find = ["CLUSTER", "GETKEYSINSLOT", &slot, "100"];
        let keys: Vec<String> = ask_at(&source, &find).await.unwrap();
        if keys.is_empty() {
            break;
        }
        let mut words = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
        words.extend(keys.iter().map(String::as_str));
        let _: redis::Value = ask_at(&source, &words).await.unwrap();
    }
    let last = numbered("last", 30);
    publish(&cluster, &last).await;
    let node = [&set[..], &["NODE", &target_id]].concat();
    for url in [&target, &source] {
        let _: () = ask_at(url, &node).await.unwrap();
    }
    let after = numbered("after", 30);
    publish(&cluster, &after).await;
    for stream in ["jobs", "results"] {
        until("the end of the work", || cluster.is_done(stream)).await;
    }
    for worker in workers {
        worker.stop().await;
    }
    assert_effects(&cluster, &[before, during, last, after].concat()).await;
}
