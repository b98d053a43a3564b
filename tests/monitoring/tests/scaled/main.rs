//! One replica, eight, two, under a load that never ends: the work goes as fast as there are replicas, nothing is lost or done twice,
//! and those that left are gone from the group, from the gateway and from the panels.

mod far;

use std::collections::HashSet;
use std::time::{Duration, Instant};

use maestro_monitoring::{Prometheus, Pushgateway, until};
use maestro_tests::{Fleet, Worker};
use redis::Commands as _;
use serde_json::json;

const ERRORS: &str = "automation:errors";
const RESULTS: &str = "automation:results";
/// How far away Redis is.
const DISTANCE: Duration = Duration::from_millis(5);
/// What one replica is timed by. Several of them, several times as many.
const TIMED: u64 = 60;

#[test]
fn one_replica_becomes_eight_and_then_two() {
    let fleet = Fleet::start();
    let gateway = Pushgateway::start();
    let prometheus = Prometheus::start(gateway.address(), "1s", &[]);
    let socket = fleet.server.socket().expect("a socket");
    let url = format!("redis://127.0.0.1:{}", far::far(socket, DISTANCE));
    let start = || replica(&fleet, &url, gateway.address());
    let count = || {
        let found = prometheus.query("count(maestro_build_info)");
        found.first().map_or(0.0, |sample| sample.value)
    };
    let shows = |replicas: f64| {
        until(&format!("the panel shows {replicas} replicas"), || {
            ((count() - replicas).abs() < 0.5).then_some(())
        });
    };
    let mut load = Load::new(&fleet);

    let mut replicas = vec![start()];
    shows(1.0);
    let one = load.rate(TIMED);
    replicas.extend((0..7).map(|_| start()));
    shows(8.0);
    let eight = load.rate(8 * TIMED);
    for mut left in replicas.drain(..6) {
        assert!(left.terminate().success(), "{}", left.log());
    }
    shows(2.0);
    let two = load.rate(2 * TIMED);
    println!("{one:.0}, {eight:.0} and {two:.0} messages a second by one, eight and two replicas");
    // Eight on a machine with two processors that are busy with other tests need not be eight times as fast.
    assert!(eight > 2.5 * one, "{eight} after {one}");
    assert!(two < 0.8 * eight, "{two} after {eight}");
    assert!(two > 1.2 * one, "{two} after {one}");

    load.drain();
    assert_eq!(consumers(&fleet), 2);
    for mut left in replicas {
        assert!(left.terminate().success(), "{}", left.log());
    }
    assert_eq!(consumers(&fleet), 0);
    // Nothing is exported that nobody brings up to date, neither now nor in an hour.
    assert_eq!(gateway.text(), "");
    until("the panels show nobody", || {
        prometheus
            .query("{job=\"maestro\"}")
            .is_empty()
            .then_some(())
    });
}

/// A replica of triage that does one thing after the other and is far from Redis.
fn replica(fleet: &Fleet, url: &str, gateway: &str) -> Worker {
    let target = format!("http://{gateway}");
    let arguments = ["--redis-url", url, "--triage-concurrency", "1"];
    let metrics = ["--metrics-target", &target, "--metrics-interval", "1s"];
    fleet.worker("triage", &[&arguments[..], &metrics].concat())
}

fn consumers(fleet: &Fleet) -> usize {
    let consumers: Vec<redis::Value> = redis::cmd("XINFO")
        .arg(("CONSUMERS", ERRORS, "triage"))
        .query(&mut fleet.redis())
        .expect("XINFO");
    consumers.len()
}

/// Errors, no two alike, always more than the replicas can do at once.
struct Load<'a> {
    fleet: &'a Fleet,
    published: u64,
}

impl<'a> Load<'a> {
    fn new(fleet: &'a Fleet) -> Self {
        let mut load = Self {
            fleet,
            published: 0,
        };
        load.publish(TIMED);
        load
    }

    fn done(&self) -> u64 {
        self.fleet.redis().xlen(RESULTS).expect("XLEN")
    }

    fn publish(&mut self, n: u64) {
        // What triage asks the heal workers for is left where it is: there are none.
        let failure = json!({
            "project": { "repository": "https://example.com/shop.git" },
            "kind": "runtime_error",
            "message": "",
            "test": { "id": "", "framework": "pytest" },
        });
        let mut pipeline = redis::pipe();
        for number in self.published..self.published + n {
            let mut data = failure.clone();
            data["message"] = json!(format!("AssertionError: {number}"));
            data["test"]["id"] = json!(format!("test_{number}"));
            let fields = [
                ("type", "maestro.error.reported.v1"),
                ("id", &format!("error-{number}")),
                ("source", "test"),
                ("data", &data.to_string()),
            ];
            pipeline.xadd(ERRORS, "*", &fields).ignore();
        }
        pipeline
            .query::<()>(&mut self.fleet.redis())
            .expect("XADDs");
        self.published += n;
    }

    /// Lets the replicas do `n` more, and says how many a second that were.
    fn rate(&mut self, n: u64) -> f64 {
        // Twice as much, so that nobody is without work at the end.
        let waiting = self.published - self.done();
        if waiting < 2 * n {
            self.publish(2 * n - waiting);
        }
        let (began, before) = (Instant::now(), self.done());
        let after = until("they are done", || {
            let done = self.done();
            (done >= before + n).then_some(done)
        });
        let done = u32::try_from(after - before).expect("a small number");
        f64::from(done) / began.elapsed().as_secs_f64()
    }

    /// Waits for the rest: each message was done once.
    fn drain(&self) {
        until("all is done", || {
            (self.done() >= self.published).then_some(())
        });
        let results = self.fleet.entries(RESULTS);
        let causes: HashSet<_> = results
            .iter()
            .map(|result| &result["causationid"])
            .collect();
        assert_eq!(causes.len(), results.len());
        assert_eq!(results.len() as u64, self.published);
        assert!(self.fleet.dead(ERRORS).is_empty());
    }
}
