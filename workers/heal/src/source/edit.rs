//! Edits by byte range.

use std::ops::Range;

/// New text for a range of bytes of the old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Splice {
    /// Bytes of the old text; empty to insert.
    pub range: Range<usize>,
    /// What stands there instead.
    pub text: String,
}

impl Splice {
    /// Replaces a range.
    pub fn replace(range: Range<usize>, text: impl Into<String>) -> Self {
        Self {
            range,
            text: text.into(),
        }
    }

    /// Inserts at a byte.
    pub fn insert(at: usize, text: impl Into<String>) -> Self {
        Self {
            range: at..at,
            text: text.into(),
        }
    }
}

/// The text with all splices applied. The same splice said twice counts once; splices that contradict one
/// another (overlap), or cut a character in two, make it `None`.
pub fn apply(text: &str, splices: &[Splice]) -> Option<String> {
    let mut ordered: Vec<&Splice> = splices.iter().collect();
    // A stable sort: insertions at one place keep the order in which they were asked for.
    ordered.sort_by_key(|splice| (splice.range.start, splice.range.end));
    ordered.dedup();
    let mut result = String::with_capacity(text.len() + 64);
    let mut done = 0;
    for splice in ordered {
        result.push_str(text.get(done..splice.range.start)?);
        result.push_str(&splice.text);
        text.get(splice.range.clone())?;
        done = splice.range.end;
    }
    result.push_str(text.get(done..)?);
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splices_apply_in_the_order_of_the_text_and_leave_the_rest_alone() {
        let splices = [
            Splice::replace(4..5, "Y"),
            Splice::insert(0, "x"),
            Splice::insert(0, "x"),
        ];
        assert_eq!(
            apply("a\r\n b\r\n", &splices).as_deref(),
            Some("xa\r\n Y\r\n")
        );
    }

    #[test]
    fn splices_that_overlap_are_refused() {
        assert_eq!(
            apply(
                "abcd",
                &[Splice::replace(0..3, "x"), Splice::replace(2..4, "y")]
            ),
            None
        );
    }
}
