//! A frame as text: for scripts, for tests, for pictures.

use std::fmt::Write as _;

use anstyle::AnsiColor;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

use super::draw::draw;
use super::state::State;

/// The lines of one frame of this size (columns, lines); with colours, as escape sequences (ECMA-48, SGR).
pub(super) fn frame(state: &State, (columns, lines): (u16, u16), colours: bool) -> Vec<String> {
    // Writing to memory does not fail.
    let Ok(mut terminal) = Terminal::new(TestBackend::new(columns, lines));
    let Ok(_) = terminal.draw(|frame| draw(frame, state));
    let buffer = terminal.backend().buffer();
    (0..lines).map(|at| line(buffer, at, colours)).collect()
}

fn line(buffer: &Buffer, at: u16, colours: bool) -> String {
    let mut text = String::new();
    let mut before = anstyle::Style::new();
    let mut covered = 0;
    for column in 0..buffer.area().width {
        let Some(cell) = buffer.cell((column, at)) else {
            continue;
        };
        // A wide letter covers the cell after it.
        if covered > 0 {
            covered -= 1;
            continue;
        }
        covered = ratatui::text::Span::raw(cell.symbol())
            .width()
            .saturating_sub(1);
        let style = style(cell);
        if colours && style != before {
            let _ = write!(text, "{before:#}{style}");
            before = style;
        }
        text.push_str(cell.symbol());
    }
    if colours {
        let _ = write!(text, "{before:#}");
        return text;
    }
    text.truncate(text.trim_end().len());
    text
}

fn style(cell: &Cell) -> anstyle::Style {
    let colour = match cell.fg {
        Color::Red => Some(AnsiColor::Red),
        Color::Green => Some(AnsiColor::Green),
        Color::Yellow => Some(AnsiColor::Yellow),
        Color::Cyan => Some(AnsiColor::Cyan),
        _ => None,
    };
    let mut effects = anstyle::Effects::new();
    for (modifier, effect) in [
        (Modifier::BOLD, anstyle::Effects::BOLD),
        (Modifier::DIM, anstyle::Effects::DIMMED),
        (Modifier::REVERSED, anstyle::Effects::INVERT),
    ] {
        if cell.modifier.contains(modifier) {
            effects |= effect;
        }
    }
    anstyle::Style::new()
        .fg_color(colour.map(Into::into))
        .effects(effects)
}
