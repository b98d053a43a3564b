//! What stands in Redis when all is quiet, held against what was published.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context as _;

use crate::ground::Excuse;
use crate::load::{Fate, Job, Kind};
use crate::names::{EFFECTS, HOP, WORD};
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
}

type Entries = Vec<(String, Vec<(String, String)>)>;

/// Reads all effects and dead letters, and compares.
pub(crate) async fn check(
    eye: &mut Eye,
    is_cluster: bool,
    round: u32,
    batches: &[Batch],
    excuses: &[Excuse],
) -> anyhow::Result<Verdict> {
    let mut findings = Findings::default();
    let dead_of = |stream: &str| format!("{{{stream}}}:dead");
    let ledger = if is_cluster {
        dead_of(EFFECTS)
    } else {
        EFFECTS.to_owned()
    };
    findings.read(eye, &ledger, true).await?;
    for kind in Kind::LOAD {
        findings.read(eye, &dead_of(kind.stream()), false).await?;
    }
    findings.read(eye, &dead_of(HOP), false).await?;
    Ok(findings.judge(is_cluster, round, batches, excuses))
}

impl Findings {
    async fn read(&mut self, eye: &mut Eye, key: &str, are_effects: bool) -> anyhow::Result<()> {
        let mut from = "-".to_owned();
        loop {
            let words = ["XRANGE", key, &from, "+", "COUNT", "5000"];
            let entries: Entries = eye.insist(key, &words).await?;
            let Some((last, _)) = entries.last() else {
                return Ok(());
            };
            from = format!("({last}");
            for (at, fields) in entries {
                let get = |name: &str| fields.iter().find(|(field, _)| field == name);
                let (_, id) = get("of").with_context(|| format!("an entry of {key} without id"))?;
                let found = self.of.entry(id.clone()).or_default();
                if are_effects {
                    let said = |name: &str| get(name).map_or("?", |(_, text)| text);
                    let made = format!("{at} by {} in delivery {}", said("by"), said("deliveries"));
                    self.made.entry(id.clone()).or_default().push(made);
                }
                let is_word = get("id").is_some_and(|(_, id)| id.rsplit('/').next() == Some(WORD));
                if are_effects && is_word {
                    found.words += 1;
                } else if are_effects {
                    found.effects += 1;
                } else {
                    found.dead += 1;
                    let reason = get("deadreason").map_or("none", |(_, reason)| reason);
                    *self.reasons.entry(reason.to_owned()).or_default() += 1;
                }
            }
        }
    }

    fn judge(
        mut self,
        is_cluster: bool,
        round: u32,
        batches: &[Batch],
        excuses: &[Excuse],
    ) -> Verdict {
        let mut verdict = Verdict {
            dead: std::mem::take(&mut self.reasons),
            ..Verdict::default()
        };
        let mut wrong: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        for batch in batches {
            let is_excused = excuses.iter().any(|excuse| excuse.covers(batch));
            for job in &batch.jobs {
                let id = job.to_string();
                let found = self.of.remove(&id).unwrap_or_default();
                verdict.messages += 1;
                verdict.effects += u64::from(found.effects);
                let complaint = match (judge(*job, found), is_excused) {
                    (None, _) => None,
                    (Some("doubled"), _) if is_cluster && found == BOTH => {
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
                        "{id} ({} effects, {} dead letters, {} words; {})",
                        found.effects, found.dead, found.words, made
                    );
                    wrong.entry(complaint).or_default().push(text);
                }
            }
        }
        for id in self.of.into_keys() {
            let complaint = if id.starts_with(&format!("{round}.")) {
                // The producer had given up on nothing: what it published, it was told of in the end.
                "never published"
            } else {
                "of another round"
            };
            wrong.entry(complaint).or_default().push(id);
        }
        for (complaint, ids) in wrong {
            let named = ids.iter().take(NAMED).cloned().collect::<Vec<_>>();
            verdict.violations.push(format!(
                "round {round}: {} {complaint}: {}{}",
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

impl Excuse {
    fn covers(&self, batch: &Batch) -> bool {
        (batch.begun <= self.to && batch.acknowledged >= self.from)
            && !(self.unless_replicated && batch.replicated)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn job(kind: Kind, n: u32) -> Job {
        Job { round: 0, kind, n }
    }

    fn batch(jobs: Vec<Job>) -> Batch {
        let begun = Instant::now();
        Batch {
            jobs,
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
        let verdict = found.judge(false, 0, &published, &[]);
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
            let verdict = findings(&[("0.fatal.1", 1, 1)]).judge(is_cluster, 0, &published, &[]);
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
        let judged =
            |excuse| findings(&[("0.fast.1", 2, 0)]).judge(false, 0, &published, &[excuse]);
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
