//! The project's own changelog as evidence: it says that a text of the product was changed on purpose.

use crate::case::Case;

/// How near to each other the old and the new words stand in one entry, in bytes.
const NEAR: usize = 400;

/// The sentence that says so, where the changelog tells of the change. `was` and `now` are the words in which the text that
/// is `actual` now differs from what it was.
pub(super) fn evidence(case: &Case<'_>, actual: &str, was: &str, now: &str) -> Option<String> {
    let told = case
        .tree
        .paths()
        .iter()
        .filter(|path| is_changelog(path))
        .find(|path| {
            case.tree
                .read(path)
                .is_some_and(|text| tells(&text, actual, was, now))
        })?;
    Some(format!(
        "{told} tells of the new text, and the product's source has it"
    ))
}

pub(super) fn is_changelog(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_uppercase();
    let stem = name.split('.').next().unwrap_or(&name);
    let fragment = path.starts_with("newsfragments/") || path.starts_with("changelog.d/");
    fragment
        || matches!(
            stem,
            "CHANGES"
                | "CHANGELOG"
                | "HISTORY"
                | "NEWS"
                | "RELEASES"
                | "RELEASE_NOTES"
                | "RELEASE-NOTES"
        )
}

/// Whether a changelog says that the text changed: the old words and the new in one entry, or the whole new text.
fn tells(text: &str, actual: &str, was: &str, now: &str) -> bool {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let whole = actual.len() >= 12 && flat.contains(actual);
    let both = flat.match_indices(now).any(|(at, _)| {
        let start = floor(&flat, at.saturating_sub(NEAR));
        let end = floor(&flat, (at + now.len() + NEAR).min(flat.len()));
        flat[start..end].contains(was)
    });
    // One short word occurs in any changelog.
    let telling = now.len() >= 6 && was.len() >= 4;
    whole || both && telling
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
