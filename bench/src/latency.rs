//! Latency: an open loop. Messages are due at fixed times, whatever the contender does, and each carries the time when it was *to
//! be* sent: if anything stalls, those behind it are late as well and count as late (no coordinated omission,
//! <https://www.scylladb.com/2021/04/22/on-coordinated-omission/>).
//!
//! Three processes of ours take part: the producer, the worker, and this one, which reads the results. *To handler* ends when the worker
//! looks at the message, and for the bare loop that is a blocking read and nothing else. *To result* ends when a blocking read of
//! the results has it, so it holds the commit as well.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::contender::{Contender, RESULTS};
use crate::figures::{float, median};
use crate::message;
use crate::reply;
use crate::store::Store;
use crate::worker::{Worker, now};

pub mod producer;

/// Who is compared.
pub const CONTENDERS: [Contender; 2] = [Contender::Bare, Contender::Runtime];
/// At how many messages per second the ratio is taken.
pub const RATIO_RATE: u64 = 1_000;
/// How long it goes on before it counts: connections are made, and the runtime learns how fast its handlers are.
const WARM_UP_SECONDS: u64 = 1;
/// No new result for so long is a contender that hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was measured of one contender at one rate in one round, or the medians of its rounds.
#[derive(Debug, Clone, Serialize)]
pub struct Latency {
    /// [`Contender::name`].
    pub contender: &'static str,
    /// Messages per second.
    pub rate: u64,
    /// From when a message was to be sent to when the worker looks at it.
    pub to_handler: Quantiles,
    /// … to when its result is read.
    pub to_result: Quantiles,
    /// How late the producer itself was, which is part of both.
    pub producer_late_p99_us: f64,
}

/// In microseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Quantiles {
    /// The median.
    pub p50_us: f64,
    /// Of a hundred messages, one takes longer.
    pub p99_us: f64,
    /// Of a thousand messages, one takes longer.
    pub p999_us: f64,
}

impl Quantiles {
    fn of(nanoseconds: &Histogram<u64>) -> Self {
        let micros = |quantile| float(nanoseconds.value_at_quantile(quantile)) / 1e3;
        Self {
            p50_us: micros(0.5),
            p99_us: micros(0.99),
            p999_us: micros(0.999),
        }
    }

    fn medians(of: &[Self]) -> Option<Self> {
        let middle = |quantile: fn(&Self) -> f64| median(of.iter().map(quantile).collect());
        Some(Self {
            p50_us: middle(|quantiles| quantiles.p50_us)?,
            p99_us: middle(|quantiles| quantiles.p99_us)?,
            p999_us: middle(|quantiles| quantiles.p999_us)?,
        })
    }
}

/// Gives every contender its turn at every rate in every round, for so many seconds each; `tell` hears of each as it ends.
pub fn run(
    rounds: usize,
    rates: &[u64],
    seconds: u64,
    append_only: bool,
    mut tell: impl FnMut(&Latency),
) -> anyhow::Result<Vec<Latency>> {
    let mut all = Vec::new();
    for _ in 0..rounds {
        for &rate in rates {
            for contender in CONTENDERS {
                let latency = turn(contender, rate, seconds, append_only).with_context(|| {
                    format!("unable to measure the latency of {}", contender.name())
                })?;
                tell(&latency);
                all.push(latency);
            }
        }
    }
    Ok(all)
}

/// The medians of the rounds, each quantile by itself.
pub fn medians(rounds: &[Latency]) -> Vec<Latency> {
    let mut groups: BTreeMap<_, Vec<&Latency>> = BTreeMap::new();
    for round in rounds {
        groups
            .entry((round.rate, round.contender))
            .or_default()
            .push(round);
    }
    let medians = groups.into_iter().filter_map(|((rate, contender), group)| {
        let of = |part: fn(&Latency) -> Quantiles| {
            Quantiles::medians(&group.iter().map(|round| part(round)).collect::<Vec<_>>())
        };
        let late = group.iter().map(|round| round.producer_late_p99_us);
        Some(Latency {
            contender,
            rate,
            to_handler: of(|round| round.to_handler)?,
            to_result: of(|round| round.to_result)?,
            producer_late_p99_us: median(late.collect())?,
        })
    });
    medians.collect()
}

fn turn(
    contender: Contender,
    rate: u64,
    seconds: u64,
    append_only: bool,
) -> anyhow::Result<Latency> {
    let store = Store::start(append_only)?;
    let mut worker = Worker::start(contender, &store.url())?;
    worker.go()?;
    let (warm_up, all) = (rate * WARM_UP_SECONDS, rate * (WARM_UP_SECONDS + seconds));
    let mut producer = Worker::start_producer(&store.url(), rate, all)?;
    producer.go()?;
    let (to_handler, to_result) = read(&store.url(), warm_up, all)?;
    let late = producer.last_words()?;
    worker.finish()?;
    Ok(Latency {
        contender: contender.name(),
        rate,
        to_handler: Quantiles::of(&to_handler),
        to_result: Quantiles::of(&to_result),
        producer_late_p99_us: late.trim().parse()?,
    })
}

/// Two times in nanoseconds, to three digits, up to a minute.
fn histogram() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 60_000_000_000, 3)?)
}

/// Reads the results of `all` messages as they come; those of the first `warm_up` messages do not count.
fn read(url: &str, warm_up: u64, all: u64) -> anyhow::Result<(Histogram<u64>, Histogram<u64>)> {
    let mut connection = redis::Client::open(url)?.get_connection()?;
    let (mut to_handler, mut to_result) = (histogram()?, histogram()?);
    let (mut last, mut seen, mut progress) = ("0".to_owned(), 0, Instant::now());
    while seen < all {
        let answer = redis::cmd("XREAD")
            .arg(&["COUNT", "1000", "BLOCK", "1000", "STREAMS", RESULTS, &last])
            .query(&mut connection)?;
        let now = now();
        let entries = reply::entries(answer);
        if let Some(entry) = entries.last() {
            entry.id().clone_into(&mut last);
            progress = Instant::now();
        }
        ensure!(
            progress.elapsed() < PATIENCE,
            "{seen} of {all} results, and none more within {PATIENCE:?}"
        );
        for entry in &entries {
            seen += 1;
            let stamps = Stamps::read(entry.fields()).context("a result without its stamps")?;
            if stamps.number >= warm_up {
                to_handler.saturating_record(stamps.handled.saturating_sub(stamps.sent));
                to_result.saturating_record(now.saturating_sub(stamps.sent));
            }
        }
    }
    Ok((to_handler, to_result))
}

/// What the result of a stamped message tells; see [`message::Job::result`].
struct Stamps {
    number: u64,
    sent: u64,
    handled: u64,
}

impl Stamps {
    fn read<'a>(fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Option<Self> {
        let (mut number, mut sent, mut handled) = (None, None, None);
        for (name, value) in fields {
            let value = str::from_utf8(value).ok()?;
            match name {
                b"causationid" => number = message::number(value),
                b"sent" => sent = value.parse().ok(),
                b"handled" => handled = value.parse().ok(),
                _ => {}
            }
        }
        Some(Self {
            number: number? as u64,
            sent: sent?,
            handled: handled?,
        })
    }
}
