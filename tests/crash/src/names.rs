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

/// How a consumer of this stream works here.
pub(crate) fn config(stream: &str, lease: Duration) -> ConsumerConfig {
    let is_bulk = [Kind::Fast.stream(), HOP, EFFECTS].contains(&stream);
    ConsumerConfig {
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
        retention: Duration::from_secs(1),
        // Longer than any fault, and short enough that clocks are set across its end.
        dedup_window: Duration::from_mins(1),
        // A handler that never ends is to be measured, not waited for.
        grace: Duration::from_millis(if stream == Kind::Hold.stream() {
            300
        } else {
            1000
        }),
        ..ConsumerConfig::new(stream, GROUP)
    }
}
