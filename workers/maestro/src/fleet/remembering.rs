//! Results are taken into the memory while nobody asks for it, so that a heal finds little left to read.
//!
//! Every process with a heal worker does it: whoever is first has done it for all.

use std::time::Duration;

use maestro_memory::Memory;
use maestro_streams::CancellationToken;
use tokio::time::MissedTickBehavior;

/// How often.
const INTERVAL: Duration = Duration::from_secs(10);
/// Pages of a hundred results at a time: thousands a second where there is much to make up for, and room for others in between.
const PAGES: usize = 20;

/// Takes in until it is told to stop. While Redis is away nothing is taken in, and all of it later.
pub(crate) async fn run(memory: Memory, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {}
        }
        loop {
            let is_done = tokio::select! {
                () = shutdown.cancelled() => return,
                done = memory.catch_up(PAGES) => done,
            };
            match is_done {
                Ok(true) => break,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%error, "results could not be taken into the memory");
                    break;
                }
            }
        }
    }
}
