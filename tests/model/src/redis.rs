//! What stands in Redis, and the scripts of `streams/src/script/`, reduced to what they decide. A script is one step: Redis runs nothing
//! beside it.

use crate::{CONSUMERS, Consumer, Entries, MOST_ENTRIES, Publishing, Request, Rules, Token, each};

/// Nobody has the entry: it is not in the pending list.
const NOBODY: u8 = u8::MAX;

/// One stream, its group, and what the scripts keep beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "half of them only remember what must never have been"
)]
pub struct Redis {
    /// Whether the group is there.
    pub(crate) group: bool,
    /// How many entries the group has delivered, from the first.
    pub(crate) delivered: u8,
    owner: [u8; MOST_ENTRIES],
    /// `{stream}:fence`.
    pub(crate) tokens: [Token; CONSUMERS],
    /// Keys that have taken effect: `{stream}:seen`.
    marks: u8,
    /// How often each entry has had its effect; more than twice is twice.
    pub(crate) effects: [u8; MOST_ENTRIES],
    /// The group was lost at some time.
    repeats: bool,
    /// Somebody's commit changed an entry that was another's.
    pub(crate) intruded: bool,
    /// How often the word was said that is said once, whichever entry it is said for; more than twice is twice. From the first on its mark
    /// is there.
    pub(crate) words: u8,
    /// The word was said for an entry that another consumer had, or nobody any more.
    pub(crate) spoke_for_another: bool,
}

/// The answer to a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Answer {
    /// The group is missing, and nothing was done.
    pub(crate) failed: bool,
    /// The token was the present one.
    pub(crate) trusted: bool,
    /// What was committed, duplicates included; the rest was fenced.
    pub(crate) committed: Entries,
}

/// Keys of the entries: those with the same number are the same message sent twice. `None`: sent without a key.
pub(crate) type Keys = [Option<u8>; MOST_ENTRIES];

impl Redis {
    pub(crate) fn new() -> Self {
        Self {
            group: true,
            delivered: 0,
            owner: [NOBODY; MOST_ENTRIES],
            tokens: [0; CONSUMERS],
            marks: 0,
            effects: [0; MOST_ENTRIES],
            repeats: false,
            intruded: false,
            words: 0,
            spoke_for_another: false,
        }
    }

    /// The pending entries of one consumer.
    pub(crate) fn owned(&self, consumer: Consumer) -> Entries {
        self.where_owner(|owner| usize::from(owner) == consumer)
    }

    /// The pending entries of all.
    pub(crate) fn pending(&self) -> Entries {
        self.where_owner(|owner| owner != NOBODY)
    }

    fn where_owner(&self, is_meant: impl Fn(u8) -> bool) -> Entries {
        let meant = |entry: &usize| is_meant(self.owner[*entry]);
        (0..MOST_ENTRIES)
            .filter(meant)
            .fold(0, |set, entry| set | 1 << entry)
    }

    /// `XREADGROUP … >`: the next entries become this consumer's.
    pub(crate) fn read(&mut self, consumer: Consumer, count: u8) -> Entries {
        let read = (self.delivered..self.delivered + count).fold(0, |set, entry| set | 1 << entry);
        self.delivered += count;
        self.give(consumer, read);
        read
    }

    /// `XCLAIM` of what is idle, in tend.lua.
    pub(crate) fn take_over(&mut self, consumer: Consumer, entries: Entries, rules: Rules) {
        for other in (0..CONSUMERS).filter(|other| *other != consumer) {
            if self.owned(other) & entries != 0 && rules.takeover_revokes {
                self.tokens[other] = 0;
            }
        }
        self.give(consumer, entries);
    }

    fn give(&mut self, consumer: Consumer, entries: Entries) {
        for entry in each(entries) {
            self.owner[entry] = u8::try_from(consumer).unwrap_or(NOBODY);
        }
    }

    /// commit.lua.
    pub(crate) fn commit(
        &mut self,
        consumer: Consumer,
        request: Request,
        keys: Keys,
        rules: Rules,
    ) -> Answer {
        let present = request.token != 0 && request.token == self.tokens[consumer];
        let trusted = present && !request.exact;
        if !trusted && !self.group {
            return Answer {
                failed: true,
                trusted,
                committed: 0,
            };
        }
        let mut mine = request.entries;
        if !trusted {
            mine &= self.owned(consumer);
        }
        // The script takes its effects back. A second line of defence: the search finds no fault without it.
        if mine & self.pending() == 0 {
            mine = 0;
        }
        let others = self.pending() & !self.owned(consumer);
        self.intruded |= mine & others != 0;
        if rules.late_acknowledgement_revokes && !present && mine != 0 {
            self.tokens[consumer] = 0;
        }
        match rules.publishing {
            Publishing::WithTheAcknowledgement => {
                self.publish(mine, keys, rules);
                self.acknowledge(mine);
            }
            Publishing::Before => self.publish(mine, keys, rules),
            Publishing::After => self.acknowledge(mine),
        }
        Answer {
            failed: false,
            trusted,
            committed: mine,
        }
    }

    /// progress.lua.
    pub(crate) fn say(&mut self, consumer: Consumer, entry: usize, rules: Rules) {
        let owns = self.owned(consumer) & (1 << entry) != 0;
        if rules.words_ask_for_the_owner && !owns {
            return;
        }
        if rules.words_are_marked && self.words > 0 {
            return;
        }
        self.words = (self.words + 1).min(2);
        self.spoke_for_another |= !owns;
    }

    /// The second step of a commit that is made in two.
    pub(crate) fn finish(&mut self, answer: Answer, keys: Keys, rules: Rules) {
        match rules.publishing {
            Publishing::WithTheAcknowledgement => {}
            Publishing::Before => self.acknowledge(answer.committed),
            Publishing::After => self.publish(answer.committed, keys, rules),
        }
    }

    fn publish(&mut self, entries: Entries, keys: Keys, rules: Rules) {
        for entry in each(entries) {
            if let Some(key) = keys[entry] {
                if rules.marks && self.marks & (1 << key) != 0 {
                    continue;
                }
                self.marks |= 1 << key;
            }
            let counted = self.effects[entry] + 1;
            let repetition = keys[entry].is_none() && self.repeats;
            self.effects[entry] = counted.min(if repetition { 1 } else { 2 });
        }
    }

    /// `XACK` asks for no owner.
    fn acknowledge(&mut self, entries: Entries) {
        for entry in each(entries) {
            self.owner[entry] = NOBODY;
        }
    }

    /// The group is gone, with its pending list.
    pub(crate) fn lose_group(&mut self) {
        self.group = false;
        self.owner = [NOBODY; MOST_ENTRIES];
    }

    /// The newest place from which a group made anew would skip nothing; housekeeping may have saved an earlier one.
    pub(crate) fn newest_cursor(&self) -> u8 {
        let oldest = (0..self.delivered).find(|entry| self.pending() & (1 << entry) != 0);
        oldest.unwrap_or(self.delivered)
    }

    /// ensure.lua. What is delivered again has its effect again, unless it has a key: only a key tells a repetition from a message.
    pub(crate) fn create_group(&mut self, cursor: u8, rules: Rules) {
        self.group = true;
        self.repeats = true;
        self.delivered = cursor;
        if rules.recreation_revokes {
            self.tokens = [0; CONSUMERS];
        }
    }
}
