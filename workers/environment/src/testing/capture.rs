//! A log, taken in as it comes.

use maestro_entry::block::{self, Line, MAX_LINE, MAX_REPORT, PREFIX};
use maestro_protocol::environment::Log;

use super::collector::Collector;
use super::ends::Ends;
use super::plain::Plain;
use super::unpack::ReportError;

/// How much of a log is kept. All in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of its beginning.
    pub head: usize,
    /// Of its end.
    pub tail: usize,
    /// Of the report in it, unpacked; what `maestro-entry run --max-report` is told.
    pub report: usize,
}

impl Default for Limits {
    /// 32 KiB, 64 KiB, 4 MiB.
    fn default() -> Self {
        Self {
            head: 32 * 1024,
            tail: 64 * 1024,
            report: MAX_REPORT,
        }
    }
}

/// Takes in a log from its beginning, in pieces that may be cut anywhere.
///
/// It holds the head, twice the tail, one compressed report, and one line, whatever the log holds. A log that is
/// followed anew from its beginning wants a new capture.
#[derive(Debug)]
pub struct LogCapture {
    /// The beginning of a line that may be one of a block.
    line: Vec<u8>,
    /// The rest of the line is text, whatever it holds.
    passing: bool,
    /// An empty line was met, of which the next line tells whether it belongs to a block.
    blank: bool,
    plain: Plain,
    ends: Ends,
    collector: Collector,
    /// Text on its way from one to the other.
    text: String,
}

impl LogCapture {
    /// One that has met nothing yet.
    pub const fn new(limits: Limits) -> Self {
        Self {
            line: Vec::new(),
            passing: false,
            blank: false,
            plain: Plain::new(),
            ends: Ends::new(limits.head, limits.tail),
            collector: Collector::new(limits.report),
            text: String::new(),
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = if self.passing {
                self.pass(bytes)
            } else {
                self.gather(bytes)
            };
        }
    }

    /// What is kept, now that the log has ended.
    pub fn finish(mut self) -> Captured {
        if !self.passing {
            self.line();
        }
        if self.blank {
            self.show(b"\n");
        }
        self.plain.finish(&mut self.text);
        self.ends.push(&self.text);
        Captured {
            log: self.ends.finish(),
            report: self.collector.finish(),
        }
    }

    /// Text up to the end of the line.
    fn pass<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (line, rest) = split(bytes, usize::MAX);
        self.show(line);
        self.passing = !line.ends_with(b"\n");
        rest
    }

    /// What may be a line of a block, until it shows that it is none, or ends.
    fn gather<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let room = MAX_LINE + 1 - self.line.len();
        let (piece, rest) = split(bytes, room);
        self.line.extend_from_slice(piece);
        let compared = self.line.len().min(PREFIX.len());
        if self.line.ends_with(b"\n") {
            self.line();
        } else if self.line[..compared] != PREFIX.as_bytes()[..compared]
            || self.line.len() > MAX_LINE
        {
            self.release();
            self.passing = true;
        }
        rest
    }

    /// A whole line, or the last one without its end.
    fn line(&mut self) {
        let line = std::mem::take(&mut self.line);
        match block::parse(line.strip_suffix(b"\n").unwrap_or(&line)) {
            Some((nonce, said)) => {
                // A block begins with the end of the line before, which may have had one.
                if matches!(said, Line::Begin | Line::None(_)) {
                    self.blank = false;
                }
                self.collector.take(nonce, said);
            }
            None if line == b"\n" => {
                if std::mem::replace(&mut self.blank, true) {
                    self.show_text(b"\n");
                }
            }
            None => self.show(&line),
        }
        self.reuse(line);
    }

    fn release(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.show(&line);
        self.reuse(line);
    }

    fn reuse(&mut self, mut line: Vec<u8>) {
        line.clear();
        self.line = line;
    }

    fn show(&mut self, bytes: &[u8]) {
        if std::mem::take(&mut self.blank) {
            self.show_text(b"\n");
        }
        self.show_text(bytes);
    }

    fn show_text(&mut self, bytes: &[u8]) {
        // Piece by piece, so that what is on its way is bounded as well.
        for piece in bytes.chunks(8 * 1024) {
            self.plain.push(piece, &mut self.text);
            self.ends.push(&self.text);
            self.text.clear();
        }
    }

    #[cfg(test)]
    fn held(&self) -> usize {
        self.line.capacity() + self.text.capacity() + self.ends.held() + self.collector.held()
    }
}

/// The bytes up to the end of the line, but no more than so many; and the rest.
fn split(bytes: &[u8], most: usize) -> (&[u8], &[u8]) {
    let bounded = &bytes[..bytes.len().min(most)];
    let end = bounded
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(bounded.len(), |at| at + 1);
    bytes.split_at(end)
}

/// What is kept of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// Its two ends as plain text, without the report. What is left out is counted in bytes of that text.
    pub log: Log,
    /// The JUnit report that was in it.
    pub report: Result<Vec<u8>, ReportError>,
}

impl Captured {
    /// The last lines of the log, at most so many bytes of them; the beginning of a longer line is left out.
    pub fn excerpt(&self, lines: usize, bytes: usize) -> String {
        let text = self
            .log
            .tail
            .as_deref()
            .unwrap_or(&self.log.head)
            .trim_end();
        let start = text
            .rmatch_indices('\n')
            .nth(lines.saturating_sub(1))
            .map_or(0, |(at, _)| at + 1);
        let text = if lines == 0 { "" } else { &text[start..] };
        let from = text.len().saturating_sub(bytes);
        text[super::ends::first_border(text, from)..].to_owned()
    }
}

#[cfg(test)]
#[path = "capture_tests.rs"]
mod tests;
