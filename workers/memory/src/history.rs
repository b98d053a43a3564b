//! What all results say of one failure.

use std::collections::VecDeque;

use maestro_protocol::heal::{Judged, Strategy, Verdict};
use maestro_streams::{Bytes, Fields};
use serde::{Deserialize, Serialize};

use crate::event::{Event, Judgement};
use crate::reputation::Reputation;

/// A failure that is reported again within this time of its patch's acceptance, in milliseconds, does not count against the patch: until
/// it is merged everywhere, other branches go on failing.
pub const GRACE: u64 = 24 * 60 * 60 * 1000;

/// Repairs of one failure that are remembered; beyond, those nobody decided on go first, then the oldest.
const TRIED: usize = 24;
/// Messages whose second coming is noticed.
const RECENT: usize = 16;
/// The longest text that is kept of a message.
const LONGEST: usize = 300;

/// What is remembered of one failure.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// The failing test.
    pub test: Option<String>,
    /// Reports of it.
    pub reported: u32,
    /// Heals that came to a verdict.
    pub heals: u32,
    /// Runs of the test that those heals made.
    pub runs: u32,
    /// How often the test was seen to pass and to fail by turns.
    pub flips: u32,
    /// Whether it passed when it was last seen.
    passed: Option<bool>,
    /// Repairs that were offered, oldest first.
    pub tried: Vec<Tried>,
    /// Marks of the last messages.
    recent: VecDeque<String>,
}

/// One repair that was offered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// The id of the heal's message.
    #[serde(skip)]
    pub heal: String,
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// The strategy of the first step.
    pub strategy: Strategy,
    /// The class of the failure.
    pub class: String,
    /// The identity of the repair.
    pub change: String,
    /// What the heal said of itself.
    pub confidence: f64,
    /// Its verdict.
    pub verdict: Verdict,
    /// What a person made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judgement: Option<Judgement>,
    /// When.
    #[serde(default)]
    pub decided: u64,
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The failure came back after it had been accepted.
    #[serde(default)]
    pub failed_again: bool,
}

impl Tried {
    /// What it counts for.
    pub fn judged(&self) -> Judged {
        let mut judged = Judged::default();
        match self.judgement {
            Some(Judgement::Rejected) => judged.rejected = 1,
            Some(Judgement::Accepted) if self.failed_again => judged.failed_again = 1,
            Some(Judgement::Accepted) => judged.accepted = 1,
            None => {}
        }
        judged
    }
}

impl History {
    /// What people made of the repairs of this failure.
    pub fn judged(&self) -> Judged {
        self.tried
            .iter()
            .map(Tried::judged)
            .fold(Judged::default(), |sum, one| Judged {
                accepted: sum.accepted + one.accepted,
                rejected: sum.rejected + one.rejected,
                failed_again: sum.failed_again + one.failed_again,
            })
    }

    /// Takes in what one result says, here and in the strategies' reputation. A message that was taken in lately is not taken in again: in a cluster
    /// a result may stand in its stream twice.
    pub fn fold(&mut self, event: &Event, reputation: &mut Reputation) {
        match event {
            Event::Reported { at, id, test } => {
                if !self.is_new(id) {
                    return;
                }
                self.name(test.as_deref());
                self.reported = self.reported.saturating_add(1);
                self.seen(false);
                self.came_back(*at, reputation);
            }
            Event::Healed {
                id,
                test,
                verdict,
                shown,
                after,
                ..
            } => {
                if !self.is_new(id) {
                    return;
                }
                self.name(test.as_deref());
                self.heals = self.heals.saturating_add(1);
                self.runs = self.runs.saturating_add(shown.1).saturating_add(*after);
                if *verdict == Verdict::NotReproduced {
                    self.seen(true);
                } else {
                    self.seen(false);
                    if (1..shown.1).contains(&shown.0) {
                        self.seen(true);
                        self.seen(false);
                    }
                }
                self.offered(event);
            }
            Event::Decided {
                at,
                heal,
                judgement,
                by,
                reason,
            } => {
                let Some(tried) = self.tried.iter_mut().find(|tried| tried.heal == *heal) else {
                    return;
                };
                let before = tried.judged();
                if tried.judgement != Some(*judgement) {
                    tried.failed_again = false;
                    tried.decided = *at;
                }
                tried.judgement = Some(*judgement);
                tried.by = by.as_deref().map(short);
                tried.reason = short(reason);
                reputation.recount(tried.strategy, &tried.class, before, tried.judged());
            }
        }
    }

    fn is_new(&mut self, id: &str) -> bool {
        let mark = crate::change::change(Some(&format!("+{id}")), None);
        if self.recent.contains(&mark) {
            return false;
        }
        self.recent.push_back(mark);
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        true
    }

    fn name(&mut self, test: Option<&str>) {
        if let Some(test) = test {
            self.test = Some(short(test));
        }
    }

    fn seen(&mut self, passed: bool) {
        if self.passed.is_some_and(|last| last != passed) {
            self.flips = self.flips.saturating_add(1);
        }
        self.passed = Some(passed);
    }

    /// The failure is there again: what was accepted last did not last.
    fn came_back(&mut self, at: u64, reputation: &mut Reputation) {
        let accepted = |tried: &&mut Tried| tried.judgement == Some(Judgement::Accepted);
        let last = self
            .tried
            .iter_mut()
            .filter(accepted)
            .max_by_key(|tried| tried.decided);
        if let Some(tried) = last
            && !tried.failed_again
            && at > tried.decided.saturating_add(GRACE)
        {
            let before = tried.judged();
            tried.failed_again = true;
            reputation.recount(tried.strategy, &tried.class, before, tried.judged());
        }
    }

    fn offered(&mut self, event: &Event) {
        let Event::Healed {
            at,
            id,
            class,
            strategy: Some(strategy),
            verdict: verdict @ (Verdict::Healed | Verdict::Proposed),
            confidence,
            change,
            ..
        } = event
        else {
            return;
        };
        self.tried.push(Tried {
            heal: id.clone(),
            at: *at,
            strategy: *strategy,
            class: short(class),
            change: change.clone(),
            confidence: *confidence,
            verdict: *verdict,
            judgement: None,
            decided: 0,
            by: None,
            reason: String::new(),
            failed_again: false,
        });
        if self.tried.len() > TRIED {
            let undecided = self
                .tried
                .iter()
                .position(|tried| tried.judgement.is_none());
            self.tried.remove(undecided.unwrap_or(0));
        }
    }

    /// As a hash that a person can read.
    pub(crate) fn fields(&self) -> Vec<(Bytes, Bytes)> {
        let mut fields: Vec<(Bytes, Bytes)> = Vec::new();
        let mut field = |name: String, value: String| fields.push((name.into(), value.into()));
        if let Some(test) = &self.test {
            field("test".into(), test.clone());
        }
        for (name, count) in [
            ("reported", self.reported),
            ("heals", self.heals),
            ("runs", self.runs),
            ("flips", self.flips),
        ] {
            field(name.into(), count.to_string());
        }
        if let Some(passed) = self.passed {
            let word = if passed { "passed" } else { "failed" };
            field("last".into(), word.into());
        }
        let recent: Vec<&str> = self.recent.iter().map(String::as_str).collect();
        field("recent".into(), recent.join(" "));
        for tried in &self.tried {
            let told = serde_json::to_string(tried).unwrap_or_default();
            field(format!("heal:{}", tried.heal), told);
        }
        fields
    }

    /// From a hash; what cannot be read is left out.
    pub(crate) fn read(fields: &Fields) -> Self {
        let count = |name: &str| {
            let text = fields.get_str(name)?;
            text.parse().ok()
        };
        let mut tried: Vec<Tried> = fields
            .iter()
            .filter_map(|(name, value)| {
                let heal = std::str::from_utf8(name).ok()?.strip_prefix("heal:")?;
                let tried: Tried = serde_json::from_slice(value).ok()?;
                Some(Tried {
                    heal: heal.to_owned(),
                    ..tried
                })
            })
            .collect();
        tried.sort_by(|one, other| (one.at, &one.heal).cmp(&(other.at, &other.heal)));
        Self {
            test: fields.get_str("test").map(str::to_owned),
            reported: count("reported").unwrap_or(0),
            heals: count("heals").unwrap_or(0),
            runs: count("runs").unwrap_or(0),
            flips: count("flips").unwrap_or(0),
            passed: fields.get_str("last").map(|word| word == "passed"),
            tried,
            recent: fields
                .get_str("recent")
                .unwrap_or_default()
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
