//! The board: streams, workers, what goes on, dead letters, one below the other; the focused part gets the room that it wants first.

use maestro_streams::Replica;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::cells::{first_in_sight, fit, right, sparkline, width};
use super::style;
use crate::command::top::sample::{Letter, Sample, StreamLine, Work};
use crate::command::top::state::{Pane, State, Track};
use crate::command::top::words::brief;
use crate::fleet::roster;
use crate::output::Tone;

/// The width of a stream's columns between its name and its bars.
const NUMBERS: [usize; 7] = [6, 6, 6, 6, 7, 7, 8];

pub(super) fn lines(state: &State, columns: usize, room: usize) -> Vec<Line<'static>> {
    let Some(sample) = &state.sample else {
        return Vec::new();
    };
    let panes = Pane::ALL.len();
    let wanted = Pane::ALL.map(|pane| state.rows(pane));
    let heights = heights(room.saturating_sub(panes), wanted, state.focus);
    let mut lines = Vec::new();
    for pane in Pane::ALL {
        let is_focus = pane == state.focus;
        lines.push(heading(pane, state, columns));
        let height = heights[pane.index()];
        let count = state.rows(pane);
        if count == 0 {
            let nothing = format!("   {}", nothing(pane));
            lines.push(Line::styled(fit(&nothing, columns), style(Tone::Faint)));
            continue;
        }
        let selected = state.selected(pane);
        let first = if is_focus {
            first_in_sight(selected, count, height)
        } else {
            0
        };
        for at in first..count.min(first + height) {
            let mut line = row(pane, at, sample, state, columns);
            if is_focus && at == selected {
                line = super::selected(line);
            }
            lines.push(line);
        }
    }
    lines
}

/// How many rows each part gets: two if it has so many, then the focused one what it wants, then the others in their order.
fn heights(room: usize, wanted: [usize; 4], focus: Pane) -> [usize; 4] {
    let mut heights = wanted.map(|rows| rows.clamp(1, 2));
    let mut left = room.saturating_sub(heights.iter().sum());
    let others = Pane::ALL.into_iter().filter(|pane| *pane != focus);
    for pane in std::iter::once(focus).chain(others) {
        let at = pane.index();
        let more = wanted[at].saturating_sub(heights[at]).min(left);
        heights[at] += more;
        left -= more;
    }
    heights
}

fn heading(pane: Pane, state: &State, columns: usize) -> Line<'static> {
    let count = state.rows(pane);
    let text = match pane {
        Pane::Streams => {
            let names = ["lag", "hand", "wait", "dead", "in/s", "out/s", "oldest"];
            let numbers = names.iter().zip(NUMBERS);
            let numbers: String = numbers.map(|(name, wide)| right(name, wide)).collect();
            let bars = columns.saturating_sub(name_width(columns) + width(&numbers) + 1);
            format!(
                "{}{numbers} {}",
                fit(" STREAMS", name_width(columns)),
                right("history", bars)
            )
        }
        Pane::Workers => worker_cells(
            columns,
            &format!("WORKERS {count}"),
            "replica",
            ["version", "beat", "up", "holds", "oldest"],
        ),
        Pane::Work => format!(" WORK {count}"),
        Pane::Dead => format!(" DEAD LETTERS {count}"),
    };
    let mut look = Style::new().add_modifier(Modifier::BOLD);
    if pane == state.focus {
        look = look.patch(style(Tone::Place));
    }
    Line::styled(fit(&text, columns), look)
}

const fn nothing(pane: Pane) -> &'static str {
    match pane {
        Pane::Streams => "there are no streams",
        Pane::Workers => {
            "no worker is registered; start some with `maestro up` or `maestro worker`"
        }
        Pane::Work => "nothing goes on",
        Pane::Dead => "none",
    }
}

fn row(pane: Pane, at: usize, sample: &Sample, state: &State, columns: usize) -> Line<'static> {
    match pane {
        Pane::Streams => {
            let line = &sample.streams[at];
            stream(line, state.track(&line.name), columns)
        }
        Pane::Workers => worker(&sample.replicas[at], columns),
        Pane::Work => work(&sample.work[at], columns),
        Pane::Dead => letter(&sample.dead[at], columns),
    }
}

/// Names of streams have 21 letters at most; a prefix is in the title.
const fn name_width(columns: usize) -> usize {
    if columns >= 80 { 23 } else { 15 }
}

fn stream(line: &StreamLine, track: Option<&Track>, columns: usize) -> Line<'static> {
    let name_width = name_width(columns);
    let count = |number: u64| {
        if number == 0 {
            "·".to_owned()
        } else {
            number.to_string()
        }
    };
    let rate = |rate: Option<f64>| match rate {
        None => "-".to_owned(),
        Some(0.0) => "·".to_owned(),
        Some(rate) if rate < 100.0 => format!("{rate:.1}"),
        Some(rate) => format!("{rate:.0}"),
    };
    let (came, done) = track.map_or((None, None), Track::rates);
    let of_group = |text: String| if line.is_read { text } else { String::new() };
    let numbers = [
        of_group(line.lag.map_or_else(|| "?".to_owned(), count)),
        of_group(count(line.pending)),
        of_group(count(line.waiting)),
        of_group(count(line.dead)),
        rate(came),
        of_group(rate(done)),
        of_group(line.oldest.map_or_else(|| "·".to_owned(), brief)),
    ];
    let is_unread = line.is_read && line.alive == 0 && line.lag.unwrap_or(0) + line.pending > 0;
    let mut spans = vec![Span::styled(
        fit(&format!(" {}", line.name), name_width),
        style(if is_unread { Tone::Bad } else { Tone::Plain }),
    )];
    for (at, (number, wide)) in numbers.iter().zip(NUMBERS).enumerate() {
        let tone = match at {
            3 if line.dead > 0 => Tone::Bad,
            0 if is_unread => Tone::Bad,
            _ if number == "·" => Tone::Faint,
            _ => Tone::Plain,
        };
        spans.push(Span::styled(right(number, wide), style(tone)));
    }
    let taken: usize = name_width + NUMBERS.iter().sum::<usize>();
    let bars = columns.saturating_sub(taken + 1);
    let ages = track
        .filter(|_| line.is_read)
        .map(|track| track.ages.iter().copied());
    let bars = ages.map_or_else(|| " ".repeat(bars), |ages| sparkline(ages, bars));
    spans.push(Span::styled(format!(" {bars}"), style(Tone::Place)));
    Line::from(spans)
}

fn worker_cells(columns: usize, kind: &str, name: &str, rest: [&str; 5]) -> String {
    const REST: [usize; 5] = [9, 7, 7, 8, 8];
    let kind = fit(&format!(" {kind}"), 13);
    let rest: String = rest
        .iter()
        .zip(REST)
        .map(|(cell, wide)| right(cell, wide))
        .collect();
    let room = columns.saturating_sub(width(&kind) + width(&rest));
    format!("{kind}{}{rest}", fit(name, room))
}

fn worker(one: &Replica, columns: usize) -> Line<'static> {
    let state = roster::State::of(one);
    let span = |span: Option<std::time::Duration>| span.map_or_else(|| "-".to_owned(), brief);
    let holds = match one.concurrency {
        Some(most) => format!("{}/{most}", one.pending),
        None => one.pending.to_string(),
    };
    let oldest = one.held.iter().map(|held| held.age).max();
    let cells = worker_cells(
        columns,
        &one.group,
        &one.name,
        [
            &one.version,
            &span(one.beat),
            &span(one.started),
            &holds,
            &span(oldest),
        ],
    );
    let tone = match state {
        roster::State::Alive => Tone::Plain,
        roster::State::Silent if one.pending > 0 => Tone::Bad,
        roster::State::Silent => Tone::Warn,
        roster::State::Left | roster::State::Foreign => Tone::Faint,
    };
    Line::styled(cells, style(tone))
}

fn work(work: &Work, columns: usize) -> Line<'static> {
    let begin = format!(" {:<12}", work.what);
    let state = fit(&work.state, 15);
    let age = right(&brief(work.age), 6);
    let room = columns.saturating_sub(width(&begin) + 15 + 6 + 2);
    Line::from(vec![
        Span::raw(begin),
        Span::styled(state, style(work.tone)),
        Span::raw(format!("{age}  {}", fit(&work.subject, room))),
    ])
}

fn letter(letter: &Letter, columns: usize) -> Line<'static> {
    let stream = fit(&format!(" {}", letter.stream), 23);
    let reason = fit(&letter.reason, 13);
    let age = right(&brief(letter.age), 6);
    let room = columns.saturating_sub(23 + 13 + 6 + 2);
    Line::from(vec![
        Span::raw(stream),
        Span::styled(reason, style(Tone::Bad)),
        Span::raw(format!("{age}  {}", fit(&letter.why, room))),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_focused_part_gets_what_it_wants_and_the_others_keep_two_rows() {
        let wanted = [8, 20, 1, 0];
        assert_eq!(heights(17, wanted, Pane::Streams), [8, 7, 1, 1]);
        assert_eq!(heights(17, wanted, Pane::Workers), [2, 13, 1, 1]);
        assert_eq!(heights(40, wanted, Pane::Dead), [8, 20, 1, 1]);
        assert_eq!(heights(3, wanted, Pane::Dead), [2, 2, 1, 1]);
    }
}
