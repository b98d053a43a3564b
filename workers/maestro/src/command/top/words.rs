//! Sentences of the view, and a replica at length.

use std::time::Duration;

use maestro_streams::Replica;

use super::sample::{Detail, Sample};
use super::state::Act;
use crate::fleet::roster::{self, State};
use crate::output::duration;

pub(super) const NO_LETTER: &str =
    "only a dead letter can be replayed or dropped; Tab goes to them";

pub(super) const HELP: &[&str] = &[
    "Tab, Shift-Tab     the next part of the board, the one before",
    "Up, Down, j, k     move; Page Up, Page Down, Home, End",
    "Enter              a stream: its newest messages; anything else: at length",
    "f                  follow a flow, by its correlation id",
    "r                  replay the dead letter: back into its stream, as it was",
    "d                  drop the dead letter for good",
    "Esc, q             back; on the board, q ends",
    "?                  this",
    "",
    "lag      not yet given to a worker        hand     in the hands of one",
    "wait     for its next try, time or turn   dead     set aside",
    "in/s     messages that came a second      out/s    that were done, over ten seconds",
    "oldest   the age of the oldest message that is not done, and how it went",
    "",
    "A worker is silent after half a minute without a sign of life. What it holds",
    "goes to another one of its kind once its lease is over.",
];

/// The keys that matter where the person is.
pub(super) fn keys(is_board: bool, has_letter: bool) -> String {
    let mut keys = if is_board {
        "Tab part  Up/Down move  Enter inspect  f follow".to_owned()
    } else {
        "Esc back  Up/Down move  f follow".to_owned()
    };
    if has_letter {
        keys.push_str("  r replay  d drop");
    }
    keys.push_str(if is_board {
        "  ? help  q quit"
    } else {
        "  ? help"
    });
    keys
}

pub(super) const fn verb(act: Act) -> &'static str {
    match act {
        Act::Replay => "Replay",
        Act::Drop => "Drop for good",
    }
}

/// The fleet in one line.
pub(super) fn summary(sample: &Sample) -> String {
    let in_state = |state| {
        sample
            .replicas
            .iter()
            .filter(move |one| State::of(one) == state)
    };
    let count = |number: usize, one: &str, many: &str| match number {
        1 => format!("1 {one}"),
        number => format!("{number} {many}"),
    };
    let mut parts = vec![count(in_state(State::Alive).count(), "worker", "workers")];
    let silent = in_state(State::Silent).count();
    if silent > 0 {
        parts.push(format!("{silent} silent"));
    }
    let sum = |of: fn(&super::sample::StreamLine) -> u64| {
        let read = sample.streams.iter().filter(|line| line.is_read);
        read.map(of).sum::<u64>()
    };
    let waiting = sum(|line| line.lag.unwrap_or(0) + line.waiting);
    parts.push(format!("{waiting} waiting"));
    parts.push(format!("{} in hand", sum(|line| line.pending)));
    parts.push(format!(
        "{} dead",
        sample.streams.iter().map(|line| line.dead).sum::<u64>()
    ));
    parts.join(" · ")
}

/// What is not well, if something is.
pub(super) fn warning(sample: &Sample) -> Option<String> {
    let troubles = roster::troubles(&sample.replicas);
    let more = troubles.len().saturating_sub(1);
    let trouble = troubles.into_iter().next().map(|first| match more {
        0 => first,
        more => format!("{first} (and {more} more)"),
    });
    trouble.or_else(|| roster::skew(&sample.replicas))
}

/// A replica at length.
pub(super) fn replica(one: &Replica) -> Detail {
    let span = |span: Option<Duration>| span.map_or_else(|| "not known".to_owned(), duration);
    let number =
        |number: Option<u32>| number.map_or_else(|| "not known".to_owned(), |n| n.to_string());
    let line = |name: &str, value: String| format!("{name:<16}{value}");
    let mut lines = vec![
        line("kind", one.group.clone()),
        line("replica", one.name.clone()),
        line("state", State::of(one).name().to_owned()),
        line("stream", one.stream.clone()),
        line("version", one.version.clone()),
        line("host", one.host.clone()),
        line("process", number(one.process)),
        line("up", span(one.started)),
        line("last beat", span(one.beat)),
        line("at once", number(one.concurrency)),
        line("holds", one.pending.to_string()),
    ];
    for held in &one.held {
        let urgent = if held.urgent { ", urgent" } else { "" };
        let text = format!(
            "{}  {} old, delivery {}{urgent}",
            held.entry,
            duration(held.age),
            held.deliveries
        );
        lines.push(line("", text));
    }
    Detail {
        title: format!("{} {}", one.group, one.name),
        lines,
        ..Detail::default()
    }
}

/// A span in at most six characters: `350ms`, `12s`, `5m`, `2h`, `3d`.
pub(super) fn brief(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 => format!("{}ms", span.as_millis()),
        1..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}
