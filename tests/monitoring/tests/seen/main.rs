//! A real fleet, a real Pushgateway, a real Prometheus: under load and under faults every panel shows something, every alert fires, and
//! when all is over nothing is left.

mod expressions;
mod picture;
mod watched;

use std::collections::BTreeSet;

use maestro_environment_tests::{Site, stack};
use maestro_monitoring::{Prometheus, Pushgateway, until};
use maestro_telemetry::undescribed;
use maestro_test_cluster::{Play, shared_played};
use maestro_tests::{Fleet, Project, Worker, listening};
use serde_json::{Value, json};

use expressions::{Drawn, dashboards, drawn, impatient, rules};
use picture::picture;
use watched::{Watched, pushing, signal};

const REPORTED: &str = "maestro.error.reported.v1";
const HEAL: &str = "maestro.heal.requested.v1";
const CLEANUP: &str = "maestro.environment.cleanup.requested.v1";

/// One at a time, so that it is known who has what.
const HEALING: &[&str] = &["--heal-concurrency", "1", "--max-deliveries", "9"];

/// Metrics of which a sound fleet shows nothing but zeros, and for which no fault is made here.
const QUIET: &[&str] = &[
    "streams_recovered_total",
    "streams_trimmed_total",
    "streams_consumers_deleted_total",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_panel_shows_something_and_every_alert_fires() {
    let cluster = shared_played().await;
    let site = match cluster {
        Some((plane, _)) => Some(Site::on(plane).await),
        None => None,
    };
    let own = site.is_none().then(Fleet::start);
    let fleet = match (&site, &own) {
        (Some(site), _) => &site.fleet,
        (None, Some(own)) => own,
        (None, None) => unreachable!("one of them is there"),
    };
    let began = now();
    let gateway = Pushgateway::start();
    let prometheus = Prometheus::start(gateway.address(), "1s", &impatient(fleet.directory()));
    let watched = Watched {
        fleet,
        gateway: &gateway,
        prometheus: &prometheus,
    };
    watched.fires("MaestroQueuesUnread", &[("severity", "page")]);

    let mut triage = [watched.worker("triage", &[]), watched.worker("triage", &[])];
    let heal = [(); 3].map(|()| watched.worker("heal", HEALING));
    load(&watched);
    watched.sound();
    dependency_away(&watched);
    if let (Some(site), Some((_, kubelet))) = (&site, cluster) {
        kubelet.play("absent:1", Play::image_pull_fails("not found"));
        kubelet.play("tests:1", Play::exits(0));
        environments(&watched, site);
    }
    producers_at_fault(&watched);
    lost_workers(&watched, heal);
    lost_in_redis(&watched, &triage);
    nobody_there(&watched);

    everything_was_seen(&watched, site.is_some());
    everything_is_drawn(&watched, site.is_some(), began);
    assert_eq!(undescribed(&gateway.text()), Vec::<String>::new());
    for worker in &mut triage {
        let own = format!("-{}\"", worker.pid());
        assert!(!watched.shown(&own).is_empty());
        assert!(worker.terminate().success(), "{}", worker.log());
        assert_eq!(watched.shown(&own), Vec::<String>::new());
    }
    assert_eq!(watched.shown("instance=\"fleet\""), Vec::<String>::new());
}

/// What a fleet does on a good day.
fn load(watched: &Watched<'_>) {
    let project = Project::new(watched.fleet.directory(), "colon").without_a_colon();
    let failure = project.failure("SyntaxError: expected ':'");
    let broken = Project::new(watched.fleet.directory(), "broken").with_a_broken_product();
    let broken = broken.failure("AssertionError: -1 != 3");
    for number in 0..60 {
        // The same failure again is a repeat.
        let id = format!("error-{number}");
        watched.publish("automation:errors", REPORTED, &id, &failure);
    }
    // The same message again is a duplicate.
    watched.publish("automation:errors", REPORTED, "error-0", &failure);
    watched.publish("automation:heal", HEAL, "broken", &broken);
    // One after the other: the second and the third wait for their turn.
    let data = failure.to_string();
    for id in ["turn-1", "turn-2", "turn-3"] {
        let fields = [
            ("type", HEAL),
            ("id", id),
            ("source", "test"),
            ("partitionkey", "one"),
            ("data", &data),
        ];
        watched.add("automation:heal", "*", &fields);
    }
    let urgent = [
        ("type", REPORTED),
        ("id", "urgent"),
        ("source", "test"),
        ("data", &data),
    ];
    watched.add("{automation:errors}:urgent", "*", &urgent);
    // Not to be handled in this test's time.
    let later = [
        ("type", REPORTED),
        ("id", "later"),
        ("source", "test"),
        ("notbefore", "2999-01-01T00:00:00Z"),
        ("data", &data),
    ];
    watched.add("automation:errors", "*", &later);
    watched.some("maestro_heals_total{verdict=\"healed\"}");
    watched.some("maestro_heals_total{verdict=\"refused\"}");
    watched.some("maestro_triaged_total{decision=\"repeat\"}");
    watched.some("maestro_stream_delayed");
    until("all heals are done", || {
        let waiting = "sum(maestro_queue_lag{group=\"heal\"} + maestro_queue_pending{group=\"heal\"} + maestro_queue_parked{group=\"heal\"}) == 0 and on () sum(streams_committed_total{group=\"heal\"}) >= 5";
        (!watched.prometheus.query(waiting).is_empty()).then_some(())
    });
    let readers = watched.prometheus.query("maestro_queues_read_time_seconds");
    assert_eq!(readers.len(), 1, "one replica reads the queues for all");
}

/// Environments that come up, are tested, fail and go; and a cluster that is away.
fn environments(watched: &Watched<'_>, site: &Site) {
    let own = watched.arguments();
    let own: Vec<_> = own.iter().map(String::as_str).collect();
    let mut provision = site.provision(&own);
    watched.seen(&provision);
    let mut spec = stack("shop:1");
    spec["test"] = json!({ "image": "tests:1", "command": ["true"] });
    site.request("tested", &spec);
    for number in 0..6 {
        site.request(
            &format!("absent-{number}"),
            &json!({ "app": { "image": "absent:1" } }),
        );
    }
    watched.some("maestro_environment_tests_total{outcome=\"passed\"}");
    watched.fires("MaestroEnvironmentsFail", &[("severity", "ticket")]);

    let mut cleanup = site.cleanup(&own);
    watched.seen(&cleanup);
    watched.some("maestro_environments_deleted_total{cause=\"finished\"}");
    watched.some("maestro_environments_deleted_total{cause=\"failed\"}");
    for (stream, wrong) in [
        ("k8s:provision", "maestro.environment.requested.v1"),
        ("k8s:cleanup", CLEANUP),
    ] {
        watched.publish(stream, wrong, "wrong", &json!([]));
    }
    watched.some("maestro_unfit_total{worker=\"provision\"}");
    watched.some("maestro_unfit_total{worker=\"cleanup\"}");
    for worker in [&mut provision, &mut cleanup] {
        assert!(worker.terminate().success(), "{}", worker.log());
    }
}

/// Messages that no worker can take.
fn producers_at_fault(watched: &Watched<'_>) {
    for number in 0..30 {
        watched.publish(
            "automation:heal",
            HEAL,
            &format!("wrong-{number}"),
            &json!({}),
        );
    }
    watched.publish("automation:errors", REPORTED, "wrong", &json!({}));
    watched.fires("MaestroDeadLetters", &[("stream", "automation:heal")]);
    watched.fires(
        "MaestroManyFailures",
        &[("stream", "automation:heal"), ("group", "heal")],
    );
}

/// Workers that freeze or die with a message in hand.
fn lost_workers(watched: &Watched<'_>, heal: [Worker; 3]) {
    let slow = slow(watched.fleet);
    let (stream, group) = ("automation:heal", "heal");
    let of_heal = [("stream", stream), ("group", group)];
    let all: Vec<_> = heal.iter().collect();

    // The first one freezes, the second one as well; the third is given the message alone.
    let id = watched.publish(stream, HEAL, "poison", &slow);
    let mut sound = all.clone();
    for alert in ["MaestroWorkersLost", "MaestroPoisonMessage"] {
        let holder = watched.holder(stream, group, &id, &sound);
        signal("STOP", sound.remove(holder));
        watched.holder(stream, group, &id, &sound);
        watched.fires(alert, &of_heal);
    }
    watched.fires("MaestroReplicaSilent", &[("job", "maestro")]);
    for worker in &all {
        signal("CONT", worker);
    }
    watched.fires("MaestroOutcomesTooLate", &of_heal);
    watched.idle(stream, group);

    // One freezes, and meanwhile somebody deletes its message.
    let id = watched.publish(stream, HEAL, "vanishing", &slow);
    let holder = all[watched.holder(stream, group, &id, &all)];
    signal("STOP", holder);
    let deleted: u32 = redis::cmd("XDEL")
        .arg(stream)
        .arg(&id)
        .query(&mut watched.fleet.redis())
        .expect("XDEL");
    assert_eq!(deleted, 1);
    watched.fires("MaestroEntriesVanished", &of_heal);
    signal("CONT", holder);
    watched.idle(stream, group);

    // All of them die with a message in hand.
    let id = watched.publish(stream, HEAL, "orphan", &slow);
    watched.holder(stream, group, &id, &all);
    for mut worker in heal {
        worker.kill();
    }
    watched.fires("MaestroUnattended", &of_heal);
    watched.fires("MaestroNoWorker", &of_heal);
    watched.fires("MaestroConsumersSilent", &of_heal);

    // One comes whose directory is none, and tries again and again.
    let work = watched.fleet.directory().join("work");
    let at = work.display().to_string();
    let mut last = watched.worker("heal", &[HEALING, &["--work-dir", &at]].concat());
    std::fs::rename(&work, work.with_extension("away")).expect("its directory");
    std::fs::write(&work, "").expect("a file");
    watched.publish(stream, HEAL, "again", &slow);
    watched.some("increase(streams_retried_total{group=\"heal\"}[1m])");
    assert!(last.terminate().success(), "{}", last.log());
}

/// The data of a heal that takes its time.
fn slow(fleet: &Fleet) -> Value {
    let project = Project::new(fleet.directory(), "slow").green().file(
        "test_adder.py",
        "import time\nimport unittest\n\nfrom adder import add\n\n\nclass AdderTest(unittest.TestCase):\n    def test_sum(self):\n        time.sleep(5)\n        self.assertEqual(add(1, 2), 4)\n",
    );
    project.failure("AssertionError: 3 != 4")
}

/// A group that is gone, connections that are cut.
fn lost_in_redis(watched: &Watched<'_>, triage: &[Worker]) {
    let mut redis = watched.fleet.redis();
    let gone: u32 = redis::cmd("XGROUP")
        .arg(("DESTROY", "automation:errors", "triage"))
        .query(&mut redis)
        .expect("XGROUP");
    assert_eq!(gone, 1);
    watched.fires(
        "MaestroGroupLost",
        &[("stream", "automation:errors"), ("group", "triage")],
    );
    let _: u32 = redis::cmd("CLIENT")
        .arg(("KILL", "TYPE", "normal"))
        .query(&mut redis)
        .expect("CLIENT KILL");
    watched.some("streams_reconnects_total{group=\"triage\"}");
    let logs: Vec<_> = triage.iter().map(Worker::log).collect();
    assert!(logs.iter().any(|log| log.contains("consuming")), "{logs:?}");
}

/// Messages that nobody comes for.
fn nobody_there(watched: &Watched<'_>) {
    let mut redis = watched.fleet.redis();
    let _: () = redis::cmd("XGROUP")
        .arg((
            "CREATE",
            "automation:validation",
            "validate",
            "0",
            "MKSTREAM",
        ))
        .query(&mut redis)
        .expect("XGROUP");
    let (now, _): (u64, u64) = redis::cmd("TIME").query(&mut redis).expect("TIME");
    let long_ago = format!("{}-0", (now - 3600) * 1000);
    watched.add("automation:validation", &long_ago, &[("type", "any")]);
    let of_validation = [("stream", "automation:validation"), ("group", "validate")];
    watched.fires("MaestroQueueOld", &of_validation);
    watched.fires("MaestroNoWorker", &of_validation);
}

/// A cluster that is away: its messages wait.
fn dependency_away(watched: &Watched<'_>) {
    let kubeconfig = watched.fleet.directory().join("nowhere.yaml");
    std::fs::write(&kubeconfig, NOWHERE).expect("a kubeconfig");
    let kubeconfig = kubeconfig.display().to_string();
    let mut lonely = watched.worker(
        "provision",
        &["--kubeconfig", &kubeconfig, "--provision-concurrency", "1"],
    );
    let request = json!({ "app": { "image": "shop:1" } });
    watched.publish(
        "k8s:provision",
        "maestro.environment.requested.v1",
        "first",
        &request,
    );
    let of_provision = [("stream", "k8s:provision"), ("group", "provision")];
    watched.fires("MaestroDependencyDown", &of_provision);
    watched.publish(
        "k8s:provision",
        "maestro.environment.requested.v1",
        "second",
        &request,
    );
    watched.some("streams_returned_total{group=\"provision\"}");
    watched.fires("MaestroQueueStuck", &of_provision);
    assert!(lonely.terminate().success(), "{}", lonely.log());
}

/// A cluster at a port where nobody listens.
const NOWHERE: &str = r#"apiVersion: v1
kind: Config
current-context: nowhere
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
clusters: [{name: nowhere, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: nobody, user: {}}]
"#;

/// Dashboards of workers that a fleet without a cluster does not have.
fn is_of_cluster(place: &str) -> bool {
    ["provision", "cleanup", "environments"]
        .iter()
        .any(|name| place.starts_with(name))
}

/// Every expression has had data, and more than zeros.
fn everything_was_seen(watched: &Watched<'_>, has_cluster: bool) {
    let is_expected = |text: &str| has_cluster || !text.to_lowercase().contains("environment");
    let mut missing = BTreeSet::new();
    for drawn in drawn() {
        if !is_expected(&drawn.expression) || (!has_cluster && is_of_cluster(&drawn.place)) {
            continue;
        }
        let Drawn {
            place,
            expression,
            whole,
        } = &drawn;
        if watched.ever(expression).is_empty() {
            missing.insert(format!("{place} shows nothing: {expression}"));
        }
        // Of each stream it may be; of all together it must not.
        let is_quiet = QUIET.iter().any(|metric| whole.contains(metric));
        let found = watched.ever(whole);
        if !(is_quiet || found.iter().any(|sample| sample.value > 0.0)) {
            missing.insert(format!("{place} shows nothing above 0: {whole}"));
        }
    }
    assert_eq!(missing, BTreeSet::new());
    for rule in rules("recording.yaml") {
        let name = rule.record.expect("a recording rule");
        assert!(!watched.ever(&name).is_empty(), "{name}");
    }
    let fired = watched.ever("ALERTS{alertstate=\"firing\"}");
    let fired: BTreeSet<_> = fired
        .into_iter()
        .filter_map(|mut sample| sample.labels.remove("alertname"))
        .collect();
    let alerts = rules("alerts.yaml")
        .into_iter()
        .filter_map(|rule| rule.alert);
    let expected: BTreeSet<_> = alerts.filter(|alert| is_expected(alert)).collect();
    assert_eq!(fired, expected);
    assert_eq!(watched.prometheus.broken_rules(), Vec::<String>::new());
}

/// Draws every dashboard as it was during the test. `MAESTRO_TEST_PICTURES` says where the pictures are to stay.
fn everything_is_drawn(watched: &Watched<'_>, has_cluster: bool, began: f64) {
    let kept = std::env::var_os("MAESTRO_TEST_PICTURES");
    for dashboard in dashboards() {
        let time = (began, now());
        let (svg, lines) = picture(&dashboard, watched.prometheus, time);
        let is_of_cluster = ["environments", "provision", "cleanup"].contains(&&*dashboard.name);
        if has_cluster || !is_of_cluster {
            let is_empty = |(title, lines): &&(String, usize)| {
                *lines == 0 && (has_cluster || !title.to_lowercase().contains("environment"))
            };
            let empty: Vec<_> = lines.iter().filter(is_empty).collect();
            assert!(empty.is_empty(), "{}: {empty:?}", dashboard.name);
        }
        if let Some(kept) = &kept {
            let file = std::path::Path::new(kept).join(format!("{}.svg", dashboard.name));
            std::fs::write(&file, svg).expect("a picture");
        }
    }
}

/// In seconds since 1970.
fn now() -> f64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("a time after 1970").as_secs_f64()
}

#[test]
fn a_fleet_that_ends_leaves_no_series_and_one_replica_alone_exports_the_queues() {
    let (fleet, gateway) = (Fleet::start(), Pushgateway::start());
    let own = pushing(&gateway);
    let own: Vec<_> = own.iter().map(String::as_str).collect();
    let mut workers = [fleet.worker("triage", &own), fleet.worker("triage", &own)];
    for worker in &workers {
        let instance = format!("-{}\"", worker.pid());
        until("each replica is seen", || {
            gateway.text().contains(&instance).then_some(())
        });
    }
    until("the queues are seen", || {
        gateway
            .text()
            .contains("maestro_stream_length{")
            .then_some(())
    });
    for worker in &workers {
        assert_eq!(listening(worker.pid()), Vec::<String>::new());
    }
    let text = gateway.text();
    assert_eq!(undescribed(&text), Vec::<String>::new());
    let readers = text
        .lines()
        .filter(|line| line.starts_with("maestro_queues_read_time_seconds{"));
    assert_eq!(readers.count(), 1, "{text}");

    // Whichever of them it was, the other one goes on; what it does not push any more is gone.
    assert!(workers[0].terminate().success());
    let before = gateway.pushed_at("fleet");
    until("the other one exports the queues", || {
        gateway
            .pushed_at("fleet")
            .filter(|now| before.is_none_or(|before| *now > before))
    });
    assert!(!gateway.text().contains(&format!("-{}\"", workers[0].pid())));
    assert!(workers[1].terminate().success());
    assert_eq!(gateway.text(), "");
}
