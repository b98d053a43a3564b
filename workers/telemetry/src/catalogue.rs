//! The table of everything that is measured. A metric that does not stand here does not exist: a test reads the sources and compares.

mod queues;
mod runtime;
mod workers;

/// What a metric is to Prometheus.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only grows, and begins again at 0 with its process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets, with these upper bounds.
    Histogram(&'static [f64]),
}

impl Kind {
    /// The word of the text format.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// What a metric counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// 0 or 1.
    Truth,
    /// Seconds since 1970, by the clock of the process.
    Timestamp,
}

impl Unit {
    /// As the documentation names it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
            Self::Truth => "0 or 1",
            Self::Timestamp => "seconds since 1970",
        }
    }
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it is to Prometheus.
    pub kind: Kind,
    /// What it counts in.
    pub unit: Unit,
    /// Its labels, beside those that everything carries ([`LABELS`] says which).
    pub labels: &'static [&'static str],
    /// What it means, one sentence without the full stop.
    pub meaning: &'static str,
}

impl Metric {
    const fn counter(
        name: &'static str,
        labels: &'static [&'static str],
        meaning: &'static str,
    ) -> Self {
        Self {
            name,
            kind: Kind::Counter,
            unit: Unit::Count,
            labels,
            meaning,
        }
    }

    const fn gauge(
        name: &'static str,
        labels: &'static [&'static str],
        meaning: &'static str,
    ) -> Self {
        Self {
            name,
            kind: Kind::Gauge,
            unit: Unit::Count,
            labels,
            meaning,
        }
    }

    const fn seconds(
        name: &'static str,
        buckets: &'static [f64],
        labels: &'static [&'static str],
        meaning: &'static str,
    ) -> Self {
        Self {
            name,
            kind: Kind::Histogram(buckets),
            unit: Unit::Seconds,
            labels,
            meaning,
        }
    }

    const fn in_unit(self, unit: Unit) -> Self {
        Self { unit, ..self }
    }
}

/// A label, and what it may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// What it says, one sentence without the full stop.
    pub meaning: &'static str,
    /// Its values, where they are a closed set; otherwise they come from the configuration.
    pub values: &'static [&'static str],
}

const fn label(
    name: &'static str,
    meaning: &'static str,
    values: &'static [&'static str],
) -> Label {
    Label {
        name,
        meaning,
        values,
    }
}

/// Every label. `job`, `instance` and `prefix` are carried by everything; none has values that a message can invent.
pub const LABELS: &[Label] = &[
    label("job", "what `metrics.job` says", &[]),
    label(
        "instance",
        "the replica, as `metrics.instance` says; `fleet` for what one replica exports for all",
        &[],
    ),
    label(
        "prefix",
        "the tenant, as `redis.prefix` says; absent where there is none",
        &[],
    ),
    label("stream", "a stream's name, without the prefix", &[]),
    label("group", "a consumer group: that of a worker's kind", &[]),
    label(
        "lane",
        "the stream itself or its urgent lane",
        &["usual", "urgent"],
    ),
    label(
        "worker",
        "a worker's kind",
        &["triage", "heal", "provision", "cleanup"],
    ),
    label(
        "outcome",
        "what a handler came to; of a push or a span, whether it arrived; of the tests in an environment, how they ended",
        &[
            "done",
            "retry",
            "refused",
            "unavailable",
            "panicked",
            "ok",
            "failed",
            "passed",
            "timed_out",
            "broken",
            "dropped",
        ],
    ),
    label(
        "reason",
        "why a message is not handled",
        &[
            "undecodable",
            "invalid",
            "unknown_type",
            "expired",
            "exhausted",
            "refused",
            "oversized",
        ],
    ),
    label(
        "decision",
        "what triage decided",
        &["heal", "repeat", "not_healable"],
    ),
    label(
        "kind",
        "the kind of an error",
        &[
            "test_failure",
            "build_error",
            "type_error",
            "lint_error",
            "runtime_error",
            "import_error",
            "dependency_error",
        ],
    ),
    label(
        "verdict",
        "what came of a heal",
        &["healed", "proposed", "refused", "not_reproduced", "no_fix"],
    ),
    label(
        "strategy",
        "the strategy of a heal's first step; `none` where no step was made",
        &[
            "syntax_repair",
            "dependency_fix",
            "timing_adjustment",
            "assertion_update",
            "environment_healing",
            "flaky_test_stabilization",
            "api_contract_adaptation",
            "none",
        ],
    ),
    label(
        "step",
        "what a heal spends its time on",
        &[
            "checkout",
            "install",
            "reproduce",
            "generate",
            "validate",
            "teeth",
        ],
    ),
    label(
        "phase",
        "where an environment is in its life",
        &[
            "accepted",
            "provisioning",
            "ready",
            "testing",
            "tested",
            "failed",
            "deleting",
            "deleted",
        ],
    ),
    label(
        "cause",
        "why an environment was taken away",
        &["requested", "expired", "finished", "failed", "orphaned"],
    ),
    label(
        "state",
        "whether a consumer gave a sign of life within half a minute",
        &["alive", "silent"],
    ),
    label("version", "the version of the program", &[]),
];

/// Labels that everything carries.
pub(crate) const EVERYWHERE: [&str; 3] = ["job", "instance", "prefix"];

/// A part of the table, with its heading.
pub(crate) struct Part {
    pub(crate) heading: &'static str,
    pub(crate) about: &'static str,
    pub(crate) metrics: &'static [Metric],
}

pub(crate) const PARTS: [Part; 3] = [runtime::PART, workers::PART, queues::PART];

const COUNT: usize =
    runtime::PART.metrics.len() + workers::PART.metrics.len() + queues::PART.metrics.len();

/// Every metric, in the order of the documentation.
pub static CATALOGUE: [Metric; COUNT] = all();

const fn all() -> [Metric; COUNT] {
    let mut all = [runtime::PART.metrics[0]; COUNT];
    let (mut part, mut at) = (0, 0);
    while part < PARTS.len() {
        let mut metric = 0;
        while metric < PARTS[part].metrics.len() {
            all[at] = PARTS[part].metrics[metric];
            metric += 1;
            at += 1;
        }
        part += 1;
    }
    all
}

/// The metric of a name.
pub fn metric(name: &str) -> Option<&'static Metric> {
    CATALOGUE.iter().find(|metric| metric.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_named_by_the_rules_of_prometheus() {
        for metric in &CATALOGUE {
            let name = metric.name;
            let is_counter = metric.kind == Kind::Counter;
            assert_eq!(name.ends_with("_total"), is_counter, "{name}");
            let unit = match metric.unit {
                Unit::Seconds | Unit::Timestamp => "_seconds",
                Unit::Bytes => "_bytes",
                Unit::Count | Unit::Truth => "",
            };
            assert!(name.trim_end_matches("_total").ends_with(unit), "{name}");
            assert!(!metric.meaning.ends_with('.'), "{name}");
            let same = CATALOGUE.iter().filter(|other| other.name == name);
            assert_eq!(same.count(), 1, "{name}");
            for label in metric.labels {
                let known = LABELS.iter().any(|known| known.name == *label);
                assert!(known && !EVERYWHERE.contains(label), "{name} {label}");
            }
            if let Kind::Histogram(buckets) = metric.kind {
                assert!(buckets.is_sorted() && buckets.len() > 5, "{name}");
            }
        }
    }
}
