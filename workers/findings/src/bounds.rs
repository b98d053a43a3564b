//! How much of a report is taken.

/// The bounds within which a report is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of a report; a larger one is not read.
    pub bytes: usize,
    /// The most findings of a report; one with more is not taken.
    pub findings: usize,
    /// The most bytes of a finding's message; the rest is cut.
    pub message: usize,
    /// The most bytes of what a tool printed about a finding; the rest is cut.
    pub text: usize,
}

impl Default for Limits {
    /// 64 MiB, 100,000 findings, 8 KiB of message, 64 KiB of text.
    fn default() -> Self {
        Self {
            bytes: 64 * 1024 * 1024,
            findings: 100_000,
            message: 8 * 1024,
            text: 64 * 1024,
        }
    }
}

/// The beginning of a text that has no more than so many bytes.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// The most characters that a message of the protocol takes in a name.
const NAME: usize = 4096;

/// A name that a message may carry; `None` where nothing is left of it.
pub(crate) fn named(text: &str) -> Option<String> {
    let name: String = text
        .trim()
        .replace('\0', "\u{fffd}")
        .chars()
        .take(NAME)
        .collect();
    (!name.is_empty()).then_some(name)
}
