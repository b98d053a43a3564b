//! Throughput: a closed loop over waiting messages, as fast as each contender can.

use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;

use crate::contender::Contender;
use crate::figures::{Figures, Round, float};
use crate::store::Store;
use crate::worker::{self, Worker};

/// The peers get no more messages than this, or a round would take too long; their rate does not depend on it.
pub const MOST_FOR_PEERS: usize = 100_000;

/// Gives every contender its turn in every round, each with a redis-server of its own; `tell` hears of each as it ends.
pub fn run(
    contenders: &[Contender],
    messages: usize,
    rounds: usize,
    append_only: bool,
    peers: Option<&Path>,
    mut tell: impl FnMut(&Round),
) -> anyhow::Result<Vec<Round>> {
    let mut all = Vec::new();
    for round in 1..=rounds {
        for &contender in contenders {
            let messages = if contender.is_peer() {
                messages.min(MOST_FOR_PEERS)
            } else {
                messages
            };
            let turn = turn(round, contender, messages, append_only, peers)
                .with_context(|| format!("unable to measure {}", contender.name()))?;
            tell(&turn);
            all.push(turn);
        }
    }
    Ok(all)
}

/// The runtime alone over a hundredth, a tenth and all of so many messages: each must cost the same, and the worker stay as small.
pub fn linear(
    messages: usize,
    append_only: bool,
    mut tell: impl FnMut(&Round),
) -> anyhow::Result<Vec<Round>> {
    let mut steps = Vec::new();
    for part in [100, 10, 1] {
        let step = turn(
            1,
            Contender::Runtime,
            messages.div_ceil(part),
            append_only,
            None,
        )?;
        tell(&step);
        steps.push(step);
    }
    Ok(steps)
}

fn turn(
    round: usize,
    contender: Contender,
    messages: usize,
    append_only: bool,
    peers: Option<&Path>,
) -> anyhow::Result<Round> {
    let mut store = Store::start(append_only)?;
    let mut worker = match peers {
        Some(program) if contender.is_peer() => {
            worker::load_peer(program, contender, &store.url(), messages)?;
            Worker::start_peer(program, contender, &store.url())?
        }
        _ => {
            store.fill(messages)?;
            Worker::start(contender, &store.url())?
        }
    };
    let (worker_before, redis_before) = (worker.usage()?, store.usage()?);
    let started = Instant::now();
    worker.go()?;
    store.wait(messages, contender, &mut worker)?;
    let seconds = started.elapsed().as_secs_f64();
    let (worker_after, redis_after) = (worker.usage()?, store.usage()?);
    worker.finish()?;
    store.verify_settled(contender)?;
    store.verify(messages)?;
    let n = float(messages as u64);
    Ok(Round {
        round,
        contender: contender.name(),
        messages,
        seconds,
        figures: Figures {
            messages_per_second: n / seconds,
            worker_cpu_us: worker_after.micros_since(&worker_before) / n,
            redis_cpu_us: redis_after.micros_since(&redis_before) / n,
            worker_max_rss_mb: float(worker_after.max_rss) / 1e6,
        },
    })
}
