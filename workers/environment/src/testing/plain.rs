//! Bytes of a log as text that can be shown anywhere.
//!
//! Bytes that are not UTF-8 become U+FFFD. Escape sequences of terminals (ECMA-48: colours, cursor, titles, links) are
//! taken out, other control characters become visible, a carriage return ends a line. What turns the direction of writing
//! becomes U+FFFD as well: it can make a text read differently from what it is.

/// The text, made plain.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = Plain::new();
    let mut out = String::with_capacity(text.len());
    plain.push(text.as_bytes(), &mut out);
    plain.finish(&mut out);
    out
}

/// The beginning of a text, at most so many bytes of it, and a sign where something is left out.
pub(super) fn beginning(text: &str, most: usize) -> String {
    const SIGN: &str = " …";
    if text.len() <= most {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(most.saturating_sub(SIGN.len()));
    format!("{}{SIGN}", &text[..end])
}

/// Takes bytes as they come, cut anywhere.
#[derive(Debug)]
pub(super) struct Plain {
    /// The beginning of a character of which the rest has not come: at most three bytes.
    unfinished: Vec<u8>,
    place: Place,
    /// A carriage return was the last.
    returned: bool,
    at_start_of_line: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Text,
    /// After the escape character.
    Escape,
    /// In a control sequence: parameters until a final character.
    Sequence,
    /// In a string for the terminal, such as a title; it ends with BEL or with ESC and a backslash.
    String,
    /// After an escape character in such a string.
    StringEscape,
}

impl Plain {
    pub(super) const fn new() -> Self {
        Self {
            unfinished: Vec::new(),
            place: Place::Text,
            returned: false,
            at_start_of_line: true,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8], out: &mut String) {
        if self.unfinished.is_empty() {
            return self.decode(bytes, out);
        }
        // A character has at most four bytes, so that after three more either it is whole or it never will be.
        let (some, rest) = bytes.split_at(bytes.len().min(3));
        let mut joined = std::mem::take(&mut self.unfinished);
        joined.extend_from_slice(some);
        self.decode(&joined, out);
        if !rest.is_empty() {
            self.push(rest, out);
        }
    }

    pub(super) fn finish(&mut self, out: &mut String) {
        if !std::mem::take(&mut self.unfinished).is_empty() {
            self.character(char::REPLACEMENT_CHARACTER, out);
        }
    }

    fn decode(&mut self, mut bytes: &[u8], out: &mut String) {
        loop {
            let (valid, skipped) = match std::str::from_utf8(bytes) {
                Ok(text) => return self.text(text, out),
                Err(error) => (error.valid_up_to(), error.error_len()),
            };
            let (valid, rest) = bytes.split_at(valid);
            // Checked a moment ago, and cheaper than to do without the check.
            self.text(&String::from_utf8_lossy(valid), out);
            let Some(skipped) = skipped else {
                self.unfinished = rest.to_vec();
                return;
            };
            self.character(char::REPLACEMENT_CHARACTER, out);
            bytes = &rest[skipped..];
        }
    }

    fn text(&mut self, text: &str, out: &mut String) {
        for c in text.chars() {
            self.character(c, out);
        }
    }

    fn character(&mut self, c: char, out: &mut String) {
        match (self.place, c) {
            (Place::Escape, '[') => self.place = Place::Sequence,
            (Place::Escape, ']' | 'P' | 'X' | '^' | '_') => self.place = Place::String,
            // Intermediate characters, then a final one.
            (Place::Escape, ' '..='/') | (Place::Sequence, ' '..='?') => {}
            (Place::Escape, '0'..='~') | (Place::Sequence, '@'..='~') => self.place = Place::Text,
            (Place::String, '\u{1b}') => self.place = Place::StringEscape,
            (Place::String, '\u{7}' | '\u{9c}') | (Place::StringEscape, '\\') => {
                self.place = Place::Text;
            }
            // No sequence goes beyond its line: one that is never ended must not swallow the log.
            (Place::String, other) if other != '\n' => {}
            (Place::StringEscape, _) => {
                self.place = Place::Escape;
                self.character(c, out);
            }
            _ => {
                self.place = Place::Text;
                self.shown(c, out);
            }
        }
    }

    fn shown(&mut self, c: char, out: &mut String) {
        match c {
            '\u{1b}' => return self.place = Place::Escape,
            '\u{9b}' => return self.place = Place::Sequence,
            '\r' => return self.returned = true,
            _ => {}
        }
        // Progress bars go back to the start of their line: each state of one becomes a line.
        if std::mem::take(&mut self.returned) && c != '\n' && !self.at_start_of_line {
            out.push('\n');
        }
        out.push(visible(c));
        self.at_start_of_line = c == '\n';
    }
}

fn visible(c: char) -> char {
    let code = u32::from(c);
    match c {
        '\n' | '\t' => c,
        // Each of these has a picture: U+2400 and on.
        '\0'..='\u{1f}' => char::from_u32(0x2400 + code).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            char::REPLACEMENT_CHARACTER
        }
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_log_holds_reaches_a_terminal_as_a_command() {
        for (from, to) in [
            ("plain ünï\n\tx", "plain ünï\n\tx"),
            ("\u{1b}[1;31mred\u{1b}[0m end", "red end"),
            (
                "\u{1b}]0;title\u{7}a\u{1b}]8;;http://x\u{1b}\\link",
                "alink",
            ),
            ("a\u{1b}(Bb\u{1b}7c", "abc"),
            ("\u{9b}2Ja", "a"),
            ("a\0b\u{8}c\u{7f}", "a␀b␈c␡"),
            ("if \u{202e}x\u{85}", "if \u{fffd}x\u{fffd}"),
            ("\u{1b}]never ended\nnext", "\nnext"),
            ("\u{1b}[31\nnext", "\nnext"),
            ("\u{1b}[31ü", "ü"),
            ("\u{1b}", ""),
        ] {
            assert_eq!(plain(from), to, "{from:?}");
        }
    }

    #[test]
    fn a_carriage_return_ends_a_line_once() {
        for (from, to) in [
            ("a\r\nb\r\n", "a\nb\n"),
            ("10%\r20%\r\r30%\n", "10%\n20%\n30%\n"),
            ("\r\rfirst\rsecond\r", "first\nsecond"),
            ("a\r\u{1b}[Kb", "a\nb"),
        ] {
            assert_eq!(plain(from), to, "{from:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_replaced_as_the_standard_library_does_it() {
        for bytes in [
            b"a\xffb\xc3".as_slice(),
            b"\xe2\x82",
            b"\xe2\x82\xac\xf0\x9f\x98",
            b"\xf0\x9f\xf0\x9f\x98\x80",
            b"\xed\xa0\x80x",
        ] {
            let mut plain = Plain::new();
            let mut out = String::new();
            for byte in bytes {
                plain.push(&[*byte], &mut out);
            }
            plain.finish(&mut out);
            assert_eq!(out, String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_long_text_keeps_its_beginning() {
        assert_eq!(beginning("abc", 3), "abc");
        assert_eq!(beginning("äbcdefgh", 7), "äb …");
    }
}
