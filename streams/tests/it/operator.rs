use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use maestro_streams::{ConsumerConfig, DeadLetter, EntryId, Error, Outcome, Tail, TailFrom};
use tokio::sync::Semaphore;

use crate::rig::{Rig, by, config, done, id, job, relay, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_dead_letter_is_handled_as_a_new_message() {
    let rig = Rig::new();
    let well = Arc::new(AtomicBool::new(false));
    let handler = {
        let well = well.clone();
        by(move |delivery| {
            let well = well.load(Ordering::SeqCst);
            async move {
                if well {
                    done(&delivery)
                } else {
                    Outcome::Dead(DeadLetter::new("invalid", "not now"))
                }
            }
        })
    };
    let worker = rig.start(config(), handler);
    rig.publish(["a".to_owned()]).await;
    until("a dead letter", || async {
        rig.len("{jobs}:dead").await == 1
    })
    .await;
    well.store(true, Ordering::SeqCst);
    let admin = rig.admin();
    let letter = &admin.dead_letters("jobs", None, 10).await.unwrap()[0];
    assert_eq!(admin.dead_letter("jobs", letter.id).await.unwrap(), *letter);
    admin.replay("jobs", letter.id).await.unwrap();
    until("its result", || async { rig.len("results").await == 1 }).await;
    assert_eq!(rig.len("{jobs}:dead").await, 0);
    let again = admin.replay("jobs", letter.id).await.unwrap_err();
    assert!(matches!(again, Error::NoDeadLetter { .. }));
    // Its mark stands again.
    rig.publish(["a".to_owned()]).await;
    until("acknowledged", || async {
        let status = admin.status(&["jobs"]).await.unwrap();
        status[0].groups[0].backlog() == Some(0)
    })
    .await;
    worker.stop().await;
    assert_eq!(rig.len("results").await, 1);
    let fields: Vec<(String, Vec<(String, String)>)> = rig.ask(&["XRANGE", "jobs", "-", "+"]).await;
    assert!(
        fields
            .iter()
            .flat_map(|(_, f)| f)
            .all(|(name, _)| !name.starts_with("dead"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_come_in_pages_and_can_be_dropped() {
    let rig = Rig::new();
    for n in 0..5 {
        let _: String = rig
            .ask(&[
                "XADD",
                "{jobs}:dead",
                &format!("{}-0", n + 1),
                "deadreason",
                "invalid",
            ])
            .await;
    }
    let admin = rig.admin();
    let page = admin.dead_letters("jobs", None, 2).await.unwrap();
    let next = admin
        .dead_letters("jobs", Some(page[1].id), 10)
        .await
        .unwrap();
    assert_eq!((page.len(), next.len()), (2, 3));
    admin.drop_dead_letter("jobs", page[0].id).await.unwrap();
    assert!(admin.drop_dead_letter("jobs", page[0].id).await.is_err());
    assert_eq!(rig.len("{jobs}:dead").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_and_its_urgent_lane_are_read_from_their_end_in_pages() {
    let rig = Rig::new();
    let admin = rig.admin();
    assert!(
        admin
            .newest("jobs", false, None, 2)
            .await
            .unwrap()
            .is_empty()
    );
    let names = ["a", "b", "c"];
    let jobs = names.map(job);
    rig.publisher().publish(&jobs).await.unwrap();
    let lane = job("u").urgent(true);
    rig.publisher().publish(&[lane]).await.unwrap();
    let ids = |page: &[maestro_streams::Entry]| {
        let ids = page.iter().map(|entry| id(&entry.fields));
        ids.collect::<Vec<_>>()
    };
    let page = admin.newest("jobs", false, None, 2).await.unwrap();
    assert_eq!(ids(&page), ["c", "b"]);
    let rest = admin.newest("jobs", false, Some(page[1].id), 2).await;
    assert_eq!(ids(&rest.unwrap()), ["a"]);
    let urgent = admin.newest("jobs", true, None, 2).await.unwrap();
    assert_eq!(ids(&urgent), ["u"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_is_complete_even_where_redis_does_not_know_the_lag() {
    let rig = Rig::new();
    let admin = rig.admin();
    let empty = &admin.status(&["jobs"]).await.unwrap()[0];
    assert_eq!((empty.length, empty.groups.len()), (0, 0));
    assert_eq!(empty.oldest_entry_age, None);

    admin.ensure_groups(&[("jobs", "workers")]).await.unwrap();
    admin.ensure_groups(&[("jobs", "workers")]).await.unwrap();
    let ids = rig
        .publisher()
        .publish(&[job("a"), job("b"), job("c"), job("d")])
        .await
        .unwrap();
    let _: redis::Value = rig
        .ask(&[
            "XREADGROUP",
            "GROUP",
            "workers",
            "me",
            "COUNT",
            "1",
            "STREAMS",
            "jobs",
            ">",
        ])
        .await;
    // From here on Redis answers null.
    let _: u64 = rig.ask(&["XDEL", "jobs", &ids[2].to_string()]).await;
    let status = &admin.status(&["jobs"]).await.unwrap()[0];
    let group = &status.groups[0];
    assert_eq!(status.length, 3);
    assert!(status.oldest_entry_age.is_some());
    assert_eq!((group.lag, group.pending), (Some(2), 1));
    assert_eq!(group.backlog(), Some(3));
    assert!(group.oldest_pending_idle.is_some());
    assert_eq!(group.consumers[0].name, "me");
    assert_eq!(group.consumers[0].pending, 1);
    assert_eq!(group.consumers[0].heartbeat, None);
    let running = rig.start(config(), relay());
    until("it is registered", || async {
        let status = admin.status(&["jobs"]).await.unwrap();
        let consumers = &status[0].groups[0].consumers;
        consumers
            .iter()
            .any(|c| c.name == running.name && c.heartbeat.is_some() && !c.about.is_empty())
    })
    .await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_trimmed_only_to_what_every_group_has_done_with() {
    let rig = Rig::new();
    let admin = rig.admin();
    admin
        .ensure_groups(&[("jobs", "workers"), ("jobs", "slow")])
        .await
        .unwrap();
    rig.publish((0..500).map(|n| n.to_string())).await;
    let brief = ConsumerConfig {
        retention: Duration::ZERO,
        ..config()
    };
    let worker = rig.start(brief.clone(), relay());
    until("all handled", || async { rig.len("results").await == 500 }).await;
    // The other group has read nothing; give housekeeping every chance to be wrong.
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(rig.len("jobs").await, 500);
    }
    let slow = rig.start(
        ConsumerConfig {
            group: "slow".to_owned(),
            ..brief
        },
        by(|_| async { Outcome::Done(Vec::new()) }),
    );
    until("it is trimmed", || async { rig.len("jobs").await <= 1 }).await;
    worker.stop().await;
    slow.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_within_the_retention_stays() {
    let rig = Rig::new();
    rig.publish((0..10).map(|n| n.to_string())).await;
    let worker = rig.start(config(), relay());
    until("all handled", || async { rig.len("results").await == 10 }).await;
    until("housekeeping was there", || async {
        let saved: bool = rig.ask(&["HEXISTS", "{jobs}:cursor", "workers"]).await;
        saved
    })
    .await;
    worker.stop().await;
    assert_eq!(rig.len("jobs").await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_follows_several_streams_across_a_cut_connection() {
    let rig = Rig::new();
    rig.publish(["before".to_owned()]).await;
    let mut tail = Tail::open(&rig.endpoint, "", &["jobs", "results"], TailFrom::Now)
        .await
        .unwrap();
    rig.publish(["a".to_owned()]).await;
    let (stream, entry) = tail.next().await.unwrap();
    assert_eq!((&*stream, entry.fields.get_str("id")), ("jobs", Some("a")));
    let _: u64 = rig
        .ask(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"])
        .await;
    let _: String = rig.ask(&["XADD", "results", "*", "of", "a"]).await;
    let (stream, entry) = tail.next().await.unwrap();
    assert_eq!(
        (&*stream, entry.fields.get_str("of")),
        ("results", Some("a"))
    );
    let mut all = Tail::open(&rig.endpoint, "", &["jobs"], TailFrom::After(EntryId::ZERO))
        .await
        .unwrap();
    assert_eq!(
        all.next().await.unwrap().1.fields.get_str("id"),
        Some("before")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_with_different_prefixes_share_a_server() {
    let rig = Rig::new();
    let tenant = ConsumerConfig {
        prefix: "acme:".to_owned(),
        ..config()
    };
    let worker = rig.start(tenant, relay());
    let publisher = maestro_streams::Publisher::new(&rig.endpoint, "acme:").unwrap();
    publisher.publish(&[job("a")]).await.unwrap();
    rig.publish(["b".to_owned()]).await;
    until("the tenant's result", || async {
        rig.len("acme:results").await == 1
    })
    .await;
    worker.stop().await;
    assert_eq!(rig.len("results").await, 0);
    assert_eq!(rig.values("acme:results", "of").await, ["a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_shows_the_urgent_lane_once_something_came_by_it_and_what_waits_for_its_turn() {
    let rig = Rig::new();
    let admin = rig.admin();
    admin.ensure_groups(&[("jobs", "workers")]).await.unwrap();
    admin
        .ensure_urgent_groups(&[("jobs", "workers")])
        .await
        .unwrap();
    let unused = &admin.status(&["jobs"]).await.unwrap()[0];
    assert_eq!((unused.groups.len(), &unused.urgent), (1, &None));

    let gate = Arc::new(Semaphore::new(0));
    let worker = {
        let gate = gate.clone();
        by(move |delivery| {
            let gate = gate.clone();
            async move {
                if id(&delivery.entry.fields) == "later" {
                    return Outcome::Retry {
                        reason: "not today".to_owned(),
                        after: Some(Duration::from_hours(1)),
                    };
                }
                gate.acquire().await.expect("open").forget();
                done(&delivery)
            }
        })
    };
    let worker = rig.start(
        ConsumerConfig {
            urgent_lane: true,
            ..config()
        },
        worker,
    );
    let keyed = |id: &str| job(id).field("partitionkey", "k").urgent(true);
    let later = job("later").urgent(true);
    rig.publisher()
        .publish(&[keyed("a"), keyed("b"), keyed("c"), later, job("usual")])
        .await
        .unwrap();
    let urgent = || async { admin.status(&["jobs"]).await.unwrap()[0].urgent.clone() };
    until("two wait for their turn, and one for its time", || async {
        urgent().await.is_some_and(|lane| {
            let group = &lane.groups[0];
            (lane.delayed, group.parked, group.pending, group.lag) == (1, 2, 1, Some(0))
        })
    })
    .await;
    let status = &admin.status(&["jobs"]).await.unwrap()[0];
    let lane = status.urgent.as_ref().unwrap();
    assert_eq!(lane.groups[0].backlog(), Some(3));
    assert_eq!(lane.groups[0].consumers[0].name, worker.name);
    assert_eq!((status.delayed, status.groups[0].parked), (0, 0));
    assert_eq!(status.groups[0].pending, 1);
    gate.add_permits(4);
    until("all but the delayed one are handled", || async {
        urgent()
            .await
            .is_some_and(|lane| lane.groups[0].backlog() == Some(0))
    })
    .await;
    // What was used once stays in sight when it is empty.
    let _: u64 = rig.ask(&["XTRIM", "{jobs}:urgent", "MAXLEN", "0"]).await;
    let _: u64 = rig.ask(&["DEL", "{jobs}:urgent:delayed"]).await;
    assert_eq!(urgent().await.map(|lane| lane.length), Some(0));
    worker.stop().await;
}
