//! Text that came from elsewhere, made fit for a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::Duration;

/// Text whose control characters are written out: nothing that a message carries can move the cursor,
/// recolour the screen or answer a terminal's question. Line ends and tabs stay.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            // Marks that turn the direction of writing can make a diff read differently from what it is.
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(harmful) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if harmful(c) {
            let _ = write!(clean, "{}", c.escape_unicode());
        } else {
            clean.push(c);
        }
    }
    Cow::Owned(clean)
}

/// A span of time in the unit that fits: `12 ms`, `3.4 s`, `5 min 3 s`, `2 h 5 min`, `3 d 4 h`.
pub(crate) fn duration(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 => format!("{} ms", span.as_millis()),
        1..60 => format!("{}.{} s", seconds, span.subsec_millis() / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_send_escape_sequences_to_the_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\r\n\tc"), "a\\u{1b}[2Jb\\u{d}\n\tc");
        assert_eq!(harmless("if \u{202e}x"), "if \\u{202e}x");
        assert!(matches!(harmless("plain ünï\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_span_is_written_in_the_unit_that_fits() {
        assert_eq!(duration(Duration::from_millis(12)), "12 ms");
        assert_eq!(duration(Duration::from_millis(3456)), "3.4 s");
        assert_eq!(duration(Duration::from_secs(303)), "5 min 3 s");
        assert_eq!(duration(Duration::from_mins(125)), "2 h 5 min");
        assert_eq!(duration(Duration::from_hours(76)), "3 d 4 h");
    }
}
