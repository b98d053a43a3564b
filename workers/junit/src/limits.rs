//! How much of a report is taken.

/// The bounds within which a report is read.
///
/// What is kept of a report is no larger than its own bytes, apart from a fixed amount for each failure that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of a report; a larger one is not read.
    pub bytes: usize,
    /// The most failing tests that are kept; what comes after them is counted only.
    pub failures: usize,
    /// The most bytes of one failure's text, and of its message; the middle of a longer one is left out.
    pub text: usize,
}

impl Default for Limits {
    /// 64 MiB, 100,000 failures, 64 KiB of text.
    fn default() -> Self {
        Self {
            bytes: 64 * 1024 * 1024,
            failures: 100_000,
            text: 64 * 1024,
        }
    }
}

/// The text, or its beginning and its end: a traceback says most at its end.
pub(crate) fn bounded(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let head = text.floor_char_boundary(most / 4);
    let tail = text.ceil_char_boundary(text.len() - most / 4 * 3);
    let left_out = tail - head;
    format!(
        "{}\n[… {left_out} bytes left out …]\n{}",
        &text[..head],
        &text[tail..]
    )
}

/// The beginning of a text that has no more than so many bytes.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}
