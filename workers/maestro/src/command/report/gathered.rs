//! What is counted while the results go by, the newest first, in bounded memory.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use hdrhistogram::Histogram;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use maestro_protocol::Message;
use maestro_protocol::error::Decision;
use maestro_protocol::heal::{HealCompleted, Strategy, Verdict};
use maestro_protocol::project::{Project, Test};
use maestro_protocol::validation::{Judgement, ValidationCompleted};

use super::DAY;
use super::figures::Calibration;
use crate::results::Found;

/// Tests that are told apart, and failures whose return is noticed. What exceeds it is said.
const MOST: usize = 50_000;
/// Days that are told apart.
const DAYS: usize = 400;
/// The phases of a heal.
pub(super) const PHASES: [&str; 6] = [
    "checkout",
    "install",
    "reproduce",
    "generate",
    "validate",
    "teeth",
];
/// The longest phase that is told apart, in milliseconds: an hour.
const LONGEST: u64 = 3_600_000;

/// One day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) errors: u64,
    pub(super) repeats: u64,
    pub(super) healed: u64,
    pub(super) proposed: u64,
    pub(super) refused: u64,
    pub(super) no_fix: u64,
    pub(super) not_reproduced: u64,
    pub(super) accepted: u64,
    pub(super) rejected: u64,
}

/// What was seen of one test.
#[derive(Debug, Clone, Default)]
pub(super) struct Sight {
    pub(super) flips: u64,
    pub(super) failed: u64,
    pub(super) passed: u64,
    last: Option<bool>,
}

impl Sight {
    fn see(&mut self, passed: bool) {
        self.flips += u64::from(self.last.is_some_and(|last| last != passed));
        self.last = Some(passed);
        if passed {
            self.passed += 1;
        } else {
            self.failed += 1;
        }
    }
}

/// What became of one strategy's heals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rates {
    pub(super) healed: u64,
    pub(super) proposed: u64,
    pub(super) accepted: u64,
    pub(super) rejected: u64,
    pub(super) failed_again: u64,
}

/// A decision whose heal has not come by yet: it is older.
#[derive(Debug, Clone, Copy)]
struct Decided {
    accepted: bool,
    at: u64,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) read: u64,
    unreadable: u64,
    days: BTreeMap<Date, Day>,
    tests: HashMap<String, Sight>,
    left_out: u64,
    rates: BTreeMap<Strategy, Rates>,
    decided: HashMap<String, Decided>,
    /// When each failure was last reported.
    reported: HashMap<String, u64>,
    /// Results that stand there twice, as they may in a cluster, lie close together.
    lately: Lately,
    calibration: Calibration,
    phases: BTreeMap<&'static str, Histogram<u64>>,
    patches: u64,
}

/// The last ids.
#[derive(Debug, Default)]
struct Lately {
    known: HashSet<String>,
    order: VecDeque<String>,
}

impl Lately {
    fn is_new(&mut self, id: &str) -> bool {
        if !self.known.insert(id.to_owned()) {
            return false;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > 1000
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

/// What is shown.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) read: u64,
    pub(super) unreadable: u64,
    /// Oldest first.
    pub(super) days: Vec<(Date, Day)>,
    /// The flakiest first.
    pub(super) tests: Vec<(String, Sight)>,
    /// Sights of tests beyond those that are told apart.
    pub(super) left_out: u64,
    pub(super) rates: Vec<(Strategy, Rates)>,
    pub(super) calibration: Calibration,
    /// Decisions on heals before the time of the report.
    pub(super) undated: usize,
    /// Heals with a patch or changes of the environment.
    pub(super) patches: u64,
    /// Median and 95th percentile, in milliseconds.
    pub(super) phases: Vec<(&'static str, u64, u64)>,
}

impl Gathered {
    /// Takes in one result; each is older than the one before.
    pub(super) fn add(&mut self, found: &Found, at: u64) {
        self.read += 1;
        let Ok(decoded) = &found.decoded else {
            self.unreadable += 1;
            return;
        };
        let id = found.id();
        if !self.lately.is_new(&id) {
            return;
        }
        match &decoded.payload {
            Message::ErrorTriaged(triaged) => {
                if let Some(day) = self.day(at) {
                    day.errors += 1;
                    day.repeats += u64::from(triaged.decision == Decision::Repeat);
                }
                if self.reported.len() < MOST {
                    self.reported
                        .entry(triaged.fingerprint.clone())
                        .or_insert(at);
                }
                self.see(&triaged.project, triaged.test.as_ref(), &[false]);
            }
            Message::HealCompleted(heal) => self.heal(heal, &id, at),
            Message::ValidationCompleted(judged) => self.decision(judged, at),
            _ => {}
        }
    }

    fn heal(&mut self, heal: &HealCompleted, id: &str, at: u64) {
        if let Some(day) = self.day(at) {
            *match heal.verdict {
                Verdict::Healed => &mut day.healed,
                Verdict::Proposed => &mut day.proposed,
                Verdict::Refused => &mut day.refused,
                Verdict::NoFix => &mut day.no_fix,
                Verdict::NotReproduced => &mut day.not_reproduced,
            } += 1;
        }
        let sights: &[bool] = match (heal.verdict, heal.evidence.reproduced.split_once('/')) {
            (Verdict::NotReproduced, _) => &[true],
            (_, Some((shown, runs))) if shown != runs && shown != "0" => &[false, true, false],
            // That it failed was said by the report of it.
            _ => &[],
        };
        self.see(&heal.project, heal.test.as_ref(), sights);
        if !matches!(heal.verdict, Verdict::Healed | Verdict::Proposed) {
            return;
        }
        self.patches += 1;
        let spent = &heal.timing_ms;
        let times = [
            spent.checkout,
            spent.install,
            spent.reproduce,
            spent.generate,
            spent.validate,
            spent.teeth.unwrap_or(0),
        ];
        for (phase, ms) in PHASES.into_iter().zip(times) {
            let times = match self.phases.entry(phase) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => match Histogram::new_with_bounds(1, LONGEST, 2) {
                    Ok(empty) => new.insert(empty),
                    Err(_) => continue,
                },
            };
            times.saturating_record(ms);
        }
        let decided = self.decided.remove(id);
        let returned = heal
            .fingerprint
            .as_ref()
            .and_then(|of| self.reported.get(of));
        let Some(strategy) = heal.strategy else {
            return;
        };
        let rates = self.rates.entry(strategy).or_default();
        match heal.verdict {
            Verdict::Healed => rates.healed += 1,
            _ => rates.proposed += 1,
        }
        let Some(decided) = decided else {
            return;
        };
        let came_back = returned.is_some_and(|last| *last > decided.at + DAY);
        match (decided.accepted, came_back) {
            (true, false) => rates.accepted += 1,
            (true, true) => rates.failed_again += 1,
            (false, _) => rates.rejected += 1,
        }
        let right = decided.accepted && !came_back;
        self.calibration.add(heal.confidence, right);
    }

    fn decision(&mut self, judged: &ValidationCompleted, at: u64) {
        let accepted = match judged.judgement {
            Judgement::Approved => true,
            Judgement::Rejected => false,
            Judgement::Upheld | Judgement::Overturned | Judgement::Inconclusive => return,
        };
        if let Some(day) = self.day(at) {
            *if accepted {
                &mut day.accepted
            } else {
                &mut day.rejected
            } += 1;
        }
        // The newest comes first, and it is the one that counts.
        if self.decided.len() < MOST {
            self.decided
                .entry(judged.heal.clone())
                .or_insert(Decided { accepted, at });
        }
    }

    fn day(&mut self, at: u64) -> Option<&mut Day> {
        let ms = i64::try_from(at).ok()?;
        let at = Timestamp::from_millisecond(ms).ok()?;
        let date = TimeZone::UTC.to_datetime(at).date();
        if self.days.len() >= DAYS && !self.days.contains_key(&date) {
            return None;
        }
        Some(self.days.entry(date).or_default())
    }

    fn see(&mut self, project: &Project, test: Option<&Test>, sights: &[bool]) {
        let Some(test) = test.filter(|_| !sights.is_empty()) else {
            return;
        };
        let directory = project
            .directory
            .as_deref()
            .map_or(String::new(), |directory| {
                format!("{}/", directory.trim_end_matches('/'))
            });
        let name = format!("{} {directory}{}", project.repository, test.id);
        if self.tests.len() >= MOST && !self.tests.contains_key(&name) {
            // Those that never flipped make room for those that may.
            self.tests.retain(|_, sight| sight.flips > 0);
            if self.tests.len() >= MOST {
                self.left_out += 1;
                return;
            }
        }
        let sight = self.tests.entry(name).or_default();
        for passed in sights {
            sight.see(*passed);
        }
    }

    /// The sum of it, with so many of the flakiest tests.
    pub(super) fn summary(self, most: usize) -> Summary {
        let mut tests: Vec<(String, Sight)> = self
            .tests
            .into_iter()
            .filter(|(_, sight)| sight.flips > 0)
            .collect();
        tests.sort_by(|(one, of_one), (other, of_other)| {
            let key = |sight: &Sight, name: &str| (std::cmp::Reverse(sight.flips), name.to_owned());
            key(of_one, one).cmp(&key(of_other, other))
        });
        tests.truncate(most);
        let phases = PHASES.into_iter().filter_map(|phase| {
            let times = self.phases.get(phase)?;
            let at = |quantile| times.value_at_quantile(quantile);
            Some((phase, at(0.5), at(0.95)))
        });
        Summary {
            read: self.read,
            unreadable: self.unreadable,
            days: self.days.into_iter().collect(),
            tests,
            left_out: self.left_out,
            rates: self.rates.into_iter().collect(),
            undated: self.decided.len(),
            patches: self.patches,
            phases: phases.collect(),
            calibration: self.calibration,
        }
    }
}
