//! What stands in Redis when all is quiet, held against what was published.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;

use crate::ground::Excuse;
use crate::load::{Fate, Job, Kind};
use crate::lot::Lot;
use crate::names::{CAUSE, EFFECTS, HOP, WORD};
use crate::order::{self, Event, Sent};
use crate::place::Eye;
use crate::producer::Batch;

/// How many ids of a violation are named.
const NAMED: usize = 20;

/// What became of the messages of a round.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) messages: u64,
    pub(crate) effects: u64,
    /// Dead letters by reason.
    pub(crate) dead: BTreeMap<String, u64>,
    /// Dead letters of messages that were meant to have an effect.
    pub(crate) dead_unmeant: u64,
    /// Neither effect nor dead letter, and no excuse.
    pub(crate) lost: u64,
    /// Neither, within what the documentation says that Redis may lose.
    pub(crate) lost_by_redis: u64,
    /// An effect, and a dead letter that says that the message used up its deliveries: in a cluster the effect is sent first and the
    /// message acknowledged second, and whatever comes between may come each time.
    pub(crate) effect_and_dead: u64,
    /// More than one effect or dead letter.
    pub(crate) doubled: u64,
    /// Of the messages: with an ordering key, by the urgent lane, and scheduled.
    pub(crate) keyed: u64,
    pub(crate) urgent: u64,
    pub(crate) scheduled: u64,
    /// What is wrong, with ids.
    pub(crate) violations: Vec<String>,
}

/// What was found of one message.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Found {
    effects: u32,
    dead: u32,
    /// Said along the way.
    words: u32,
}

const BOTH: Found = Found {
    effects: 1,
    dead: 1,
    words: 0,
};

/// What stands in Redis, by id.
#[derive(Debug, Default)]
struct Findings {
    of: HashMap<String, Found>,
    /// Where each effect stands, who made it and in which delivery.
    made: HashMap<String, Vec<String>>,
    reasons: BTreeMap<String, u64>,
    /// Effects and words in the order in which they were appended, copies included.
    events: Vec<Event>,
    /// The same of dead letters that a handler asked for.
    refused: Vec<Event>,
}

/// What a check has to know of a round.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Round<'a> {
    pub(crate) seed: u64,
    pub(crate) number: u32,
    pub(crate) is_cluster: bool,
    /// Nobody sets the server's clock.
    pub(crate) server_clock_stands: bool,
    pub(crate) batches: &'a [Batch],
    pub(crate) excuses: &'a [Excuse],
}

/// Which entries are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// Each counts.
    Effects,
    /// In a cluster, as they were sent: some more than once.
    Sent,
    Dead,
}

type Entries = Vec<(String, Vec<(String, String)>)>;

/// Reads all effects and dead letters, and compares.
pub(crate) async fn check(eye: &mut Eye, round: Round<'_>) -> anyhow::Result<Verdict> {
    let mut findings = Findings::default();
    let dead_of = |stream: &str| format!("{{{stream}}}:dead");
    let ledger = if round.is_cluster {
        findings.read(eye, EFFECTS, What::Sent).await?;
        dead_of(EFFECTS)
    } else {
        EFFECTS.to_owned()
    };
    findings.read(eye, &ledger, What::Effects).await?;
    for kind in Kind::LOAD {
        findings
            .read(eye, &dead_of(kind.stream()), What::Dead)
            .await?;
    }
    findings.read(eye, &dead_of(HOP), What::Dead).await?;
    Ok(findings.judge(round))
}

impl Findings {
    async fn read(&mut self, eye: &mut Eye, key: &str, what: What) -> anyhow::Result<()> {
        let mut from = "-".to_owned();
        loop {
            let words = ["XRANGE", key, &from, "+", "COUNT", "5000"];
            let entries: Entries = eye.insist(key, &words).await?;
            let Some((last, _)) = entries.last() else {
                return Ok(());
            };
            from = format!("({last}");
            for (at, fields) in entries {
                let read = self.note(&at, &fields, what);
                read.with_context(|| format!("the entry {at} of {key}: {fields:?}"))?;
            }
        }
    }

    fn note(&mut self, at: &str, fields: &[(String, String)], what: What) -> anyhow::Result<()> {
        let get = |name: &str| {
            let found = fields.iter().find(|(field, _)| field == name);
            found.map(|(_, text)| text.as_str())
        };
        let id = get("of").context("without id")?;
        let word = get("id").is_some_and(|id| id.rsplit('/').next() == Some(WORD));
        let said = |name: &str| get(name).unwrap_or("?");
        let made = || format!("{at} by {} in delivery {}", said("by"), said("deliveries"));
        if what != What::Sent {
            let found = self.of.entry(id.to_owned()).or_default();
            match what {
                What::Dead => {
                    found.dead += 1;
                    let reason = get("deadreason").unwrap_or("none");
                    *self.reasons.entry(reason.to_owned()).or_default() += 1;
                }
                _ if word => found.words += 1,
                _ => found.effects += 1,
            }
            if what == What::Effects {
                self.made.entry(id.to_owned()).or_default().push(made());
            }
        }
        // Not one of ours, which is told elsewhere.
        let Ok(job) = id.parse() else { return Ok(()) };
        let place = at.parse()?;
        if what == What::Dead {
            if get("deadreason") == Some("refused") {
                self.refused.push(Event {
                    job,
                    word: false,
                    place,
                    cause: said("deadid").parse()?,
                    span: None,
                    who: format!("{id} refused {at} by {}", said("deadconsumer")),
                });
            }
            return Ok(());
        }
        // In a cluster the ledger is in the order in which the receivers came to it.
        if get("deadid").is_none() {
            self.events.push(Event {
                job,
                word,
                place,
                cause: said(CAUSE).parse()?,
                span: Some((said("from").parse()?, said("to").parse()?)),
                who: format!("{id} {}{}", if word { "word " } else { "" }, made()),
            });
        }
        Ok(())
    }

    fn judge(mut self, round: Round<'_>) -> Verdict {
        let mut verdict = Verdict {
            dead: std::mem::take(&mut self.reasons),
            ..Verdict::default()
        };
        let mut wrong: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        let mut sent = HashMap::new();
        for (number, batch) in round.batches.iter().enumerate() {
            let is_excused = round.excuses.iter().any(|excuse| excuse.covers(batch));
            for (place, job) in batch.jobs.iter().enumerate() {
                let id = job.to_string();
                let found = self.of.remove(&id).unwrap_or_default();
                let lot = Lot::of(round.seed, *job);
                verdict.messages += 1;
                verdict.keyed += u64::from(lot.key.is_some());
                verdict.urgent += u64::from(lot.urgent);
                verdict.scheduled += u64::from(lot.delay.is_some());
                verdict.effects += u64::from(found.effects);
                sent.insert(
                    *job,
                    Sent {
                        lot,
                        number: (number, place),
                        at_once: batch.attempts == 1,
                        due: lot.due(batch.drawn_up),
                        // On one server what is lost is lost from the end, causes, effects and turns alike.
                        excused: round.is_cluster && is_excused,
                    },
                );
                let complaint = match (judge(*job, found), is_excused) {
                    (None, _) => None,
                    (Some("doubled"), _) if round.is_cluster && found == BOTH => {
                        verdict.effect_and_dead += 1;
                        None
                    }
                    (Some("lost"), true) => {
                        verdict.lost_by_redis += 1;
                        None
                    }
                    (Some(complaint), _) => Some(complaint),
                };
                match complaint {
                    Some("lost") => verdict.lost += 1,
                    Some("doubled") => verdict.doubled += 1,
                    _ => {}
                }
                if found.dead > 0 && job.fate() == Fate::Effect {
                    verdict.dead_unmeant += 1;
                }
                if let Some(complaint) = complaint {
                    let made = self.made.remove(&id).unwrap_or_default();
                    let made = made.join("; ");
                    let text = format!(
                        "{id} ({} effects, {} dead letters, {} words; {made}{})",
                        found.effects,
                        found.dead,
                        found.words,
                        missed(round.excuses, batch)
                    );
                    wrong.entry(complaint).or_default().push(text);
                }
            }
        }
        for id in self.of.into_keys() {
            let complaint = if id.starts_with(&format!("{}.", round.number)) {
                // The producer had given up on nothing: what it published, it was told of in the end.
                "never published"
            } else {
                "of another round"
            };
            wrong.entry(complaint).or_default().push(id);
        }
        for events in [&self.events, &self.refused] {
            let sent = |job: Job| sent.get(&job).copied();
            for (complaint, who) in order::judge(events, sent, round.server_clock_stands) {
                wrong.entry(complaint).or_default().push(who);
            }
        }
        for (complaint, ids) in wrong {
            let named = ids.iter().take(NAMED).cloned().collect::<Vec<_>>();
            verdict.violations.push(format!(
                "round {}: {} {complaint}: {}{}",
                round.number,
                ids.len(),
                named.join(", "),
                if ids.len() > NAMED { ", …" } else { "" }
            ));
        }
        verdict
    }
}

/// What is wrong with what was found of a message.
fn judge(job: Job, found: Found) -> Option<&'static str> {
    match (found.words, job.speaks()) {
        (0, true) if found.effects > 0 => return Some("lost"),
        (0 | 1, true) | (0, false) => {}
        _ => return Some("doubled"),
    }
    match (job.fate(), found.effects, found.dead) {
        (_, 0, 0) => Some("lost"),
        (Fate::Effect, 1, 0) | (_, 0, 1) => None,
        (Fate::Dead(_), 1, 0) => Some("with an effect that it must not have"),
        _ => Some("doubled"),
    }
}

/// By how much a batch was too early for the next excuse, if there is one.
fn missed(excuses: &[Excuse], batch: &Batch) -> String {
    let by = excuses.iter().filter_map(|excuse| {
        let by = excuse.from.checked_duration_since(batch.acknowledged)?;
        Some(by.as_millis())
    });
    by.min().map_or_else(String::new, |ms| {
        format!("; {ms} ms too early for what Redis may lose")
    })
}

impl Excuse {
    fn covers(&self, batch: &Batch) -> bool {
        (batch.begun <= self.to && batch.acknowledged >= self.from)
            && !(self.unless_replicated && batch.replicated)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use maestro_streams::EntryId;

    use super::*;

    /// As it should be for a message whose handler speaks.
    const WELL: Found = Found {
        effects: 1,
        dead: 0,
        words: 1,
    };

    fn judged(
        findings: Findings,
        is_cluster: bool,
        batches: &[Batch],
        excuses: &[Excuse],
    ) -> Verdict {
        findings.judge(Round {
            seed: 0,
            number: 0,
            is_cluster,
            server_clock_stands: true,
            batches,
            excuses,
        })
    }

    fn job(kind: Kind, n: u32) -> Job {
        Job { round: 0, kind, n }
    }

    fn batch(jobs: Vec<Job>) -> Batch {
        let begun = Instant::now();
        Batch {
            jobs,
            drawn_up: 0,
            attempts: 1,
            begun,
            acknowledged: begun + Duration::from_millis(1),
            replicated: false,
        }
    }

    fn findings(of: &[(&str, u32, u32)]) -> Findings {
        let of = of
            .iter()
            .map(|(id, effects, dead)| {
                let found = Found {
                    effects: *effects,
                    dead: *dead,
                    words: 0,
                };
                ((*id).to_owned(), found)
            })
            .collect();
        Findings {
            of,
            ..Findings::default()
        }
    }

    #[test]
    fn what_is_lost_doubled_or_strange_is_told_apart_and_named() {
        let published = [batch(vec![
            job(Kind::Fast, 0),
            job(Kind::Fast, 1),
            job(Kind::Fast, 2),
            job(Kind::Dead, 0),
            job(Kind::Dead, 3),
        ])];
        let found = findings(&[
            ("0.fast.0", 1, 0),
            ("0.fast.1", 2, 0),
            ("0.dead.0", 1, 0),
            ("0.dead.3", 0, 1),
            ("7.fast.0", 1, 0),
        ]);
        let verdict = judged(found, false, &published, &[]);
        assert_eq!((verdict.messages, verdict.effects), (5, 4));
        assert_eq!((verdict.lost, verdict.doubled), (1, 1));
        let all = verdict.violations.join("\n");
        for sign in [
            "lost: 0.fast.2 ",
            "doubled: 0.fast.1 (2 effects",
            "must not have: 0.dead.0 ",
            "of another round: 7.fast.0",
        ] {
            assert!(all.contains(sign), "{sign:?} in {all}");
        }
    }

    #[test]
    fn two_of_one_key_in_the_wrong_order_are_a_violation_that_names_who_made_them() {
        let drawn = |job: &Job| Lot::of(0, *job);
        let jobs = (0..5000).map(|n| job(Kind::Slow, n));
        let jobs = jobs.filter(|job| drawn(job).delay.is_none() && drawn(job).key == Some(0));
        let jobs: Vec<Job> = jobs.take(2).collect();
        let event = |at: usize, place: u64, by: &str| Event {
            job: jobs[at],
            word: false,
            place: EntryId { ms: place, seq: 0 },
            cause: EntryId {
                ms: 1 + at as u64,
                seq: 0,
            },
            span: Some((place, place)),
            who: format!("{} by {by}", jobs[at]),
        };
        let found = |first, second| Findings {
            of: jobs.iter().map(|job| (job.to_string(), WELL)).collect(),
            events: vec![event(first, 10, "w7"), event(second, 20, "w8")],
            ..Findings::default()
        };
        let published = [batch(jobs.clone())];
        let in_order = judged(found(0, 1), false, &published, &[]);
        assert_eq!(in_order.violations, [""; 0]);
        let crossed = judged(found(1, 0), false, &published, &[]);
        let all = crossed.violations.join("\n");
        for sign in ["out of the order of the stream", "by w7", "by w8"] {
            assert!(all.contains(sign), "{sign:?} in {all}");
        }
    }

    #[test]
    fn a_word_is_missed_beside_an_effect_and_doubled_if_it_is_said_twice() {
        let judged = |kind, effects, words| {
            let found = Found {
                effects,
                dead: 0,
                words,
            };
            judge(job(kind, 1), found)
        };
        assert_eq!(judged(Kind::Slow, 1, 1), None);
        assert_eq!(judged(Kind::Slow, 1, 0), Some("lost"));
        assert_eq!(judged(Kind::Slow, 1, 2), Some("doubled"));
        assert_eq!(judged(Kind::Slow, 0, 1), Some("lost"));
        assert_eq!(judged(Kind::Fast, 1, 1), Some("doubled"));
    }

    #[test]
    fn an_effect_and_a_dead_letter_are_a_double_unless_it_is_a_cluster() {
        let published = [batch(vec![job(Kind::Fatal, 1)])];
        let judged = |is_cluster| {
            let found = findings(&[("0.fatal.1", 1, 1)]);
            let verdict = judged(found, is_cluster, &published, &[]);
            (verdict.doubled, verdict.effect_and_dead)
        };
        assert_eq!((judged(false), judged(true)), ((1, 0), (0, 1)));
    }

    #[test]
    fn an_excuse_is_for_what_is_lost_at_that_time_and_for_no_double() {
        let published = [batch(vec![job(Kind::Fast, 0), job(Kind::Fast, 1)])];
        let second = Duration::from_secs(1);
        let (begun, at) = (published[0].begun, published[0].acknowledged);
        let excuse = |from, to| Excuse {
            from,
            to,
            unless_replicated: true,
        };
        let judged = |excuse| {
            judged(
                findings(&[("0.fast.1", 2, 0)]),
                false,
                &published,
                &[excuse],
            )
        };
        let during = judged(excuse(at, at + second));
        assert_eq!(
            (during.lost, during.lost_by_redis, during.doubled),
            (0, 1, 1)
        );
        // A part of it may have been there before the rest was.
        let on_its_way = judged(excuse(begun, begun));
        assert_eq!((on_its_way.lost, on_its_way.lost_by_redis), (0, 1));
        let before = judged(excuse(at + second, at + second));
        assert_eq!((before.lost, before.lost_by_redis), (1, 0));
    }
}
