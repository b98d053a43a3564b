//! What the workers measure, and the process itself.

use super::{Metric, Part, Unit};

/// A heal takes seconds to minutes; environments take as long.
const LONG: &[f64] = &[
    1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 180.0, 300.0, 600.0, 1200.0, 3600.0,
];
const STEPS: &[f64] = &[
    0.05, 0.25, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
];

pub(super) const PART: Part = Part {
    heading: "The workers, per replica",
    about: "What comes of messages is counted when its handler has decided; a replica that loses a message between that and its commit leaves it to another one, which counts again (`streams_fenced_total` tells how often). What is said while a message is still handled, as environments do, is counted once.",
    metrics: &[
        Metric::counter(
            "maestro_handled_total",
            &["worker", "outcome"],
            "Messages that a handler came to an outcome with",
        ),
        Metric::counter(
            "maestro_unfit_total",
            &["worker", "reason"],
            "Messages that were set aside unhandled, because no worker could take them",
        ),
        Metric::counter(
            "maestro_triaged_total",
            &["decision", "kind"],
            "Reported errors that were triaged",
        ),
        Metric::counter(
            "maestro_heals_total",
            &["verdict", "strategy"],
            "Heals that ended",
        ),
        Metric::seconds(
            "maestro_heal_seconds",
            LONG,
            &["verdict"],
            "How long heals took",
        ),
        Metric::seconds(
            "maestro_heal_step_seconds",
            STEPS,
            &["step"],
            "What heals spent their time on",
        ),
        Metric::counter(
            "maestro_environment_phases_total",
            &["phase"],
            "Environments that came to a phase",
        ),
        Metric::seconds(
            "maestro_environment_ready_seconds",
            LONG,
            &[],
            "From the request of an environment to all its parts being ready",
        ),
        Metric::counter(
            "maestro_environment_tests_total",
            &["outcome"],
            "Test runs in environments that ended",
        ),
        Metric::seconds(
            "maestro_environment_test_seconds",
            LONG,
            &["outcome"],
            "How long test runs in environments took",
        ),
        Metric::counter(
            "maestro_environments_deleted_total",
            &["cause"],
            "Environments of which nothing is left",
        ),
        Metric::gauge(
            "maestro_build_info",
            &["version"],
            "1, for the label's sake",
        )
        .in_unit(Unit::Truth),
        Metric::gauge(
            "maestro_start_time_seconds",
            &[],
            "When the process began to measure",
        )
        .in_unit(Unit::Timestamp),
        Metric::gauge(
            "maestro_resident_bytes",
            &[],
            "Memory of the process that is resident",
        )
        .in_unit(Unit::Bytes),
        Metric::gauge(
            "maestro_open_files",
            &[],
            "File descriptors of the process that are open",
        ),
        Metric::counter(
            "maestro_metrics_pushes_total",
            &["outcome"],
            "Pushes of what the replica measured; one that failed shows with the next that arrives",
        ),
        Metric::counter(
            "maestro_spans_total",
            &["outcome"],
            "Spans that arrived at the tracing system (`ok`), that came faster than they could be sent (`dropped`) or were left at the end (`failed`)",
        ),
    ],
};
