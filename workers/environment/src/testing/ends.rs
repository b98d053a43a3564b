//! The two ends of a text that comes in pieces and may have any length.

use maestro_protocol::environment::Log;

/// Keeps the first and the last bytes of a text, and holds no more than the head and twice the tail.
#[derive(Debug)]
pub(super) struct Ends {
    head: String,
    head_most: usize,
    /// The head took all that it may.
    head_is_full: bool,
    /// The end of what came after the head, and something before it that is not needed.
    tail: String,
    tail_most: usize,
    /// Bytes in all.
    total: u64,
}

impl Ends {
    pub(super) const fn new(head: usize, tail: usize) -> Self {
        Self {
            head: String::new(),
            head_most: head,
            head_is_full: false,
            tail: String::new(),
            tail_most: tail,
            total: 0,
        }
    }

    pub(super) fn push(&mut self, mut text: &str) {
        self.total += text.len() as u64;
        if !self.head_is_full {
            let end = text.floor_char_boundary(self.head_most - self.head.len());
            let (head, rest) = text.split_at(end);
            self.head.push_str(head);
            self.head_is_full = !rest.is_empty();
            text = rest;
        }
        // One more than will be shown tells whether that begins a line.
        let kept = self.tail_most + 1;
        if text.len() > kept {
            self.tail.clear();
            text = &text[text.floor_char_boundary(text.len() - kept)..];
        }
        self.tail.push_str(text);
        if self.tail.len() > 2 * kept {
            let end = self.tail.floor_char_boundary(self.tail.len() - kept);
            self.tail.drain(..end);
        }
    }

    pub(super) fn finish(self) -> Log {
        let Self {
            mut head,
            tail,
            tail_most,
            total,
            ..
        } = self;
        if total - head.len() as u64 <= tail_most as u64 {
            head.push_str(&tail);
            return Log {
                head,
                omitted_bytes: None,
                tail: None,
            };
        }
        head.truncate(last_border(&head));
        let tail = tail[first_border(&tail, tail.len() - tail_most)..].to_owned();
        Log {
            omitted_bytes: Some(total - (head.len() + tail.len()) as u64),
            head,
            tail: Some(tail),
        }
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.head.capacity() + self.tail.capacity()
    }
}

/// Where the last whole line ends; the end of the text if there is no whole line.
pub(super) fn last_border(text: &str) -> usize {
    text.rfind('\n').map_or(text.len(), |at| at + 1)
}

/// Where the first whole line from here on begins; the next character if there is none.
pub(super) fn first_border(text: &str, from: usize) -> usize {
    let from = text.ceil_char_boundary(from);
    let rest = &text[from..];
    match rest.find('\n') {
        _ if from == 0 || text[..from].ends_with('\n') => from,
        Some(at) if at + 1 < rest.len() => from + at + 1,
        _ => from,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(pieces: &[&str], head: usize, tail: usize) -> (String, Option<u64>, Option<String>) {
        let mut ends = Ends::new(head, tail);
        for piece in pieces {
            ends.push(piece);
        }
        let log = ends.finish();
        (log.head, log.omitted_bytes, log.tail)
    }

    #[test]
    fn what_fits_is_kept_whole_and_what_does_not_is_cut_at_its_lines() {
        let whole = |text: &str| (text.to_owned(), None, None);
        assert_eq!(log(&["a\nb\nc\n"], 3, 3), whole("a\nb\nc\n"));
        assert_eq!(log(&[], 3, 3), whole(""));
        let cut = |head: &str, omitted, tail: &str| {
            (head.to_owned(), Some(omitted), Some(tail.to_owned()))
        };
        assert_eq!(log(&["aa\nbb\ncc\ndd\n"], 4, 5), cut("aa\n", 6, "dd\n"));
        assert_eq!(log(&["aa\nbb\ncc\ndd\n"], 3, 6), cut("aa\n", 3, "cc\ndd\n"));
        // Lines that are longer than what may be kept are cut between characters.
        assert_eq!(log(&["ääääääää"], 3, 3), cut("ä", 12, "ä"));
        assert_eq!(log(&["0123456789\n"], 2, 4), cut("01", 5, "789\n"));
    }

    #[test]
    fn it_holds_no_more_than_it_may_whatever_comes() {
        let mut ends = Ends::new(100, 200);
        for piece in ["x", &"y\n".repeat(1000), &"ü".repeat(100_000), "z"] {
            for _ in 0..1000 {
                ends.push(piece);
                assert!(ends.held() <= 2 * 100 + 4 * 201, "{}", ends.held());
            }
        }
    }
}
