//! Text in columns, by the width that a terminal gives it.

use ratatui::text::Span;

use crate::output::harmless;

/// How many columns a text takes.
pub(super) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// Text of exactly this width: cut with `…`, or filled up.
pub(super) fn fit(text: &str, columns: usize) -> String {
    let mut fitted = cut(text, columns);
    let missing = columns.saturating_sub(width(&fitted));
    fitted.extend(std::iter::repeat_n(' ', missing));
    fitted
}

/// The same, at the right end.
pub(super) fn right(text: &str, columns: usize) -> String {
    let cut = cut(text, columns);
    let missing = columns.saturating_sub(width(&cut));
    format!("{}{cut}", " ".repeat(missing))
}

fn cut(text: &str, columns: usize) -> String {
    // One line, and nothing that moves the cursor.
    let text = harmless(text).replace(['\n', '\t'], " ");
    if width(&text) <= columns {
        return text;
    }
    let mut fitted = String::new();
    let mut taken = 1;
    for c in text.chars() {
        taken += width(c.encode_utf8(&mut [0; 4]));
        if taken > columns {
            break;
        }
        fitted.push(c);
    }
    if columns > 0 {
        fitted.push('…');
    }
    fitted
}

/// A text in lines of at most this width; what is longer goes on below.
pub(super) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let text = harmless(text).replace('\t', "    ");
    let mut lines = vec![String::new()];
    let mut taken = 0;
    for c in text.chars() {
        let wide = width(c.encode_utf8(&mut [0; 4]));
        if c == '\n' || taken + wide > columns {
            lines.push(String::new());
            taken = 0;
        }
        if c != '\n'
            && let Some(line) = lines.last_mut()
        {
            line.push(c);
            taken += wide;
        }
    }
    lines
}

/// Values as a line of bars, the newest at the right, the highest as high as a line.
pub(super) fn sparkline(
    values: impl DoubleEndedIterator<Item = u64> + Clone,
    columns: usize,
) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let shown = values.rev().take(columns);
    let most = shown.clone().max().unwrap_or(0).max(1);
    let bar = |value: u64| match value {
        0 => ' ',
        value => {
            let eighths = (u128::from(value) * 8).div_ceil(u128::from(most));
            let at = usize::try_from(eighths).unwrap_or(8);
            BARS[at.clamp(1, 8) - 1]
        }
    };
    let bars: Vec<char> = shown.map(bar).collect();
    let bars: String = bars.into_iter().rev().collect();
    right(&bars, columns)
}

/// Where to begin, so that the selected one of many rows is in sight.
pub(super) fn first_in_sight(selected: usize, rows: usize, room: usize) -> usize {
    let latest = rows.saturating_sub(room);
    selected.saturating_sub(room.saturating_sub(1)).min(latest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_takes_its_columns_whatever_it_is() {
        for text in [
            "",
            "short",
            "far too long for it",
            "日本語の名前です",
            "a\nb\u{1b}[2Jc",
        ] {
            assert_eq!(width(&fit(text, 8)), 8, "{text:?}");
            assert_eq!(width(&right(text, 8)), 8, "{text:?}");
        }
        assert_eq!(fit("far too long", 8), "far too…");
        assert_eq!(fit("", 0), "");
    }

    #[test]
    fn a_long_line_goes_on_below() {
        assert_eq!(wrapped("abcdef\ngh\n", 4), ["abcd", "ef", "gh", ""]);
        assert_eq!(wrapped("日本語", 4), ["日本", "語"]);
    }

    #[test]
    fn the_highest_value_in_sight_is_as_high_as_the_line() {
        assert_eq!(sparkline([9, 0, 1, 4, 8].into_iter(), 4), " ▁▄█");
        assert_eq!(sparkline([5].into_iter(), 3), "  █");
        assert_eq!(sparkline([0, u64::MAX].into_iter(), 2), " █");
    }

    #[test]
    fn the_selected_row_is_in_sight() {
        assert_eq!(first_in_sight(0, 10, 3), 0);
        assert_eq!(first_in_sight(5, 10, 3), 3);
        assert_eq!(first_in_sight(9, 10, 3), 7);
        assert_eq!(first_in_sight(1, 2, 3), 0);
    }
}
