//! What lies over the board: one thing at length, a list of messages, the help.

use ratatui::style::Modifier;
use ratatui::text::Line;

use super::cells::{first_in_sight, fit, wrapped};
use super::style;
use crate::command::top::state::{List, View};
use crate::command::top::words;
use crate::output::Tone;

pub(super) fn lines(view: &View, columns: usize, room: usize) -> Vec<Line<'static>> {
    match view {
        View::Help => {
            let rows = words::HELP.iter();
            let rows = rows.map(|row| Line::raw(fit(&format!("  {row}"), columns)));
            std::iter::once(heading("keys and words", columns))
                .chain(rows)
                .collect()
        }
        View::Detail { detail, scroll } => {
            let mut lines = vec![heading(&detail.title, columns)];
            let rows = detail.lines.iter().skip(*scroll).take(room);
            let rows = rows.flat_map(|row| wrapped(row, columns.saturating_sub(2)));
            lines.extend(rows.map(|row| Line::raw(format!("  {row}"))));
            lines
        }
        View::List(list) => messages(list, columns, room),
        // They stand in the last line.
        View::Prompt { .. } | View::Confirm { .. } => Vec::new(),
    }
}

fn heading(title: &str, columns: usize) -> Line<'static> {
    let look = style(Tone::Place).add_modifier(Modifier::BOLD);
    Line::styled(fit(&format!(" {title}"), columns), look)
}

fn messages(list: &List, columns: usize, room: usize) -> Vec<Line<'static>> {
    let mut lines = vec![heading(&list.title, columns)];
    if list.rows.is_empty() {
        lines.push(Line::styled("   none", style(Tone::Faint)));
        return lines;
    }
    let room = room.saturating_sub(1);
    let first = first_in_sight(list.selected, list.rows.len(), room);
    for (at, row) in list.rows.iter().enumerate().skip(first).take(room) {
        let mut line = Line::styled(fit(&format!(" {}", row.text), columns), style(row.tone));
        if at == list.selected {
            line = super::selected(line);
        }
        lines.push(line);
    }
    lines
}
