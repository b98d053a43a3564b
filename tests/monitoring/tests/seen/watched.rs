//! A fleet that pushes to a Pushgateway that a Prometheus scrapes.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use maestro_monitoring::{Alert, PATIENCE, Prometheus, Pushgateway, Sample, until};
use maestro_telemetry::undescribed;
use maestro_tests::{Fleet, Worker, listening};
use serde_json::Value;

/// What looks at a fleet.
pub(crate) struct Watched<'a> {
    pub(crate) fleet: &'a Fleet,
    pub(crate) gateway: &'a Pushgateway,
    pub(crate) prometheus: &'a Prometheus,
}

impl Watched<'_> {
    /// The arguments with which a worker is watched.
    pub(crate) fn arguments(&self) -> [String; 4] {
        pushing(self.gateway)
    }

    /// Starts a worker that is watched, and waits until it is seen.
    pub(crate) fn worker(&self, kind: &str, more: &[&str]) -> Worker {
        let own = self.arguments();
        let mut all: Vec<_> = own.iter().map(String::as_str).collect();
        all.extend(["--lease", "5s"]);
        all.extend(more);
        let worker = self.fleet.worker(kind, &all);
        self.seen(&worker);
        worker
    }

    /// Waits until Prometheus has its figures, all of them at zero.
    pub(crate) fn seen(&self, worker: &Worker) {
        let expression = format!("maestro_build_info{{instance=~\".*-{}\"}}", worker.pid());
        until(&format!("{expression} is there: {}", worker.log()), || {
            (!self.prometheus.query(&expression).is_empty()).then_some(())
        });
        assert_eq!(listening(worker.pid()), Vec::<String>::new());
        assert_eq!(undescribed(&self.gateway.text()), Vec::<String>::new());
    }

    /// Waits until an expression is more than nothing.
    pub(crate) fn some(&self, expression: &str) {
        until(&format!("{expression} is more than 0"), || {
            let found = self.prometheus.query(expression);
            found.iter().any(|sample| sample.value > 0.0).then_some(())
        });
    }

    /// Waits until an alert fires with these labels.
    pub(crate) fn fires(&self, alert: &str, labels: &[(&str, &str)]) {
        until(&format!("{alert} fires for {labels:?}"), || {
            let alerts = self.prometheus.alerts();
            let fits = |found: &BTreeMap<String, String>| {
                labels
                    .iter()
                    .all(|(name, value)| found.get(*name).is_some_and(|found| found == value))
            };
            alerts
                .iter()
                .any(|found| found.name == alert && found.state == "firing" && fits(&found.labels))
                .then_some(())
        });
    }

    /// Waits until no alert fires.
    pub(crate) fn sound(&self) {
        let mut last = BTreeSet::new();
        let sound = |last: &mut BTreeSet<Alert>| {
            *last = self.prometheus.alerts().into_iter().collect();
            last.is_empty().then_some(())
        };
        let waited = Instant::now();
        while sound(&mut last).is_none() {
            assert!(waited.elapsed() < PATIENCE, "these fire: {last:?}");
            thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// The lines of the Pushgateway with this text in them.
    pub(crate) fn shown(&self, text: &str) -> Vec<String> {
        let all = self.gateway.text();
        let lines = all.lines().filter(|line| line.contains(text));
        lines.map(str::to_owned).collect()
    }

    /// What an expression was at its most, since the test began; without what was never a number.
    pub(crate) fn ever(&self, expression: &str) -> Vec<Sample> {
        let all = self
            .prometheus
            .query(&format!("max_over_time(({expression})[30m:1s])"));
        all.into_iter()
            .filter(|sample| sample.value.is_finite())
            .collect()
    }

    /// Puts an entry into a stream.
    pub(crate) fn add(&self, stream: &str, id: &str, fields: &[(&str, &str)]) -> String {
        redis::cmd("XADD")
            .arg(stream)
            .arg(id)
            .arg(fields)
            .query(&mut self.fleet.redis())
            .expect("XADD")
    }

    /// Publishes a message.
    pub(crate) fn publish(&self, stream: &str, kind: &str, id: &str, data: &Value) -> String {
        let data = data.to_string();
        let fields = [
            ("type", kind),
            ("id", id),
            ("source", "test"),
            ("data", &data),
        ];
        self.add(stream, "*", &fields)
    }

    /// Waits until one of these workers has this entry in hand, and gives back which.
    pub(crate) fn holder(&self, stream: &str, group: &str, id: &str, among: &[&Worker]) -> usize {
        until(&format!("{id} of {stream} is in hand"), || {
            let pending: Vec<(String, String, u64, u64)> = redis::cmd("XPENDING")
                .arg(stream)
                .arg(group)
                .arg((id, id, 1))
                .query(&mut self.fleet.redis())
                .expect("XPENDING");
            let (_, consumer, ..) = pending.first()?;
            let is_of = |worker: &&Worker| consumer.contains(&format!("-{}-", worker.pid()));
            among.iter().position(is_of)
        })
    }

    /// Waits until nothing is in hand.
    pub(crate) fn idle(&self, stream: &str, group: &str) {
        until(&format!("nothing of {stream} is in hand"), || {
            let pending: Vec<redis::Value> = redis::cmd("XPENDING")
                .arg(stream)
                .arg(group)
                .arg(("-", "+", 1))
                .query(&mut self.fleet.redis())
                .expect("XPENDING");
            pending.is_empty().then_some(())
        });
    }
}

/// The arguments with which a worker pushes there, often.
pub(crate) fn pushing(gateway: &Pushgateway) -> [String; 4] {
    [
        "--metrics-target".to_owned(),
        format!("http://{}", gateway.address()),
        "--metrics-interval".to_owned(),
        "1s".to_owned(),
    ]
}

/// Sends a signal.
pub(crate) fn signal(name: &str, worker: &Worker) {
    let sent = Command::new("sh")
        .args(["-c", "kill -$0 $1", name, &worker.pid().to_string()])
        .status()
        .expect("kill runs");
    assert!(sent.success());
}
