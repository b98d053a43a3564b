//! The picture: a pure function from the state to lines of a width, and from those to a frame.

mod board;
mod cells;
mod over;

use ratatui::Frame;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use self::cells::{fit, width};
use super::state::{State, View};
use super::words;
use crate::output::Tone;

/// Smaller, and nothing of use fits.
const LEAST: (u16, u16) = (60, 14);

/// Draws the whole view.
pub(super) fn draw(frame: &mut Frame<'_>, state: &State) {
    let area = frame.area();
    let (columns, rows) = (usize::from(area.width), usize::from(area.height));
    let lines = if area.width < LEAST.0 || area.height < LEAST.1 {
        let sentence = format!(
            "maestro top wants {} columns and {} lines",
            LEAST.0, LEAST.1
        );
        vec![Line::raw(fit(&sentence, columns))]
    } else {
        picture(state, columns, rows)
    };
    for (at, line) in (area.top()..area.bottom()).zip(&lines) {
        frame
            .buffer_mut()
            .set_line(area.left(), at, line, area.width);
    }
}

fn picture(state: &State, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let mut lines = vec![title(state, columns), second(state, columns)];
    let room = rows.saturating_sub(3);
    // A question stands in the last line and leaves in sight what it is about.
    let behind = state.views.iter().rev().find(|view| !is_question(view));
    let body = match behind {
        None => board::lines(state, columns, room),
        Some(view) => over::lines(view, columns, room),
    };
    lines.extend(body.into_iter().take(room));
    lines.resize_with(rows.saturating_sub(1), Line::default);
    lines.push(last(state, columns));
    lines
}

const fn is_question(view: &View) -> bool {
    matches!(view, View::Prompt { .. } | View::Confirm { .. })
}

/// The name, the place and the time.
fn title(state: &State, columns: usize) -> Line<'static> {
    let time = state.sample.as_ref().map(|sample| sample.taken);
    let time = time.map_or_else(String::new, |taken| {
        taken.strftime("%H:%M:%S UTC").to_string()
    });
    let name = " maestro top  ";
    let room = columns.saturating_sub(width(name) + width(&time) + 2);
    let bold = Style::new().add_modifier(Modifier::BOLD);
    Line::from(vec![
        Span::styled(name, bold),
        Span::raw(fit(&state.place, room)),
        Span::raw(format!(" {time} ")),
    ])
    .style(Style::new().add_modifier(Modifier::REVERSED))
}

/// What is wrong, or how the fleet is.
fn second(state: &State, columns: usize) -> Line<'static> {
    let Some(sample) = &state.sample else {
        let (text, tone) = match &state.trouble {
            Some(trouble) => (trouble.as_str(), Tone::Bad),
            None => ("asking …", Tone::Faint),
        };
        return Line::styled(fit(&format!(" {text}"), columns), style(tone));
    };
    if let Some(trouble) = &state.trouble {
        let text = format!(" not up to date: {trouble}");
        return Line::styled(fit(&text, columns), style(Tone::Bad));
    }
    let summary = format!(" {}", words::summary(sample));
    let Some(warning) = words::warning(sample) else {
        return Line::raw(fit(&summary, columns));
    };
    let room = columns.saturating_sub(width(&summary) + 3);
    Line::from(vec![
        Span::raw(format!("{summary} · ")),
        Span::styled(fit(&warning, room), style(Tone::Warn)),
    ])
}

/// A question, what was done last, or the keys.
fn last(state: &State, columns: usize) -> Line<'static> {
    match state.views.last() {
        Some(View::Prompt { text }) => {
            let text = format!(" Follow the flow: {text}_   (Enter; Esc: no)");
            return Line::styled(fit(&text, columns), style(Tone::Strong));
        }
        Some(View::Confirm { act, stream, id }) => {
            let text = format!(
                " {} {id} of {stream}? y: yes, any other key: no",
                words::verb(*act)
            );
            return Line::styled(
                fit(&text, columns),
                style(Tone::Warn).add_modifier(Modifier::BOLD),
            );
        }
        _ => {}
    }
    if let Some((tone, sentence)) = &state.told {
        return Line::styled(fit(&format!(" {sentence}"), columns), style(*tone));
    }
    let keys = words::keys(state.views.is_empty(), state.letter().is_some());
    Line::styled(fit(&format!(" {keys}"), columns), style(Tone::Faint))
}

/// The row that the keys are about: one bar, whatever its colours were.
fn selected(mut line: Line<'static>) -> Line<'static> {
    for span in &mut line.spans {
        span.style = Style::new();
    }
    line.style(Style::new().add_modifier(Modifier::REVERSED))
}

/// The colours of a tone, those of every other command.
fn style(tone: Tone) -> Style {
    let plain = Style::new();
    match tone {
        Tone::Plain => plain,
        Tone::Good => plain.fg(Color::Green),
        Tone::Warn => plain.fg(Color::Yellow),
        Tone::Bad => plain.fg(Color::Red),
        Tone::Faint => plain.add_modifier(Modifier::DIM),
        Tone::Strong => plain.add_modifier(Modifier::BOLD),
        Tone::Place => plain.fg(Color::Cyan),
    }
}

#[cfg(test)]
mod tests;
