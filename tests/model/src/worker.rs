//! What one process believes, and what it has on its way: what `streams/src/consumer/engine/` decides.

use crate::redis::Answer;
use crate::{Entries, Rules, Token};

/// A commit on its way to Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    /// The entries whose outcomes it carries.
    pub entries: Entries,
    /// The fence token as it was last learned.
    /// 0 with a resend.
    pub token: Token,
    /// Asks for each entry to be looked up, whatever the token.
    pub exact: bool,
}

/// At most so many commits are on their way at once.
pub(crate) const FLIGHTS: usize = 2;

/// How far a commit in flight has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Commit {
    None,
    Sent(Request),
    /// Only where publishing and acknowledging are two steps: the first is done.
    Half(Request, Answer),
    /// Done, and the answer is on its way.
    Answered(Request, Answer),
}

impl Commit {
    /// What was sent.
    pub(crate) fn request(self) -> Option<Request> {
        match self {
            Self::None => None,
            Self::Sent(request) | Self::Half(request, _) | Self::Answered(request, _) => {
                Some(request)
            }
        }
    }
}

/// A tick that Redis has carried out, and whose answer is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Tick {
    pub(crate) known: Token,
    /// Everything in hand was looked up.
    pub(crate) whole: bool,
    pub(crate) asked: Entries,
    pub(crate) lost: Entries,
    pub(crate) found: Entries,
    pub(crate) token: Token,
}

/// One process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the engine's own flags, under its names"
)]
pub struct Worker {
    pub(crate) alive: bool,
    pub(crate) token: Token,
    /// The token does not cover all that is in hand.
    pub(crate) stale: bool,
    /// Own pending entries that are not in hand shall be looked for, and the reader waits for that.
    pub(crate) recover: bool,
    pub(crate) reader_waits: bool,
    /// The next tick shall ask for a new token.
    pub(crate) renew: bool,
    /// Were sent, and there was no answer.
    pub(crate) resent: Entries,
    pub(crate) held: Entries,
    pub(crate) trusted: Entries,
    pub(crate) committing: Entries,
    pub(crate) lost: Entries,
    /// In hand since before the present tick was sent.
    pub(crate) asked: Entries,
    /// Read, and the reply is on its way.
    pub(crate) read: Entries,
    /// No other token was learned since the read.
    pub(crate) read_in_epoch: bool,
    pub(crate) commits: [Commit; FLIGHTS],
    pub(crate) tick: Option<Tick>,
    /// Commits that this process, or the one of this name before it, has given up: they are still in a buffer of the network, and Redis will
    /// carry them out whenever they arrive.
    pub(crate) late: [Option<Request>; FLIGHTS],
}

impl Worker {
    /// A process that has just started.
    pub(crate) fn new() -> Self {
        Self {
            alive: true,
            token: 0,
            stale: true,
            recover: true,
            reader_waits: true,
            renew: true,
            resent: 0,
            held: 0,
            trusted: 0,
            committing: 0,
            lost: 0,
            asked: 0,
            read: 0,
            read_in_epoch: true,
            commits: [Commit::None; FLIGHTS],
            tick: None,
            late: [None; FLIGHTS],
        }
    }

    /// What could be committed now; handlers may end at any moment.
    pub(crate) fn ready(&self) -> Entries {
        self.held & !self.committing
    }

    /// Whether another commit may be sent now, and where it is noted. A second one follows only while nothing is in doubt.
    pub(crate) fn free_flight(&self, most: usize) -> Option<usize> {
        let free = |commit: &Commit| *commit == Commit::None;
        if self.renew && !self.commits.iter().all(free) {
            return None;
        }
        let sent = self.commits.iter().filter(|commit| !free(commit)).count();
        let may = sent < most;
        self.commits.iter().position(free).filter(|_| may)
    }

    /// Sends the outcomes of these entries.
    pub(crate) fn send(&mut self, flight: usize, entries: Entries, rules: Rules) {
        let trusts = entries & !self.trusted == 0;
        let resent = self.resent & entries != 0 && rules.resend_is_exact;
        self.committing |= entries;
        self.commits[flight] = Commit::Sent(Request {
            entries,
            // A resend without a token removes the token, and with it the trust in the first attempt, wherever that may be.
            token: if resent { 0 } else { self.token },
            exact: resent || !trusts,
        });
    }

    /// A commit is answered: whatever the verdicts, its entries are no longer in hand.
    pub(crate) fn answered(
        &mut self,
        flight: usize,
        request: Request,
        answer: Answer,
        rules: Rules,
    ) {
        self.commits[flight] = Commit::None;
        if answer.failed {
            return self.unanswered(request.entries, rules);
        }
        if !request.exact && !answer.trusted {
            self.stale = true;
        }
        self.drop_from_hand(request.entries);
    }

    /// No answer to the commit of these: it may have happened all the same. What was lost meanwhile is dropped, the rest stays in hand.
    fn unanswered(&mut self, entries: Entries, rules: Rules) {
        self.drop_from_hand(entries & self.lost);
        self.committing &= !entries;
        self.resent |= entries & self.held;
        if rules.lost_reply_renews {
            self.renew = true;
            self.stale = true;
            self.trusted = 0;
        }
    }

    /// The connection breaks, with the replies that were on it; the replies to the commits that are not among these still come, since
    /// somebody waits longer for them.
    pub(crate) fn cut(&mut self, flights: u8, rules: Rules) {
        for flight in 0..FLIGHTS {
            let Some(request) = self.commits[flight].request() else {
                continue;
            };
            if flights & (1 << flight) != 0 {
                self.commits[flight] = Commit::None;
                self.unanswered(request.entries, rules);
            }
        }
        self.tick = None;
        self.recover = true;
    }

    /// Of these commits, those that Redis has not carried out.
    fn on_their_way(&self, flights: u8) -> impl Iterator<Item = Request> + use<> {
        let commits = self.commits.into_iter().enumerate();
        commits.filter_map(move |(flight, commit)| match commit {
            Commit::Sent(request) if flights & (1 << flight) != 0 => Some(request),
            _ => None,
        })
    }

    /// Whether there is one of these, and room to remember them.
    pub(crate) fn can_be_late(&self, flights: u8) -> bool {
        let free = self.late.iter().filter(|late| late.is_none()).count();
        (1..=free).contains(&self.on_their_way(flights).count())
    }

    /// These will arrive at any time.
    pub(crate) fn arrive_late(&mut self, flights: u8) {
        let requests = self.on_their_way(flights);
        let free = self.late.iter_mut().filter(|late| late.is_none());
        for (late, request) in free.zip(requests) {
            *late = Some(request);
        }
    }

    /// The reading connection breaks, with the reply that was on it.
    pub(crate) fn reader_cut(&mut self) {
        self.read = 0;
        self.recover = true;
        self.reader_waits = true;
    }

    /// The reply to a read.
    pub(crate) fn receive_read(&mut self, rules: Rules) {
        let trusts = self.token != 0 && (self.read_in_epoch || !rules.reads_have_an_epoch);
        self.receive(self.read, trusts, rules);
        self.stale |= !trusts;
        self.read = 0;
    }

    /// What is in hand already stays as it is, unless it was lost before and no commit carries it.
    fn receive(&mut self, entries: Entries, trusts: bool, rules: Rules) {
        let mut again = self.lost;
        if rules.one_flight_an_entry {
            again &= !self.committing;
        }
        let new = entries & (!self.held | again);
        self.drop_from_hand(new);
        self.held |= new;
        if trusts {
            self.trusted |= new;
        }
    }

    fn drop_from_hand(&mut self, entries: Entries) {
        for set in [
            &mut self.held,
            &mut self.trusted,
            &mut self.committing,
            &mut self.lost,
            &mut self.asked,
            &mut self.resent,
        ] {
            *set &= !entries;
        }
    }

    /// The answer to a tick.
    pub(crate) fn ticked(&mut self, tick: Tick, rules: Rules) {
        self.tick = None;
        let lost = tick.lost & self.held;
        if rules.relearning_drops_the_lost {
            self.lost |= lost;
            // The answer to the commit says what became of those in it.
            self.drop_from_hand(lost & !self.committing);
        }
        self.learn(tick, rules);
        let found = tick.found & !self.held;
        if found != 0 && rules.found_is_not_trusted {
            self.read_in_epoch = false;
            self.stale = true;
            self.receive(found, false, rules);
        } else {
            self.receive(found, !self.stale, rules);
        }
        self.recover = false;
        self.reader_waits = false;
    }

    fn learn(&mut self, tick: Tick, rules: Rules) {
        if tick.known == tick.token {
            return;
        }
        if !tick.whole {
            self.stale = true;
            return;
        }
        self.stale = false;
        self.renew = false;
        if self.token != tick.token {
            self.token = tick.token;
            self.trusted = 0;
            self.read_in_epoch = false;
        }
        let covered = if rules.relearning_covers_what_was_asked {
            self.asked
        } else {
            tick.asked
        };
        self.trusted |= covered & self.held;
        self.stale |= self.held & !self.trusted != 0;
    }
}

impl Worker {
    /// Every token of this consumer that somebody still remembers.
    fn tokens(&mut self) -> impl Iterator<Item = &mut Token> {
        let commits = self.commits.iter_mut().filter_map(|commit| match commit {
            Commit::None => None,
            Commit::Sent(request) | Commit::Half(request, _) | Commit::Answered(request, _) => {
                Some(&mut request.token)
            }
        });
        let late = self.late.iter_mut().flatten();
        let late = late.map(|request| &mut request.token);
        let tick = self.tick.as_mut();
        let tick = tick.map(|tick| [&mut tick.known, &mut tick.token]);
        std::iter::once(&mut self.token)
            .chain(commits)
            .chain(late)
            .chain(tick.into_iter().flatten())
    }

    /// A token that was never given to this consumer, as far as anybody can tell.
    pub(crate) fn unused_token(&mut self, present: Token) -> Token {
        let mut used = 1_u16 << present;
        for token in self.tokens() {
            used |= 1 << *token;
        }
        (1..8)
            .find(|token| used & (1_u16 << token) == 0)
            .unwrap_or(0)
    }

    /// Makes worlds the same that differ only in what nobody will ask for again. Of tokens only this matters: which are equal.
    pub(crate) fn forget_what_no_longer_matters(&mut self, present: &mut Token) {
        if self.tick.is_none() {
            self.asked = 0;
        }
        if self.read == 0 {
            self.read_in_epoch = true;
        }
        if !self.alive {
            let late = self.late;
            *self = Self::new();
            (self.alive, self.late) = (false, late);
        }
        // Which of two commits is which does not matter.
        self.commits.sort_unstable();
        self.late.sort_unstable();
        let mut names = [0; 8];
        let mut last = 0;
        for token in std::iter::once(present).chain(self.tokens()) {
            if *token != 0 {
                let name = &mut names[usize::from(*token)];
                if *name == 0 {
                    last += 1;
                    *name = last;
                }
                *token = *name;
            }
        }
    }
}
