//! What is kept of a run: everything as JSON, and the medians as a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::ValueEnum as _;
use serde::Serialize;

use crate::contender::Contender;
use crate::figures::{Figures, Round};
use crate::latency::{self, Latency};
use crate::machine::Machine;
use crate::relay::MOST_FOR_PEERS;

/// A whole run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Messages per second of the runtime, over those of the bare loop; `None` where one of the two did not take part.
    pub ratio_to_bare: Option<f64>,
    /// … over those of the loop with an atomic script, on one connection.
    pub ratio_to_script: Option<f64>,
    /// … over those of the faster one of apalis-redis and sea-streamer-redis, at their fastest documented settings.
    pub ratio_to_fastest_peer: Option<f64>,
    /// … over those of sea-streamer-redis on one thread, which is faster still and not documented.
    pub ratio_to_sea_streamer_on_one_thread: Option<f64>,
    /// Messages per second of the runtime that is watched (metrics, log lines), over those of the one that is not.
    pub observed_to_runtime: Option<f64>,
    /// At 1,000 messages a second, the p99 from when a message was to be sent to when its result is read: that of the runtime
    /// over that of the bare loop, which blocks in its read and appends and acknowledges in one round trip.
    pub p99_to_bare: Option<f64>,
    /// The same to when the handler has the message; for the bare loop that is a blocking read alone.
    pub p99_to_handler_to_bare: Option<f64>,
    /// The medians of each contender.
    pub medians: BTreeMap<&'static str, Figures>,
    /// The medians of the latencies.
    pub latency: Vec<Latency>,
    /// What each contender did in each round.
    pub rounds: Vec<Round>,
    /// The latencies in each round.
    pub latency_rounds: Vec<Latency>,
    /// Under which conditions.
    pub settings: Settings,
    /// Where.
    pub machine: Machine,
}

/// Under which conditions a run was made.
#[derive(Debug, Serialize)]
pub struct Settings {
    /// How many messages each contender relayed in each round.
    pub messages: usize,
    /// Whether redis-server wrote an append-only file (`appendfsync everysec`).
    pub append_only: bool,
}

impl Report {
    /// Sums up.
    pub fn new(
        rounds: Vec<Round>,
        latency_rounds: Vec<Latency>,
        settings: Settings,
        machine: Machine,
    ) -> Self {
        let latency = latency::medians(&latency_rounds);
        let p99_ratio = |of: fn(&Latency) -> f64| {
            let p99 = |contender: Contender| {
                let is_it = |at: &&Latency| {
                    at.rate == latency::RATIO_RATE && at.contender == contender.name()
                };
                latency.iter().find(is_it).map(of)
            };
            Some(p99(Contender::Runtime)? / p99(Contender::Bare)?)
        };
        let mut medians = BTreeMap::new();
        for round in &rounds {
            let own = rounds
                .iter()
                .filter(|other| other.contender == round.contender);
            if let Some(figures) = Figures::medians(own.map(|round| &round.figures)) {
                medians.insert(round.contender, figures);
            }
        }
        let rate = |contender: Contender| Some(medians.get(contender.name())?.messages_per_second);
        let ratio_to = |rival| Some(rate(Contender::Runtime)? / rate(rival)?);
        Self {
            ratio_to_bare: ratio_to(Contender::Bare),
            ratio_to_script: ratio_to(Contender::Script),
            ratio_to_fastest_peer: [Contender::Apalis, Contender::SeaStreamer]
                .into_iter()
                .filter_map(ratio_to)
                .min_by(f64::total_cmp),
            ratio_to_sea_streamer_on_one_thread: ratio_to(Contender::SeaStreamer1),
            observed_to_runtime: rate(Contender::Observed)
                .zip(rate(Contender::Runtime))
                .map(|(observed, runtime)| observed / runtime),
            p99_to_bare: p99_ratio(|at| at.to_result.p99_us),
            p99_to_handler_to_bare: p99_ratio(|at| at.to_handler.p99_us),
            medians,
            latency,
            rounds,
            latency_rounds,
            settings,
            machine,
        }
    }

    /// The tables of the medians, in Markdown.
    pub fn table(&self) -> String {
        let mut text = String::new();
        let Machine {
            cpu,
            cores,
            kernel,
            redis,
            rustc,
        } = &self.machine;
        let file = if self.settings.append_only {
            "appendfsync everysec"
        } else {
            "no append-only file"
        };
        let _ = writeln!(
            text,
            "{cpu}, {cores} cores, {kernel}, Redis {redis} ({file}), {rustc}"
        );
        self.relay_table(&mut text);
        if !self.latency.is_empty() {
            self.latency_table(&mut text);
        }
        let _ = writeln!(text);
        for contender in Contender::value_variants() {
            if self.medians.contains_key(contender.name()) {
                let _ = writeln!(text, "- {}: {}", contender.name(), contender.about());
            }
        }
        text
    }

    fn relay_table(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "Medians. {} messages a round, at most {MOST_FOR_PEERS} for the peers. µs: processor time for each message. MB: the most that was ever resident.

| contender       | messages/s | runtime is | worker µs | Redis µs | worker MB |
|:----------------|-----------:|-----------:|----------:|---------:|----------:|",
            self.settings.messages
        );
        let runtime = self.medians.get(Contender::Runtime.name());
        let mut by_rate: Vec<_> = self.medians.iter().collect();
        by_rate.sort_by(|a, b| {
            let rate = |figures: &Figures| figures.messages_per_second;
            rate(b.1).total_cmp(&rate(a.1))
        });
        for (name, figures) in by_rate {
            let rate = figures.messages_per_second;
            let ratio = runtime.map_or_else(String::new, |runtime| {
                format!("{:.2} ×", runtime.messages_per_second / rate)
            });
            let _ = writeln!(
                text,
                "| {name:<15} | {rate:>10.0} | {ratio:>10} | {:>9.2} | {:>8.2} | {:>9.1} |",
                figures.worker_cpu_us, figures.redis_cpu_us, figures.worker_max_rss_mb,
            );
        }
    }

    fn latency_table(&self, text: &mut String) {
        let _ = writeln!(
            text,
            "
Latency in µs since a message was to be sent: until the handler has it, and until its result is read.

| messages/s | contender       | handler p50 |   p99 | p99.9 | result p50 |   p99 | p99.9 | producer late, p99 |
|-----------:|:----------------|------------:|------:|------:|-----------:|------:|------:|-------------------:|"
        );
        for at in &self.latency {
            let (handler, result) = (&at.to_handler, &at.to_result);
            let _ = writeln!(
                text,
                "| {:>10} | {:<15} | {:>11.0} | {:>5.0} | {:>5.0} | {:>10.0} | {:>5.0} | {:>5.0} | {:>18.0} |",
                at.rate,
                at.contender,
                handler.p50_us,
                handler.p99_us,
                handler.p999_us,
                result.p50_us,
                result.p99_us,
                result.p999_us,
                at.producer_late_p99_us,
            );
        }
    }
}

/// The table of [`crate::relay::linear`], in Markdown.
pub fn lengths_table(steps: &[Round]) -> String {
    let mut text = String::from(
        "| messages | µs a message | worker µs | Redis µs | worker MB at most |
|---------:|-------------:|----------:|---------:|------------------:|
",
    );
    for step in steps {
        let figures = &step.figures;
        let _ = writeln!(
            text,
            "| {:>8} | {:>12.2} | {:>9.2} | {:>8.2} | {:>17.1} |",
            step.messages,
            1e6 / figures.messages_per_second,
            figures.worker_cpu_us,
            figures.redis_cpu_us,
            figures.worker_max_rss_mb
        );
    }
    text
}
