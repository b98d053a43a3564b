//! The streams and the group of the suite, and the times that its consumers keep.

use std::time::Duration;

use maestro_streams::ConsumerConfig;

use crate::load::Kind;

/// The one consumer group of every stream.
pub(crate) const GROUP: &str = "workers";
/// Where what goes through a second group waits for it.
pub(crate) const HOP: &str = "hop";
/// Where every effect is appended.
pub(crate) const EFFECTS: &str = "effects";
/// The last part of the id of what a handler says along the way; it stands among the effects.
pub(crate) const WORD: &str = "word";
/// The field with the ordering key.
pub(crate) const KEY: &str = "partitionkey";
/// The field with the time before which a message is not handled, in milliseconds since 1970.
pub(crate) const NOT_BEFORE: &str = "notbefore";
/// The field of an effect with the id of the first entry of the message that it is one of.
pub(crate) const CAUSE: &str = "cause";
/// The lease of every scenario, short, so that many a message is taken over.
pub(crate) const LEASE: Duration = Duration::from_millis(600);
/// So many deliveries that faults alone never use them up.
const PLENTY: u32 = 100;

/// The streams that workers read, causes before their effects. In a cluster, effects go through a receiver of their own.
pub(crate) fn consumed(is_cluster: bool) -> Vec<&'static str> {
    let mut streams: Vec<_> = Kind::LOAD.iter().map(|kind| kind.stream()).collect();
    streams.push(HOP);
    if is_cluster {
        streams.push(EFFECTS);
    }
    streams
}

/// Whether messages are published to this stream's urgent lane, and consumers read it. A lane costs two connections more in each worker,
/// and in a cluster two to each node, so that it is given to the bulk, to what is retried and to what ends its worker.
pub(crate) fn has_urgent_lane(stream: &str) -> bool {
    let kinds = [Kind::Fast, Kind::Retry, Kind::Fatal];
    kinds.iter().any(|kind| kind.stream() == stream)
}

/// The lanes of a stream: each a stream, and what the names of all that it has for itself begin with.
pub(crate) fn lanes(stream: &str) -> Vec<(String, String)> {
    let usual = (stream.to_owned(), format!("{{{stream}}}:"));
    let urgent = format!("{{{stream}}}:urgent");
    let urgent = has_urgent_lane(stream).then(|| (urgent.clone(), urgent + ":"));
    std::iter::once(usual).chain(urgent).collect()
}

/// All lanes of the streams that workers read.
pub(crate) fn all_lanes(is_cluster: bool) -> Vec<(String, String)> {
    let streams = consumed(is_cluster).into_iter();
    streams.flat_map(lanes).collect()
}

/// How a consumer of this stream works here.
pub(crate) fn config(stream: &str, lease: Duration) -> ConsumerConfig {
    let is_bulk = [Kind::Fast.stream(), HOP, EFFECTS].contains(&stream);
    ConsumerConfig {
        urgent_lane: has_urgent_lane(stream),
        lease,
        concurrency: if is_bulk { 512 } else { 16 },
        // So small that a full batch often waits behind another: two are then on their way at once.
        batch: 32,
        // A message that ends its process takes innocent ones with it: those of its own stream alone have so few.
        max_deliveries: if stream == Kind::Panic.stream() || stream == Kind::Fatal.stream() {
            4
        } else {
            PLENTY
        },
        upkeep: Duration::from_millis(100),
        housekeeping: Duration::from_millis(300),
        block: Duration::from_millis(500),
        response_timeout: Duration::from_secs(2),
        retry_base: Duration::from_millis(20),
        retry_cap: Duration::from_millis(200),
        // In a cluster the check reads the effects as somebody without a group does, who takes the first of several copies.
        retention: if stream == EFFECTS {
            Duration::from_hours(1)
        } else {
            Duration::from_secs(1)
        },
        // Longer than a message can be open on a busy machine, a round and the patience after it, and short enough that clocks are set
        // across its end.
        dedup_window: Duration::from_mins(3),
        // A handler that never ends is to be measured, not waited for.
        grace: Duration::from_millis(if stream == Kind::Hold.stream() {
            300
        } else {
            1000
        }),
        ..ConsumerConfig::new(stream, GROUP)
    }
}
