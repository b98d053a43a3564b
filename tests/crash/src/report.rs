//! What a run has shown, for people and for machines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::check::Verdict;

/// All of it.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) seed: u64,
    pub(crate) lease_ms: u64,
    pub(crate) redis: String,
    pub(crate) processors: usize,
    pub(crate) messages: u64,
    pub(crate) effects: u64,
    pub(crate) faults: u64,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) keyed: u64,
    pub(crate) urgent: u64,
    pub(crate) scheduled: u64,
    pub(crate) measured: Option<Measured>,
    pub(crate) scenarios: Vec<Scenario>,
    pub(crate) violations: Vec<String>,
}

/// One scenario.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) seconds: u64,
    pub(crate) rounds: u32,
    pub(crate) messages: u64,
    pub(crate) effects: u64,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    /// Of the messages: with an ordering key.
    pub(crate) keyed: u64,
    /// By the urgent lane.
    pub(crate) urgent: u64,
    /// Not to be handled before a time.
    pub(crate) scheduled: u64,
    /// Missing, and published without what the documentation asks for.
    pub(crate) lost_by_redis: u64,
    /// An effect, and a dead letter on top because the deliveries were used up; in a cluster only.
    pub(crate) effect_and_dead: u64,
    /// Dead letters by reason.
    pub(crate) dead_letters: BTreeMap<String, u64>,
    /// Those among them that faults alone have caused.
    pub(crate) dead_unmeant: u64,
    /// By kind.
    pub(crate) faults: BTreeMap<&'static str, u64>,
    /// The most that Redis held after a round beyond what it held before the first, in bytes.
    pub(crate) left_bytes: u64,
    /// From the end of the faults to the last effect, in milliseconds, at most.
    pub(crate) settled_ms: u64,
    pub(crate) violations: Vec<String>,
}

/// Times of a fleet to which nothing else happens.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Measured {
    /// SIGKILL of a holder to the effect by another, in leases.
    pub(crate) takeover: Spread,
    /// The longest, with the server's clock set back by an hour at that moment; absent where clocks cannot be set.
    pub(crate) takeover_set_back: Option<f64>,
    /// SIGTERM of a holder to the effect by another, in milliseconds.
    pub(crate) handover_ms: Spread,
    /// How many leases the longest handler ran without being stolen.
    pub(crate) longest_handler_leases: u32,
    /// How many frozen holders' messages were taken over, and had one effect after the thaw.
    pub(crate) thawed: u64,
    pub(crate) violations: Vec<String>,
}

/// Of a series.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Spread {
    pub(crate) n: usize,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) most: f64,
}

impl Spread {
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |percent: usize| {
            let place = (values.len() * percent).div_ceil(100).max(1) - 1;
            values.get(place).copied().unwrap_or(f64::NAN)
        };
        Self {
            n: values.len(),
            p50: at(50),
            p99: at(99),
            most: at(100),
        }
    }
}

impl Scenario {
    pub(crate) fn count(&mut self, fault: &'static str, times: u64) {
        *self.faults.entry(fault).or_default() += times;
    }

    pub(crate) fn all_faults(&self) -> u64 {
        self.faults.values().sum()
    }

    pub(crate) fn add(&mut self, verdict: Verdict) {
        self.messages += verdict.messages;
        self.effects += verdict.effects;
        self.lost += verdict.lost;
        self.doubled += verdict.doubled;
        self.keyed += verdict.keyed;
        self.urgent += verdict.urgent;
        self.scheduled += verdict.scheduled;
        self.lost_by_redis += verdict.lost_by_redis;
        self.dead_unmeant += verdict.dead_unmeant;
        self.effect_and_dead += verdict.effect_and_dead;
        for (reason, n) in verdict.dead {
            *self.dead_letters.entry(reason).or_default() += n;
        }
        self.violations.extend(verdict.violations);
    }
}

impl Report {
    pub(crate) fn add(&mut self, scenario: Scenario) {
        self.messages += scenario.messages;
        self.effects += scenario.effects;
        self.faults += scenario.all_faults();
        self.lost += scenario.lost;
        self.doubled += scenario.doubled;
        self.keyed += scenario.keyed;
        self.urgent += scenario.urgent;
        self.scheduled += scenario.scheduled;
        let violations = scenario.violations.iter();
        let violations = violations.map(|what| format!("{}: {what}", scenario.name));
        self.violations.extend(violations);
        self.scenarios.push(scenario);
    }

    pub(crate) fn measured(&mut self, measured: Measured) {
        self.violations.extend(measured.violations.iter().cloned());
        self.measured = Some(measured);
    }

    /// The table that people read.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        // Writing into a string does not fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        for one in &self.scenarios {
            let dead = one.dead_letters.iter();
            let dead: Vec<_> = dead.map(|(why, n)| format!("{n} {why}")).collect();
            writeln!(
                out,
                "{}: {} messages ({} with a key, {} urgent, {} scheduled), {} effects, lost {}, doubled {}, lost by Redis {}, dead letters {} (not meant: {}, beside an effect: {}), {} faults in {} s",
                one.name,
                one.messages,
                one.keyed,
                one.urgent,
                one.scheduled,
                one.effects,
                one.lost,
                one.doubled,
                one.lost_by_redis,
                if dead.is_empty() {
                    "none".to_owned()
                } else {
                    dead.join(", ")
                },
                one.dead_unmeant,
                one.effect_and_dead,
                one.all_faults(),
                one.seconds,
            )?;
            for (fault, n) in &one.faults {
                writeln!(out, "  {n:>6}  {fault}")?;
            }
        }
        if let Some(measured) = &self.measured {
            let (take, hand) = (&measured.takeover, &measured.handover_ms);
            writeln!(
                out,
                "take-over after SIGKILL: p50 {:.2}, p99 {:.2} leases of {} ms ({} messages)\n\
                 and with the clock set back by an hour: {}\n\
                 hand-over after SIGTERM: p50 {:.0}, p99 {:.0} ms ({} messages)\n\
                 a handler of {} leases was not stolen; {} messages of frozen workers were, with one effect each",
                take.p50,
                take.p99,
                self.lease_ms,
                take.n,
                measured.takeover_set_back.map_or_else(
                    || "not tried".to_owned(),
                    |leases| format!("{leases:.2} leases")
                ),
                hand.p50,
                hand.p99,
                hand.n,
                measured.longest_handler_leases,
                measured.thawed,
            )?;
        }
        writeln!(
            out,
            "all: {} messages ({} with a key, {} urgent, {} scheduled), {} faults, lost {}, doubled {}; seed {}",
            self.messages,
            self.keyed,
            self.urgent,
            self.scheduled,
            self.faults,
            self.lost,
            self.doubled,
            self.seed
        )?;
        for violation in &self.violations {
            writeln!(out, "VIOLATION {violation}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_values_that_were_measured() {
        let spread = Spread::of((1..=200).rev().map(f64::from).collect());
        assert_eq!((spread.n, spread.p50), (200, 100.0));
        assert_eq!((spread.p99, spread.most), (198.0, 200.0));
    }
}
