//! Whether the messages of one key took effect one after the other and in their order, and scheduled ones not before their time.
//!
//! What is asked is what `docs/delivery.md` promises, for each lane of each stream:
//!
//! - Of one key, a handler whose outcome counted began after the one before it had ended, and what a handler says along the way comes
//!   after the effect of the message before. A message that is retried keeps its turn, so all its deliveries count as one.
//! - Effects come in the order of the entries, and so in that of publication. Where a producer had to publish a batch again, the order within
//!   it is that in which Redis took it: a pipeline may have been refused in part.
//! - A scheduled message takes its place when it is due: it overlaps with nobody, and has no place among the others.
//! - A message is not handled before its time by its worker's clock, which is the suite's; nor does anything of it stand in Redis before by the
//!   server's, where nobody sets that one and both are the same.
//!
//! In a cluster the same effect may be appended again; the first one counts, as for every reader without a group. What was published within
//! a failover there is left out: its effect may be lost at one master, and come again, while its successor's stands at another.

use std::collections::{HashMap, HashSet};

use maestro_streams::EntryId;

use crate::load::{Job, Kind};
use crate::lot::Lot;

/// Something that stands in Redis, in the order in which it was appended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) job: Job,
    /// Said along the way; otherwise what counts.
    pub(crate) word: bool,
    /// Its own id.
    pub(crate) place: EntryId,
    /// The id of the message's first entry.
    pub(crate) cause: EntryId,
    /// When the handler began and when it returned, in milliseconds by the clock of all workers; `None` of a dead letter.
    pub(crate) span: Option<(u64, u64)>,
    /// Who made it, for people.
    pub(crate) who: String,
}

/// What is known of a message that was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) lot: Lot,
    /// The number of its batch, and its place therein.
    pub(crate) number: (usize, usize),
    /// The batch was taken at the first attempt.
    pub(crate) at_once: bool,
    /// Not before this, in milliseconds since 1970.
    pub(crate) due: Option<u64>,
    /// Redis may have lost what belongs to it, and its effect stands elsewhere.
    pub(crate) excused: bool,
}

/// Whose turns follow one another: kind, lane, whether through a second group, key.
type Queue = (Kind, bool, bool, u16);

#[derive(Debug, Default)]
struct Track<'a> {
    last: Option<&'a Event>,
    /// Of those that were not scheduled.
    last_in_order: Option<(&'a Event, Sent)>,
}

/// What is wrong, each with who made it.
pub(crate) fn judge(
    events: &[Event],
    sent: impl Fn(Job) -> Option<Sent>,
    server_clock_stands: bool,
) -> Vec<(&'static str, String)> {
    let mut wrong = Vec::new();
    let mut words: HashMap<Job, EntryId> = HashMap::new();
    let mut counted: HashSet<Job> = HashSet::new();
    let mut tracks: HashMap<Queue, Track<'_>> = HashMap::new();
    for event in events {
        // What nobody published is told elsewhere.
        let Some(sent) = sent(event.job) else {
            continue;
        };
        if let Some(due) = sent.due {
            let began = event.span.map_or(due, |(from, _)| from);
            if began < due || (server_clock_stands && event.place.ms < due) {
                wrong.push((
                    "before its time",
                    format!("{} (due {due}, begun {began})", event.who),
                ));
            }
        }
        if event.word {
            words.entry(event.job).or_insert(event.place);
            continue;
        }
        let (Some(key), true) = (sent.lot.key, counted.insert(event.job)) else {
            continue;
        };
        if sent.excused {
            continue;
        }
        let queue = (event.job.kind, sent.lot.urgent, event.job.is_chained(), key);
        let track = tracks.entry(queue).or_default();
        if let Some(before) = track.last {
            let ran = match (event.span, before.span) {
                (Some((from, _)), Some((_, to))) => from < to,
                _ => false,
            };
            let spoke = words
                .get(&event.job)
                .is_some_and(|word| *word < before.place);
            if ran || spoke {
                wrong.push((
                    "overlapping with another of its key",
                    pair(key, before, event),
                ));
            }
        }
        track.last = Some(event);
        if sent.due.is_some() {
            continue;
        }
        if let Some((before, earlier)) = track.last_in_order {
            let published =
                earlier.number.0 == sent.number.0 && !sent.at_once || earlier.number < sent.number;
            if event.cause <= before.cause {
                wrong.push(("out of the order of the stream", pair(key, before, event)));
            } else if !published {
                wrong.push(("out of the order of publication", pair(key, before, event)));
            }
        }
        track.last_in_order = Some((event, sent));
    }
    wrong
}

fn pair(key: u16, before: &Event, event: &Event) -> String {
    let span = |event: &Event| {
        let span = event.span.map(|(from, to)| format!(", {from} to {to}"));
        format!(
            "{} from {}{}",
            event.who,
            event.cause,
            span.unwrap_or_default()
        )
    };
    format!("key {key}: {} | then {}", span(before), span(event))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(n: u32) -> Job {
        Job {
            round: 0,
            kind: Kind::Slow,
            n,
        }
    }

    fn id(ms: u64) -> EntryId {
        EntryId { ms, seq: 0 }
    }

    /// The effect of the message `n`, published as entry `n`, at this place by a handler that ran from and to then.
    fn effect(n: u32, place: u64, span: (u64, u64)) -> Event {
        Event {
            job: job(n),
            word: false,
            place: id(place),
            cause: id(u64::from(n)),
            span: Some(span),
            who: format!("{} by w{n}", job(n)),
        }
    }

    fn word(n: u32, place: u64) -> Event {
        Event {
            word: true,
            ..effect(n, place, (place, place))
        }
    }

    fn of_one_key(job: Job) -> Sent {
        Sent {
            lot: Lot {
                key: Some(1),
                ..Lot::default()
            },
            number: (0, usize::try_from(job.n).unwrap()),
            at_once: true,
            due: None,
            excused: false,
        }
    }

    fn scheduled(job: Job) -> Sent {
        Sent {
            due: Some(20),
            ..of_one_key(job)
        }
    }

    fn judged(events: &[Event], sent: fn(Job) -> Sent) -> Vec<&'static str> {
        let wrong = judge(events, |job| Some(sent(job)), true);
        for (_, who) in &wrong {
            assert!(who.contains(" by w"), "{who} names nobody");
        }
        wrong.into_iter().map(|(what, _)| what).collect()
    }

    #[test]
    fn one_after_the_other_is_well_and_copies_and_other_keys_change_nothing() {
        let well = [
            word(1, 10),
            effect(1, 12, (9, 12)),
            word(2, 13),
            effect(2, 15, (12, 15)),
            effect(1, 16, (3, 16)),
        ];
        assert_eq!(judged(&well, of_one_key), [""; 0]);
        let crossed = [effect(2, 12, (9, 12)), effect(1, 13, (8, 13))];
        let without = |job| Sent {
            lot: Lot::default(),
            ..of_one_key(job)
        };
        assert_eq!(judged(&crossed, without), [""; 0]);
    }

    #[test]
    fn a_handler_that_began_before_the_one_before_had_ended_overlaps() {
        let overlap = [effect(1, 12, (9, 12)), effect(2, 15, (11, 15))];
        assert_eq!(
            judged(&overlap, of_one_key),
            ["overlapping with another of its key"]
        );
        // Whatever its clock says.
        let spoke = [word(2, 11), effect(1, 12, (9, 12)), effect(2, 15, (12, 15))];
        assert_eq!(
            judged(&spoke, of_one_key),
            ["overlapping with another of its key"]
        );
        let scheduled = [effect(1, 30, (25, 30)), effect(2, 32, (28, 32))];
        assert_eq!(
            judged(&scheduled, self::scheduled),
            ["overlapping with another of its key"]
        );
    }

    #[test]
    fn an_effect_before_that_of_an_earlier_entry_is_out_of_order() {
        let crossed = [effect(2, 12, (9, 12)), effect(1, 15, (12, 15))];
        assert_eq!(
            judged(&crossed, of_one_key),
            ["out of the order of the stream"]
        );
        // A scheduled one has no place among the others.
        let late = [effect(2, 30, (25, 30)), effect(1, 32, (30, 32))];
        assert_eq!(judged(&late, scheduled), [""; 0]);
    }

    #[test]
    fn the_order_of_publication_is_asked_for_unless_the_batch_was_published_again() {
        let in_order = [effect(1, 12, (9, 12)), effect(2, 15, (12, 15))];
        let reversed = |job: Job| Sent {
            number: (0, 9 - usize::try_from(job.n).unwrap()),
            ..of_one_key(job)
        };
        assert_eq!(
            judged(&in_order, reversed),
            ["out of the order of publication"]
        );
        let again = |job: Job| Sent {
            at_once: false,
            number: (0, 9 - usize::try_from(job.n).unwrap()),
            ..of_one_key(job)
        };
        assert_eq!(judged(&in_order, again), [""; 0]);
        let other_batch = |job: Job| Sent {
            at_once: false,
            number: (9 - usize::try_from(job.n).unwrap(), 0),
            ..of_one_key(job)
        };
        assert_eq!(
            judged(&in_order, other_batch),
            ["out of the order of publication"]
        );
    }

    #[test]
    fn an_effect_before_its_time_is_found_by_either_clock() {
        assert_eq!(judged(&[effect(1, 22, (20, 22))], scheduled), [""; 0]);
        assert_eq!(
            judged(&[effect(1, 22, (19, 22))], scheduled),
            ["before its time"]
        );
        let by_the_server = [effect(1, 19, (20, 22))];
        assert_eq!(judged(&by_the_server, scheduled), ["before its time"]);
        let set = judge(&by_the_server, |job| Some(scheduled(job)), false);
        assert_eq!(set, []);
    }
}
