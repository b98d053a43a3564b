//! The turnstile: the two lanes of one worker, from `streams/src/consumer/turnstile.rs` and the loop that asks it.
//!
//! Both lanes are loops of their own and may meet in any order. What must never be so: more handlers than there is room for, a fourth urgent
//! one in a row while another message waits, a second other one in a row while an urgent one waits, and a message that
//! waits beside a free place while both loops sleep.

use crate::search::Model;

/// The rules of the lanes. [`LaneRules::default`] keeps them all.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a rule that is kept or broken, in any combination"
)]
pub struct LaneRules {
    /// While an urgent one waits others let it go first.
    pub urgent_first: bool,
    /// After three urgent ones they let another one go first that waits.
    pub fourth_is_another: bool,
    /// Whoever had to wait and begins wakes the other lane, which may have let it go first.
    pub beginning_wakes: bool,
    /// A handler that ends wakes both lanes.
    pub ending_wakes: bool,
    /// Whoever waited and has nothing left to begin says so.
    pub giving_up_is_said: bool,
}

impl Default for LaneRules {
    fn default() -> Self {
        Self {
            urgent_first: true,
            fourth_is_another: true,
            beginning_wakes: true,
            ending_wakes: true,
            giving_up_is_said: true,
        }
    }
}

/// So many messages come, at any moment.
#[derive(Debug, Clone, Copy)]
pub struct Lanes {
    /// The protocol.
    pub rules: LaneRules,
    /// How many handlers may run at the same time.
    pub limit: u8,
    /// How many messages come by each lane, the urgent one second.
    pub messages: [u8; 2],
}

/// Of so many messages that begin while both lanes wait, one is not urgent.
const SHARE: u8 = 4;
const USUAL: usize = 0;
const URGENT: usize = 1;

/// One moment. Where there are two, one is for each lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Queues {
    to_come: [u8; 2],
    ready: [u8; 2],
    running: [u8; 2],
    /// The loop is about to try.
    awake: [bool; 2],
    /// The loop sleeps until it is told that something has changed.
    blocked: [bool; 2],
    /// It has been told so, and does not know yet.
    told: [bool; 2],
    waits: [bool; 2],
    ahead: u8,
    /// How many of the other lane began in a row while this one waited.
    overtaken: [u8; 2],
}

/// What happens, to one of the lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneStep {
    /// A message comes in hand.
    Comes(usize),
    /// The loop lets the next one begin, or has to wait.
    Tries(usize),
    /// What was ready is lost to another worker.
    Loses(usize),
    /// What it was told wakes the loop.
    Wakes(usize),
    /// A handler ends.
    Ends(usize),
}

impl Queues {
    fn has_room(&self, lane: usize, lanes: Lanes) -> bool {
        let other = 1 - lane;
        let first = if self.ahead < SHARE - 1 {
            URGENT
        } else {
            USUAL
        };
        let kept = if other == URGENT {
            lanes.rules.urgent_first
        } else {
            lanes.rules.fourth_is_another
        };
        let is_others = kept && self.waits[other] && first != lane;
        self.running[0] + self.running[1] < lanes.limit && !is_others
    }

    /// `Pass::enter`.
    fn try_next(&mut self, lane: usize, lanes: Lanes) {
        let other = 1 - lane;
        if self.ready[lane] == 0 {
            self.awake[lane] = false;
            // `Pass::wants_nothing`
            if lanes.rules.giving_up_is_said && self.waits[lane] {
                self.waits[lane] = false;
                self.told = [true; 2];
            }
            return;
        }
        if !self.has_room(lane, lanes) {
            self.waits[lane] = true;
            self.blocked[lane] = true;
            self.awake[lane] = false;
            return;
        }
        let waited = std::mem::take(&mut self.waits[lane]);
        self.ready[lane] -= 1;
        self.running[lane] += 1;
        self.ahead = if lane == URGENT {
            (self.ahead + 1).min(SHARE)
        } else {
            0
        };
        self.told[other] |= waited && lanes.rules.beginning_wakes;
        self.overtaken[lane] = 0;
        self.overtaken[other] = if self.waits[other] {
            self.overtaken[other] + 1
        } else {
            0
        };
    }
}

impl Model for Lanes {
    type State = Queues;
    type Step = LaneStep;

    fn start(&self) -> Queues {
        Queues {
            to_come: self.messages,
            ready: [0; 2],
            running: [0; 2],
            awake: [false; 2],
            blocked: [false; 2],
            told: [false; 2],
            waits: [false; 2],
            ahead: 0,
            overtaken: [0; 2],
        }
    }

    fn steps(&self, now: &Queues, found: &mut Vec<(LaneStep, Queues)>) {
        let mut add = |step: LaneStep, change: &dyn Fn(&mut Queues)| {
            let mut next = *now;
            change(&mut next);
            found.push((step, next));
        };
        let wake = |now: &mut Queues, lane: usize| {
            now.awake[lane] = true;
            now.blocked[lane] = false;
        };
        for lane in [USUAL, URGENT] {
            if now.to_come[lane] > 0 {
                add(LaneStep::Comes(lane), &|now| {
                    now.to_come[lane] -= 1;
                    now.ready[lane] += 1;
                    wake(now, lane);
                });
            }
            if now.ready[lane] > 0 {
                add(LaneStep::Loses(lane), &|now| {
                    now.ready[lane] = 0;
                    wake(now, lane);
                });
            }
            if now.awake[lane] {
                add(LaneStep::Tries(lane), &|now| now.try_next(lane, *self));
            }
            if now.told[lane] && now.blocked[lane] {
                add(LaneStep::Wakes(lane), &|now| {
                    now.told[lane] = false;
                    wake(now, lane);
                });
            }
            if now.running[lane] > 0 {
                add(LaneStep::Ends(lane), &|now| {
                    now.running[lane] -= 1;
                    wake(now, lane);
                    if self.rules.ending_wakes {
                        now.told = [true; 2];
                    }
                });
            }
        }
    }

    fn fault(&self, now: &Queues) -> Option<&'static str> {
        let running = now.running[0] + now.running[1];
        if running > self.limit {
            return Some("more handlers than there is room for");
        }
        if now.overtaken[USUAL] >= SHARE {
            return Some("a fourth urgent one in a row while another one waits");
        }
        if now.overtaken[URGENT] > 1 {
            return Some("a second one in a row while an urgent one waits");
        }
        // Whoever is about to try may still change that.
        let tries = |lane: usize| now.awake[lane] || (now.told[lane] && now.blocked[lane]);
        if !tries(USUAL) && !tries(URGENT) && running < self.limit && now.ready != [0; 2] {
            return Some("a message waits beside a free place, and nobody will notice");
        }
        None
    }

    fn is_good_end(&self, now: &Queues) -> bool {
        [now.to_come, now.ready, now.running] == [[0; 2]; 3]
    }
}
