//! What `streams` measures. It names its own metrics and knows nothing of this table; a test holds the two together.

use super::{Metric, Part, Unit};

const BY: &[&str] = &["stream", "group", "lane"];

/// From a handler that only computes to a heal at its limit.
const HANDLING: &[f64] = &[
    0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0,
];
/// From a fleet that keeps up to one that is hours behind.
const WAITING: &[f64] = &[
    0.005, 0.02, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0,
];

pub(super) const PART: Part = Part {
    heading: "The runtime, per replica",
    about: "Of every consumer, whatever its messages mean.",
    metrics: &[
        Metric::counter(
            "streams_fetched_total",
            BY,
            "Entries read for the first time",
        ),
        Metric::counter(
            "streams_committed_total",
            BY,
            "Outcomes \"done\" that took effect",
        ),
        Metric::counter(
            "streams_fenced_total",
            BY,
            "Outcomes that came too late, because another consumer owned the message",
        ),
        Metric::counter(
            "streams_duplicates_total",
            BY,
            "Messages whose key had taken effect before",
        ),
        Metric::counter(
            "streams_progress_total",
            BY,
            "Times that a handler published something before it was done",
        ),
        Metric::counter(
            "streams_retried_total",
            BY,
            "Messages put back for another delivery",
        ),
        Metric::counter(
            "streams_returned_total",
            BY,
            "Messages put back without counting a delivery",
        ),
        Metric::counter(
            "streams_dead_total",
            BY,
            "Messages set aside as dead letters",
        ),
        Metric::counter(
            "streams_quarantined_total",
            BY,
            "Messages handled alone, because workers were lost with them",
        ),
        Metric::counter(
            "streams_taken_over_total",
            BY,
            "Messages taken over from a consumer that let its lease run out",
        ),
        Metric::counter(
            "streams_recovered_total",
            BY,
            "Own pending messages found again after a lost reply",
        ),
        Metric::counter(
            "streams_vanished_total",
            BY,
            "Pending entries that no longer exist: somebody else deleted or trimmed them",
        ),
        Metric::counter(
            "streams_reconnects_total",
            BY,
            "Connections to Redis made anew",
        ),
        Metric::counter(
            "streams_groups_recreated_total",
            BY,
            "Lost groups created again",
        ),
        Metric::counter(
            "streams_consumers_deleted_total",
            BY,
            "Dead consumers deleted",
        ),
        Metric::counter("streams_trimmed_total", BY, "Entries trimmed"),
        Metric::gauge(
            "streams_in_flight",
            BY,
            "Messages fetched and not yet committed",
        ),
        Metric::gauge(
            "streams_breaker_open",
            BY,
            "1 while something that the handler needs is unavailable, and nothing is fetched",
        )
        .in_unit(Unit::Truth),
        Metric::gauge(
            "streams_backlog",
            BY,
            "Pending plus not yet delivered, of the whole group, as this replica last saw it; for the fleet's figure see `maestro_queue_lag`",
        ),
        Metric::seconds(
            "streams_wait_seconds",
            WAITING,
            BY,
            "From the time an entry was put into its stream (put back, for a retry) to the start of its handler; by the clocks of Redis and of the replica",
        ),
        Metric::seconds(
            "streams_handler_seconds",
            HANDLING,
            BY,
            "How long handlers took",
        ),
    ],
};
