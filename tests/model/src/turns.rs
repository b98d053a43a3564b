//! Turns: the messages of one ordering key at one lane, from `order.lua`, the end of `commit.lua`, `ensure.lua` and housekeeping. Other keys
//! do not meet it: each has its own turn and its own queue.
//!
//! As in the other model there is no clock, so a lease may run out at any moment: any worker may take over whatever is pending, and one that
//! takes no step is frozen and comes back later with what it believes. That a commit counts only for whoever owns the entry is
//! taken for granted here, and shown there; so is that a request arrives once.
//!
//! What must never be so: an effect before that of an earlier message, and an effect between the beginning and the end of a handler whose
//! outcome counts. And from everywhere it must be possible to come to the end, with all messages done and nothing left behind.

use crate::search::Model;

/// The rules of turns. [`TurnRules::default`] keeps them all.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a rule that is kept or broken, in any combination"
)]
pub struct TurnRules {
    /// Whoever is not at its turn is parked.
    pub others_wait: bool,
    /// Whoever asks registers all that were delivered before its own, to whomever.
    pub asking_looks_at_all_before: bool,
    /// It looks no further than an entry that is its own: an older one may be from before the group was lost.
    pub looks_end_at_an_own_entry: bool,
    /// A free turn goes to the first in line alone, to whoever has it in hand.
    pub first_in_line_only: bool,
    /// One that is registered and in somebody's hands is not passed over for one that is parked.
    pub unasked_ones_are_waited_for: bool,
    /// The commit that ends a turn gives it to the next, if that is parked.
    pub commit_passes_on: bool,
    /// The outcome of a handler counts only while it is its message's turn.
    pub outcome_needs_the_turn: bool,
    /// A message that is retried keeps its turn.
    pub retry_keeps_the_turn: bool,
    /// A kept turn ends with its message, even if nobody asks for it any more.
    pub kept_turn_ends_with_its_message: bool,
    /// A turn whose message is no longer pending is free.
    pub turn_needs_a_pending_entry: bool,
    /// Housekeeping passes on a free turn for which somebody is parked.
    pub housekeeping_looks: bool,
    /// Whoever creates a lost group again leaves the turns of those that are retried.
    pub recreation_leaves_kept_turns: bool,
}

impl Default for TurnRules {
    fn default() -> Self {
        Self {
            others_wait: true,
            asking_looks_at_all_before: true,
            looks_end_at_an_own_entry: true,
            first_in_line_only: true,
            unasked_ones_are_waited_for: true,
            commit_passes_on: true,
            outcome_needs_the_turn: true,
            retry_keeps_the_turn: true,
            kept_turn_ends_with_its_message: true,
            turn_needs_a_pending_entry: true,
            housekeeping_looks: true,
            recreation_leaves_kept_turns: true,
        }
    }
}

/// So many messages and so many faults of each kind at most, each at any moment.
#[derive(Debug, Clone, Copy)]
pub struct Turns {
    /// The protocol.
    pub rules: TurnRules,
    /// How many messages there are, at most four together with the retries.
    pub messages: u8,
    /// How often a handler asks for another delivery.
    pub retries: u8,
    /// How often a message is found at a look to be one that is not to be handled: it has expired, say.
    pub set_aside: u8,
    /// How often somebody acknowledges an entry by hand.
    pub by_hand: u8,
    /// How often the group is lost.
    pub losses: u8,
    /// Asks for no order, so that what is found is an overlap: a fault of order is always nearer.
    pub only_overlaps: bool,
}

/// At most so many entries.
pub(crate) const ENTRIES: usize = 4;
const WORKERS: usize = 2;

/// Where an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Entry {
    /// Not there yet, or not delivered.
    Undelivered,
    /// In the pending list, for this worker.
    Pending(usize),
    Parked,
    Acknowledged,
}

/// What a worker believes of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Hand {
    Empty,
    /// Not asked yet, or the answer was lost.
    Unasked,
    /// The answer is "go", and on its way.
    Granted,
    /// Its handler runs since there were so many effects.
    Running(u8),
}

/// `{stream}:turn:<group>`, of this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Turn {
    Free,
    /// Of this entry.
    Of(usize),
    /// Of this message, which waits for another delivery.
    Kept(usize),
}

/// One moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Moment {
    entries: [Entry; ENTRIES],
    /// The message of each entry.
    message: [usize; ENTRIES],
    /// Entries in the stream, and how many of them the group has delivered.
    length: usize,
    delivered: usize,
    /// `{stream}:order:<group>`.
    order: u8,
    turn: Turn,
    /// How far entries were looked at.
    looked: usize,
    /// Messages that wait for another delivery, outside the stream.
    delayed: u8,
    /// Messages that are done with.
    over: u8,
    effects: u8,
    hands: [[Hand; ENTRIES]; WORKERS],
    retries: u8,
    set_aside: u8,
    by_hand: u8,
    losses: u8,
    wrong: Option<&'static str>,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the text says")]
pub enum TurnStep {
    /// A worker reads the next entry.
    Reads { worker: usize },
    /// A worker takes over an entry, from another or from itself, or finds one that it was given.
    Takes { worker: usize, entry: usize },
    /// A worker asks whether it is an entry's turn; the answer may be lost.
    Asks {
        worker: usize,
        entry: usize,
        lost: bool,
    },
    /// The answer was "go", and the handler begins.
    Begins { worker: usize, entry: usize },
    /// The handler has ended, and its outcome is committed.
    Commits { worker: usize, entry: usize },
    /// The handler asks for another delivery.
    Retries { worker: usize, entry: usize },
    /// A look tells that it is not to be handled.
    SetsAside { worker: usize, entry: usize },
    /// What waited is in the stream again.
    IsDue { message: usize },
    /// All that a worker had in hand is forgotten.
    IsKilled { worker: usize },
    /// Somebody acknowledges an entry by hand.
    ByHand { entry: usize },
    /// A worker's housekeeping.
    Housekeeping { worker: usize },
    /// The group is lost and created again, from here.
    GroupIsLost { cursor: usize },
}

impl Moment {
    fn is_pending(&self, entry: usize) -> bool {
        matches!(self.entries[entry], Entry::Pending(_))
    }

    /// `holder` in turn.lua.
    fn whose(&mut self, rules: TurnRules) -> Turn {
        if let Turn::Of(entry) = self.turn
            && rules.turn_needs_a_pending_entry
            && !self.is_pending(entry)
        {
            self.turn = Turn::Free;
        }
        self.turn
    }

    /// `next_in_line`: who waits longest.
    fn next_in_line(&mut self, rules: TurnRules) -> Option<usize> {
        for entry in 0..ENTRIES {
            if self.order & (1 << entry) == 0 {
                continue;
            }
            match self.entries[entry] {
                Entry::Parked => return Some(entry),
                Entry::Pending(_) if rules.unasked_ones_are_waited_for => return Some(entry),
                Entry::Pending(_) => {}
                Entry::Undelivered | Entry::Acknowledged => self.order &= !(1 << entry),
            }
        }
        None
    }

    /// `pass_on`: what is parked comes into this worker's pending list.
    fn pass_on(&mut self, worker: usize, rules: TurnRules) {
        if let Some(entry) = self.next_in_line(rules)
            && self.entries[entry] == Entry::Parked
        {
            self.turn = Turn::Of(entry);
            self.order &= !(1 << entry);
            self.entries[entry] = Entry::Pending(worker);
        }
    }

    /// order.lua, for one entry. Says whether its handler may begin, or else it is no longer in hand.
    fn ask(&mut self, worker: usize, entry: usize, rules: TurnRules) -> bool {
        let is_mine = self.entries[entry] == Entry::Pending(worker);
        if rules.asking_looks_at_all_before && (is_mine || !rules.looks_end_at_an_own_entry) {
            for other in self.looked..=entry {
                if self.is_pending(other) {
                    self.order |= 1 << other;
                }
            }
            self.looked = self.looked.max(entry + 1);
        }
        if !is_mine {
            return false;
        }
        let mut whose = self.whose(rules);
        if whose == Turn::Free {
            self.order |= 1 << entry;
            self.pass_on(worker, rules);
            whose = self.turn;
            let is_first = self.next_in_line(rules) == Some(entry);
            if whose == Turn::Free && (is_first || !rules.first_in_line_only) {
                whose = Turn::Of(entry);
            }
        }
        let is_its = [Turn::Of(entry), Turn::Kept(self.message[entry])].contains(&whose);
        if is_its || !rules.others_wait {
            self.turn = Turn::Of(entry);
            self.order &= !(1 << entry);
            return true;
        }
        self.order |= 1 << entry;
        self.entries[entry] = Entry::Parked;
        false
    }

    /// The end of commit.lua, for an entry that this worker owns.
    fn end_turn(&mut self, worker: usize, entry: usize, again: bool, rules: TurnRules) {
        self.entries[entry] = Entry::Acknowledged;
        self.order &= !(1 << entry);
        let message = self.message[entry];
        let is_kept = self.turn == Turn::Kept(message) && rules.kept_turn_ends_with_its_message;
        if self.turn == Turn::Of(entry) || is_kept {
            self.turn = if again && rules.retry_keeps_the_turn {
                Turn::Kept(message)
            } else {
                Turn::Free
            };
        }
        if rules.commit_passes_on && self.whose(rules) == Turn::Free {
            self.pass_on(worker, rules);
        }
    }

    /// The outcome of a handler that began when there were so many effects counts.
    fn take_effect(&mut self, message: usize, began: u8, only_overlaps: bool) {
        if self.over & (1 << message) != 0 {
            // Its mark is found.
            return;
        }
        let earlier = (1 << message) - 1;
        if self.over & earlier != earlier && !only_overlaps {
            self.wrong = Some("an effect before that of an earlier message");
        } else if began != self.effects {
            self.wrong = Some("an effect while the handler of another one ran");
        }
        self.over |= 1 << message;
        self.effects += 1;
    }

    /// An entry comes in hand. A handler of it that still runs is forgotten, or its outcome will be the one that is committed.
    fn receive(&mut self, worker: usize, entry: usize, goes_on: bool) {
        self.entries[entry] = Entry::Pending(worker);
        if !goes_on {
            self.hands[worker][entry] = Hand::Unasked;
        }
    }

    /// Both ways to receive it, if there are two.
    fn ways_to_receive(&self, worker: usize, entry: usize) -> &'static [bool] {
        match self.hands[worker][entry] {
            Hand::Running(_) => &[false, true],
            Hand::Empty | Hand::Unasked | Hand::Granted => &[false],
        }
    }
}

type Add<'a> = dyn FnMut(TurnStep, &dyn Fn(&mut Moment)) + 'a;

impl Turns {
    fn worker_steps(&self, now: &Moment, worker: usize, add: &mut Add<'_>) {
        let rules = self.rules;
        if now.delivered < now.length {
            for goes_on in now.ways_to_receive(worker, now.delivered) {
                add(TurnStep::Reads { worker }, &|now| {
                    now.receive(worker, now.delivered, *goes_on);
                    now.delivered += 1;
                });
            }
        }
        if now.hands[worker] != [Hand::Empty; ENTRIES] {
            add(TurnStep::IsKilled { worker }, &|now| {
                now.hands[worker] = [Hand::Empty; ENTRIES];
            });
        }
        if rules.housekeeping_looks && now.entries.contains(&Entry::Parked) {
            add(TurnStep::Housekeeping { worker }, &|now| {
                if now.whose(rules) == Turn::Free {
                    now.pass_on(worker, rules);
                }
            });
        }
        for entry in 0..now.length {
            self.entry_steps(now, worker, entry, add);
        }
    }

    fn entry_steps(&self, now: &Moment, worker: usize, entry: usize, add: &mut Add<'_>) {
        let rules = self.rules;
        let is_mine = now.entries[entry] == Entry::Pending(worker);
        let counts = is_mine && (now.turn == Turn::Of(entry) || !rules.outcome_needs_the_turn);
        let hand = now.hands[worker][entry];
        if now.is_pending(entry) && (!is_mine || hand == Hand::Empty) {
            for goes_on in now.ways_to_receive(worker, entry) {
                add(TurnStep::Takes { worker, entry }, &|now| {
                    now.receive(worker, entry, *goes_on);
                });
            }
        }
        match hand {
            Hand::Empty => {}
            Hand::Unasked => {
                for lost in [false, true] {
                    add(
                        TurnStep::Asks {
                            worker,
                            entry,
                            lost,
                        },
                        &|now| {
                            let go = now.ask(worker, entry, rules);
                            now.hands[worker][entry] = match (lost, go) {
                                (true, _) => Hand::Unasked,
                                (false, true) => Hand::Granted,
                                (false, false) => Hand::Empty,
                            };
                        },
                    );
                }
                if now.set_aside > 0 && is_mine {
                    add(TurnStep::SetsAside { worker, entry }, &|now| {
                        now.set_aside -= 1;
                        now.hands[worker][entry] = Hand::Empty;
                        now.over |= 1 << now.message[entry];
                        now.end_turn(worker, entry, false, rules);
                    });
                }
            }
            Hand::Granted => add(TurnStep::Begins { worker, entry }, &|now| {
                now.hands[worker][entry] = Hand::Running(now.effects);
            }),
            Hand::Running(began) => {
                add(TurnStep::Commits { worker, entry }, &|now| {
                    now.hands[worker][entry] = Hand::Empty;
                    // Otherwise it is fenced.
                    if counts {
                        now.take_effect(now.message[entry], began, self.only_overlaps);
                        now.end_turn(worker, entry, false, rules);
                    }
                });
                if now.retries > 0 && counts {
                    add(TurnStep::Retries { worker, entry }, &|now| {
                        now.retries -= 1;
                        now.hands[worker][entry] = Hand::Empty;
                        now.delayed |= 1 << now.message[entry];
                        now.end_turn(worker, entry, true, rules);
                    });
                }
            }
        }
    }

    fn other_steps(&self, now: &Moment, add: &mut Add<'_>) {
        for message in (0..usize::from(self.messages)).filter(|at| now.delayed & (1 << at) != 0) {
            add(TurnStep::IsDue { message }, &|now| {
                now.delayed &= !(1 << message);
                now.message[now.length] = message;
                now.length += 1;
            });
        }
        for entry in (0..now.length).filter(|entry| now.by_hand > 0 && now.is_pending(*entry)) {
            add(TurnStep::ByHand { entry }, &|now| {
                now.by_hand -= 1;
                now.entries[entry] = Entry::Acknowledged;
                now.over |= 1 << now.message[entry];
            });
        }
        if now.losses == 0 {
            return;
        }
        // The newest place that skips nothing; housekeeping may have saved an earlier one.
        let is_over = |entry: &usize| now.entries[*entry] == Entry::Acknowledged;
        let newest = (0..now.delivered).find(|entry| !is_over(entry));
        for cursor in 0..=newest.unwrap_or(now.delivered) {
            add(TurnStep::GroupIsLost { cursor }, &|now| {
                now.losses -= 1;
                now.delivered = cursor;
                for entry in cursor..ENTRIES {
                    now.entries[entry] = Entry::Undelivered;
                }
                (now.order, now.looked) = (0, 0);
                now.turn = match now.turn {
                    _ if !self.rules.recreation_leaves_kept_turns => Turn::Free,
                    Turn::Of(entry) if now.message[entry] != entry && entry >= cursor => {
                        Turn::Kept(now.message[entry])
                    }
                    Turn::Kept(message) => Turn::Kept(message),
                    Turn::Of(_) | Turn::Free => Turn::Free,
                };
            });
        }
    }
}

impl Model for Turns {
    type State = Moment;
    type Step = TurnStep;

    fn start(&self) -> Moment {
        Moment {
            entries: [Entry::Undelivered; ENTRIES],
            message: std::array::from_fn(|entry| entry),
            length: usize::from(self.messages),
            delivered: 0,
            order: 0,
            turn: Turn::Free,
            looked: 0,
            delayed: 0,
            over: 0,
            effects: 0,
            hands: [[Hand::Empty; ENTRIES]; WORKERS],
            retries: self.retries,
            set_aside: self.set_aside,
            by_hand: self.by_hand,
            losses: self.losses,
            wrong: None,
        }
    }

    fn steps(&self, now: &Moment, found: &mut Vec<(TurnStep, Moment)>) {
        let mut add = |step: TurnStep, change: &dyn Fn(&mut Moment)| {
            let mut next = *now;
            change(&mut next);
            // Workers differ in nothing but their names.
            next.sort_workers();
            found.push((step, next));
        };
        for worker in 0..WORKERS {
            self.worker_steps(now, worker, &mut add);
        }
        self.other_steps(now, &mut add);
    }

    fn fault(&self, now: &Moment) -> Option<&'static str> {
        now.wrong
    }

    fn is_good_end(&self, now: &Moment) -> bool {
        let all = (1_u8 << self.messages) - 1;
        let is_done = |entry: &Entry| *entry == Entry::Acknowledged;
        // What was acknowledged by hand is cleared up when the next message of the key comes.
        let is_clear = now.order == 0 && now.turn == Turn::Free;
        now.over == all
            && now.delayed == 0
            && now.entries[..now.length].iter().all(is_done)
            && (is_clear || self.by_hand > 0)
    }
}

impl Moment {
    /// Makes moments the same that differ only in which worker is which.
    fn sort_workers(&mut self) {
        let rank = |worker: usize| {
            let hand = |entry: usize| match self.hands[worker][entry] {
                Hand::Empty => 0,
                Hand::Unasked => 1,
                Hand::Granted => 2,
                Hand::Running(began) => 3 + began,
            };
            let owns = |entry: usize| self.entries[entry] == Entry::Pending(worker);
            std::array::from_fn::<_, ENTRIES, _>(|entry| (hand(entry), owns(entry)))
        };
        if rank(0) > rank(1) {
            self.hands.swap(0, 1);
            for entry in &mut self.entries {
                if let Entry::Pending(worker) = entry {
                    *worker = 1 - *worker;
                }
            }
        }
    }
}
