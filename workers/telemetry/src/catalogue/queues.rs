//! What stands in Redis.

use super::{Metric, Part, Unit};

const STREAM: &[&str] = &["stream", "lane"];
const GROUP: &[&str] = &["stream", "group", "lane"];

pub(super) const PART: Part = Part {
    heading: "The queues, once for the fleet",
    about: "Read from Redis every `metrics.interval` by whichever replica comes first, and exported by that one alone, as the instance `fleet`.",
    metrics: &[
        Metric::gauge(
            "maestro_stream_length",
            STREAM,
            "Entries of a stream, those within the retention that are handled included",
        ),
        Metric::gauge(
            "maestro_stream_delayed",
            STREAM,
            "Messages that wait for their next delivery or for their time",
        ),
        Metric::gauge(
            "maestro_stream_dead_letters",
            &["stream"],
            "Dead letters that wait for a decision, those of both lanes",
        ),
        Metric::gauge(
            "maestro_queue_lag",
            GROUP,
            "Entries not yet delivered; where Redis does not know and there are more than 10,000, at least so many, and `maestro_queue_lag_known` is 0",
        ),
        Metric::gauge(
            "maestro_queue_lag_known",
            GROUP,
            "Whether `maestro_queue_lag` is exact",
        )
        .in_unit(Unit::Truth),
        Metric::gauge(
            "maestro_queue_pending",
            GROUP,
            "Entries delivered and not yet acknowledged",
        ),
        Metric::gauge(
            "maestro_queue_claimable",
            GROUP,
            "Of the oldest 1000 pending entries, those without a sign of life for a whole lease: free for whoever takes them over",
        ),
        Metric::gauge(
            "maestro_queue_parked",
            GROUP,
            "Messages that wait for their turn behind one with the same `partitionkey`; neither pending nor in the lag",
        ),
        Metric::gauge(
            "maestro_queue_oldest_age_seconds",
            GROUP,
            "How old the oldest entry is that is not acknowledged, delivered or not; 0 where there is none",
        )
        .in_unit(Unit::Seconds),
        Metric::gauge(
            "maestro_queue_consumers",
            &["stream", "group", "lane", "state"],
            "Consumers of the group",
        ),
        Metric::gauge(
            "maestro_queues_read_time_seconds",
            &[],
            "When the queues were last read: old if no replica reads them any more",
        )
        .in_unit(Unit::Timestamp),
    ],
};
