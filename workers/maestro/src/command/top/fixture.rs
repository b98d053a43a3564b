//! A fleet for tests: one heal in hand, an environment, a silent worker, a dead letter.

use std::time::Duration;

use jiff::Timestamp;
use maestro_protocol::Stream;
use maestro_streams::{EntryId, Fields, Held, Replica};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::press::Step;
use super::sample::{Detail, Letter, Sample, StreamLine, Work};
use super::state::{Answer, State};
use crate::output::Tone;

const NOON: i64 = 1_763_985_600;

/// The same at several moments a second apart; in each, ten more errors have come and one heal is older.
pub(super) fn state() -> State {
    let mut state = State::new("redis://redis.example.org:6379, prefix acme:".to_owned());
    for second in 0..20 {
        state.learn(Answer::Sample(sample(second)));
    }
    state
}

pub(super) fn sample(second: u64) -> Sample {
    let taken = Timestamp::from_second(NOON).unwrap() + Duration::from_secs(second);
    Sample {
        taken,
        clock: Duration::from_secs(second),
        streams: Stream::ALL.map(|stream| line(stream, second)).to_vec(),
        replicas: vec![
            replica("triage", "web-1-41-5f0c3a", 1, Vec::new()),
            replica("heal", "web-1-42-9b1d77", 2, vec![held(second)]),
            replica("heal", "web-2-17-003fe2", 95, vec![held(240), held(200)]),
        ],
        work: vec![
            work(
                "heal",
                "in hand",
                Tone::Good,
                second,
                "tests/test_cart.py::test_total",
            ),
            work(
                "environment",
                "ready",
                Tone::Good,
                300,
                "pr-7: namespace maestro-pr-7",
            ),
            work(
                "verdict",
                "healed",
                Tone::Good,
                61,
                "tests/test_a.py::test_b: Mapping moved to collections.abc  [b-1/0/0]",
            ),
        ],
        dead: vec![Letter {
            stream: Stream::Heal,
            id: EntryId {
                ms: 1_763_985_000_000,
                seq: 0,
            },
            reason: "exhausted".to_owned(),
            age: Duration::from_mins(10),
            why: "build-7/0: 5 deliveries, the last one ended without an answer".to_owned(),
            flow: Some("build-7".to_owned()),
        }],
    }
}

fn line(stream: Stream, second: u64) -> StreamLine {
    let line = StreamLine {
        name: stream.name().to_owned(),
        is_read: stream.group().is_some(),
        lag: Some(0),
        done: Some(0),
        ..StreamLine::default()
    };
    match stream {
        Stream::Errors => StreamLine {
            added: 10 * second,
            done: Some(10 * second),
            alive: 1,
            ..line
        },
        Stream::Heal => StreamLine {
            lag: Some(12),
            pending: 3,
            waiting: 2,
            dead: 1,
            added: 20 + second / 2,
            done: Some(second / 2),
            oldest: Some(Duration::from_secs(10 + 12 * second)),
            alive: 1,
            ..line
        },
        Stream::Provision => StreamLine {
            lag: Some(1),
            added: 1,
            oldest: Some(Duration::from_millis(350)),
            ..line
        },
        _ => line,
    }
}

fn held(seconds: u64) -> Held {
    Held {
        entry: EntryId {
            ms: 1_763_985_600_000 - seconds * 1000,
            seq: 0,
        },
        urgent: false,
        age: Duration::from_secs(seconds),
        idle: Duration::ZERO,
        deliveries: 1,
    }
}

fn replica(kind: &str, name: &str, beat: u64, held: Vec<Held>) -> Replica {
    Replica {
        stream: format!("automation:{kind}"),
        group: kind.to_owned(),
        name: name.to_owned(),
        host: name[..5].to_owned(),
        process: Some(42),
        version: "0.1.0".to_owned(),
        concurrency: Some(2),
        started: Some(Duration::from_mins(200)),
        beat: Some(Duration::from_secs(beat)),
        has_left: false,
        pending: held.len() as u64,
        held,
    }
}

fn work(what: &'static str, state: &str, tone: Tone, age: u64, subject: &str) -> Work {
    Work {
        what,
        state: state.to_owned(),
        tone,
        age: Duration::from_secs(age),
        subject: subject.to_owned(),
        detail: message(subject),
    }
}

pub(super) fn message(title: &str) -> Detail {
    let fields: Fields = [
        ("type", "maestro.heal.requested.v1"),
        ("id", "build-7/0"),
        ("correlationid", "build-7"),
        (
            "data",
            r#"{"message":"assert 1 == 2","kind":"test_failure"}"#,
        ),
    ]
    .into_iter()
    .collect();
    Detail::of_message(title.to_owned(), &fields)
}

/// Presses keys one after the other; the last one's step.
pub(super) fn press(state: &mut State, codes: &[KeyCode]) -> Step {
    let keys = codes
        .iter()
        .map(|code| KeyEvent::new(*code, KeyModifiers::NONE));
    let steps = keys.map(|key| state.press(key));
    steps.last().unwrap_or(Step::Draw)
}
