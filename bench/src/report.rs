//! What is kept of a run: everything as JSON, and the medians as a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::contender::Contender;
use crate::figures::{Figures, Round};
use crate::machine::Machine;

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
    /// The medians of each contender.
    pub medians: BTreeMap<&'static str, Figures>,
    /// What each contender did in each round.
    pub rounds: Vec<Round>,
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
    pub fn new(rounds: Vec<Round>, settings: Settings, machine: Machine) -> Self {
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
            medians,
            rounds,
            settings,
            machine,
        }
    }

    /// The table of the medians, in Markdown.
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
        let _ = writeln!(
            text,
            "{} messages a round, medians\n",
            self.settings.messages
        );
        let _ = writeln!(
            text,
            "| contender       | messages/s | runtime is | worker µs | Redis µs | worker MB |"
        );
        let _ = writeln!(
            text,
            "|:----------------|-----------:|-----------:|----------:|---------:|----------:|"
        );
        let runtime = self.medians.get(Contender::Runtime.name());
        let mut by_rate: Vec<_> = self.medians.iter().collect();
        by_rate.sort_by(|a, b| b.1.messages_per_second.total_cmp(&a.1.messages_per_second));
        for (name, figures) in by_rate {
            let ratio = runtime.map_or_else(String::new, |runtime| {
                format!(
                    "{:.2} ×",
                    runtime.messages_per_second / figures.messages_per_second
                )
            });
            let _ = writeln!(
                text,
                "| {name:<15} | {:>10.0} | {ratio:>10} | {:>9.2} | {:>8.2} | {:>9.1} |",
                figures.messages_per_second,
                figures.worker_cpu_us,
                figures.redis_cpu_us,
                figures.worker_max_rss_mb,
            );
        }
        let _ = writeln!(
            text,
            "\nµs: processor time for each message. MB: the most that was ever resident."
        );
        text
    }
}
