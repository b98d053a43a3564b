//! Redis, the workers, and what can happen next.

use crate::redis::Keys;
use crate::search::Model;
use crate::worker::{Commit, FLIGHTS, Tick};
use crate::{
    Consumer, Entries, MOST_ENTRIES, Publishing, Redis, Request, Rules, Worker, each, subsets,
};

/// What is tried: one worker with all that it believes and has on its way, the rest of the fleet, some messages, and so many faults
/// of each kind at most, each at any moment.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// The protocol.
    pub rules: Rules,
    /// The stream's entries by their keys; the same number twice is the same message sent twice, `None` a message without a key.
    pub keys: &'static [Option<u8>],
    /// At most so many commits are on their way at once: 1 or 2.
    pub flights: usize,
    /// How often a connection breaks that commits and ticks use, or that reads.
    pub cuts: u8,
    /// How often a worker is killed. It starts again under its name, or never.
    pub kills: u8,
    /// How often the group is lost.
    pub losses: u8,
    /// Whether a request can arrive after its sender has given it up.
    pub late: bool,
    /// Whether handlers say something along the way: all of them the same, which shall be said once.
    pub words: bool,
}

/// The worker that is modelled in full.
const ME: Consumer = 0;
/// The consumer that stands for all others.
const FLEET: Consumer = 1;

/// One moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct World {
    redis: Redis,
    worker: Worker,
    cuts: u8,
    kills: u8,
    losses: u8,
    /// The entry for which a word is on its way. It may arrive at any time, whatever became of its sender, or never.
    word: Option<usize>,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the text says")]
pub enum Step {
    /// A worker reads the next entries.
    Reads { count: u8 },
    /// The reply to a read arrives.
    Receives { entries: Entries },
    /// A tick runs at Redis; it takes over these entries, from others or from itself.
    Ticks { takes: Entries },
    /// The reply to a tick arrives.
    Learns { lost: Entries },
    /// A worker sends the outcomes of these entries.
    Sends { entries: Entries },
    /// Redis carries the commit out, or the first of its two steps.
    Commits,
    /// Redis carries out the second step.
    Finishes,
    /// The reply to a commit arrives.
    Releases,
    /// A handler says the word.
    Says { entry: usize },
    /// The word arrives.
    WordArrives,
    /// The word is lost on its way.
    WordIsLost,
    /// A connection breaks, and with it these commits; they will still arrive, or have been carried out, or are lost.
    IsCut { flights: u8, late: bool },
    /// The reading connection breaks.
    ReaderIsCut,
    /// A commit arrives that its sender has given up.
    CommitsLate,
    /// A process is killed, and starts again under the same name or does not.
    IsKilled { restarts: bool, late: bool },
    /// One of the fleet reads the next entries.
    FleetReads { count: u8 },
    /// One of the fleet takes these over.
    FleetTakes { entries: Entries },
    /// One of the fleet commits these.
    FleetCommits { entries: Entries },
    /// One of the fleet says the word.
    FleetSays { entry: usize },
    /// The group is lost.
    GroupIsLost,
    /// Somebody creates it again, from here.
    GroupIsCreated { cursor: u8 },
}

impl Scenario {
    fn keys(&self) -> Keys {
        std::array::from_fn(|entry| self.keys.get(entry).copied().flatten())
    }

    fn entries(&self) -> u8 {
        u8::try_from(self.keys.len()).unwrap_or(0)
    }
}

impl Model for Scenario {
    type State = World;
    type Step = Step;

    fn start(&self) -> World {
        World {
            redis: Redis::new(),
            worker: Worker::new(),
            cuts: self.cuts,
            kills: self.kills,
            losses: self.losses,
            word: None,
        }
    }

    fn steps(&self, world: &World, found: &mut Vec<(Step, World)>) {
        let mut step = |step: Step, change: &dyn Fn(&mut World)| {
            let mut next = *world;
            change(&mut next);
            next.worker
                .forget_what_no_longer_matters(&mut next.redis.tokens[ME]);
            found.push((step, next));
        };
        if world.worker.alive {
            self.reading_steps(world, &mut step);
            self.tick_steps(world, &mut step);
            self.commit_steps(world, &mut step);
            self.fault_steps(world, &mut step);
        }
        self.late_step(world, &mut step);
        self.word_steps(world, &mut step);
        self.fleet_steps(world, &mut step);
        self.group_steps(world, &mut step);
    }

    fn fault(&self, world: &World) -> Option<&'static str> {
        let Redis { effects, .. } = world.redis;
        let keys = self.keys();
        let of_key = |key| {
            let same = (0..MOST_ENTRIES).filter(move |entry| keys[*entry] == Some(key));
            same.map(|entry| effects[entry]).sum::<u8>()
        };
        let of_entry = |entry: usize| keys[entry].map_or(effects[entry], of_key);
        if world.redis.intruded {
            return Some("a commit changed an entry that another consumer had taken over");
        }
        if world.redis.spoke_for_another {
            return Some("something was said for a message that was no longer the speaker's");
        }
        if world.redis.words > 1 {
            return Some("something that is said once was said twice");
        }
        if (0..self.keys.len()).any(|entry| of_entry(entry) > 1) {
            return Some("two effects of one message");
        }
        let pending = world.redis.pending();
        let gone = |entry: &usize| pending & (1 << entry) == 0;
        let mut delivered = (0..usize::from(world.redis.delivered)).filter(gone);
        if world.redis.group && delivered.any(|entry| of_entry(entry) == 0) {
            return Some("acknowledged without its effect");
        }
        None
    }

    fn is_good_end(&self, world: &World) -> bool {
        let Redis {
            group, delivered, ..
        } = world.redis;
        group && delivered == self.entries() && world.redis.pending() == 0
    }
}

/// Adds one step: what happens, and what it changes.
type Add<'a> = dyn FnMut(Step, &dyn Fn(&mut World)) + 'a;

impl Scenario {
    fn reading_steps(&self, world: &World, add: &mut Add<'_>) {
        let me = &world.worker;
        if me.read != 0 {
            let step = Step::Receives { entries: me.read };
            add(step, &|world| {
                world.worker.receive_read(self.rules);
            });
        } else if world.redis.group && !me.reader_waits {
            for count in 1..=self.entries() - world.redis.delivered {
                add(Step::Reads { count }, &|world| {
                    let me = &mut world.worker;
                    me.read = world.redis.read(ME, count);
                    me.read_in_epoch = true;
                });
            }
        }
    }

    fn tick_steps(&self, world: &World, add: &mut Add<'_>) {
        let me = &world.worker;
        if let Some(tick) = me.tick {
            let step = Step::Learns { lost: tick.lost };
            add(step, &|world| {
                world.worker.ticked(tick, self.rules);
            });
            return;
        }
        if !world.redis.group {
            return;
        }
        // A lease may have run out, even one's own.
        for takes in subsets(world.redis.pending() & !me.held) {
            if takes != 0 || me.recover || me.stale {
                let step = Step::Ticks { takes };
                add(step, &|world| self.tick(world, takes));
            }
        }
    }

    /// tend.lua, and what the engine asks of it.
    fn tick(&self, world: &mut World, takes: Entries) {
        let redis = &mut world.redis;
        let me = &mut world.worker;
        let whole = me.recover || me.stale;
        let known = if me.stale { 0 } else { me.token };
        let trusted = known != 0 && known == redis.tokens[ME] && !me.renew;
        if !trusted && (redis.tokens[ME] == 0 || me.renew) {
            redis.tokens[ME] = me.unused_token(redis.tokens[ME]);
        }
        let asked = if whole { me.held & !me.lost } else { 0 };
        let lost = if trusted { 0 } else { asked & !redis.owned(ME) };
        let own = redis.owned(ME) & !me.held;
        let mut found = if me.recover { own } else { 0 };
        redis.take_over(ME, takes, self.rules);
        found |= takes;
        me.asked = asked;
        me.tick = Some(Tick {
            known,
            whole,
            asked,
            lost,
            found,
            token: redis.tokens[ME],
        });
    }

    fn commit_steps(&self, world: &World, add: &mut Add<'_>) {
        let keys = self.keys();
        if let Some(flight) = world.worker.free_flight(self.flights) {
            let ready = world.worker.ready();
            let fits = |set: &Entries| *set != 0 && has_no_key_twice(*set, keys);
            for entries in subsets(ready).filter(fits) {
                add(Step::Sends { entries }, &|world| {
                    world.worker.send(flight, entries, self.rules);
                });
            }
        }
        for (flight, commit) in world.worker.commits.into_iter().enumerate() {
            match commit {
                Commit::None => {}
                Commit::Sent(request) => add(Step::Commits, &|world| {
                    let answer = world.redis.commit(ME, request, keys, self.rules);
                    let whole = self.rules.publishing == Publishing::WithTheAcknowledgement;
                    world.worker.commits[flight] = if whole || answer.failed {
                        Commit::Answered(request, answer)
                    } else {
                        Commit::Half(request, answer)
                    };
                }),
                Commit::Half(request, answer) => add(Step::Finishes, &|world| {
                    world.redis.finish(answer, keys, self.rules);
                    world.worker.commits[flight] = Commit::Answered(request, answer);
                }),
                Commit::Answered(request, answer) => add(Step::Releases, &|world| {
                    world.worker.answered(flight, request, answer, self.rules);
                }),
            }
        }
    }

    fn fault_steps(&self, world: &World, add: &mut Add<'_>) {
        let me = &world.worker;
        let sent = (0..FLIGHTS).filter(|flight| me.commits[*flight] != Commit::None);
        let sent = sent.fold(0, |all, flight| all | 1 << flight);
        for flights in subsets(sent).filter(|_| world.cuts > 0) {
            if flights == 0 && me.tick.is_none() {
                continue;
            }
            for late in self.lates(me, flights) {
                add(Step::IsCut { flights, late }, &|world| {
                    world.cuts -= 1;
                    let me = &mut world.worker;
                    if late {
                        me.arrive_late(flights);
                    }
                    me.cut(flights, self.rules);
                });
            }
        }
        for late in self.lates(me, sent).filter(|_| world.kills > 0) {
            for restarts in [false, true] {
                let step = Step::IsKilled { restarts, late };
                add(step, &|world| {
                    world.kills -= 1;
                    let me = &mut world.worker;
                    if late {
                        me.arrive_late(sent);
                    }
                    *me = Worker {
                        alive: restarts,
                        late: me.late,
                        ..Worker::new()
                    };
                });
            }
        }
        if world.cuts > 0 && me.read != 0 {
            add(Step::ReaderIsCut, &|world| {
                world.cuts -= 1;
                world.worker.reader_cut();
            });
        }
    }

    /// Whether what these commits carry may still arrive: no, and perhaps yes.
    fn lates(&self, me: &Worker, flights: u8) -> impl Iterator<Item = bool> + use<> {
        let may = self.late && me.can_be_late(flights);
        std::iter::once(false).chain(may.then_some(true))
    }

    fn late_step(&self, world: &World, add: &mut Add<'_>) {
        for (at, request) in world.worker.late.into_iter().enumerate() {
            let Some(request) = request else { continue };
            add(Step::CommitsLate, &|world| {
                world.worker.late[at] = None;
                let keys = self.keys();
                let answer = world.redis.commit(ME, request, keys, self.rules);
                world.redis.finish(answer, keys, self.rules);
            });
        }
    }

    /// Nobody waits for the word here, as if every handler ended at the same moment: that includes those that wait.
    fn word_steps(&self, world: &World, add: &mut Add<'_>) {
        if !self.words {
            return;
        }
        let me = &world.worker;
        if let Some(entry) = world.word {
            add(Step::WordArrives, &|world| {
                world.word = None;
                world.redis.say(ME, entry, self.rules);
            });
            add(Step::WordIsLost, &|world| world.word = None);
        } else if me.alive {
            for entry in each(me.held) {
                add(Step::Says { entry }, &|world| world.word = Some(entry));
            }
        }
        for entry in each(world.redis.owned(FLEET)) {
            add(Step::FleetSays { entry }, &|world| {
                world.redis.say(FLEET, entry, self.rules);
            });
        }
    }

    /// The rest of the fleet does whatever workers may that make no mistake: read, take over, and commit what they own. That is enough. The
    /// first mistake that anybody makes is made by one worker, and until then all the others looked like this to it.
    fn fleet_steps(&self, world: &World, add: &mut Add<'_>) {
        if !world.redis.group {
            return;
        }
        for count in 1..=self.entries() - world.redis.delivered {
            add(Step::FleetReads { count }, &|world| {
                world.redis.read(FLEET, count);
            });
        }
        let owned = world.redis.owned(FLEET);
        for entries in subsets(world.redis.pending() & !owned).filter(|set| *set != 0) {
            add(Step::FleetTakes { entries }, &|world| {
                world.redis.take_over(FLEET, entries, self.rules);
            });
        }
        for entry in each(owned) {
            let entries = 1 << entry;
            add(Step::FleetCommits { entries }, &|world| {
                let request = Request {
                    entries,
                    token: 0,
                    exact: true,
                };
                let keys = self.keys();
                let answer = world.redis.commit(FLEET, request, keys, self.rules);
                world.redis.finish(answer, keys, self.rules);
            });
        }
    }

    fn group_steps(&self, world: &World, add: &mut Add<'_>) {
        if world.redis.group && world.losses > 0 {
            add(Step::GroupIsLost, &|world| {
                world.losses -= 1;
                // What housekeeping had saved is looked up when the group is created; until then it keeps in `delivered`.
                world.redis.delivered = world.redis.newest_cursor();
                world.redis.lose_group();
            });
        }
        if !world.redis.group {
            for cursor in 0..=world.redis.delivered {
                add(Step::GroupIsCreated { cursor }, &|world| {
                    world.redis.create_group(cursor, self.rules);
                });
            }
        }
    }
}

/// A batch has each key once: the second message must find the mark of the first.
fn has_no_key_twice(entries: Entries, keys: Keys) -> bool {
    let mut seen = 0;
    each(entries)
        .filter_map(|entry| keys[entry])
        .all(|key: u8| {
            let new = seen & (1 << key) == 0;
            seen |= 1 << key;
            new
        })
}
