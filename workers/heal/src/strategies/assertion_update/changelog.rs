//! The project's own changelog as evidence: it says that a text of the product was changed on purpose.

use super::{Drift, is_text_of_the_project};
use crate::case::Case;
use crate::roles::Roles;

/// How near to each other the old and the new words stand in one entry, in bytes.
const NEAR: usize = 400;

/// The drift of a text that the product writes, where the changelog tells of it. `was` and `now` are the words in which
/// `expected` and `actual` differ.
pub(super) fn drift(
    case: &Case<'_>,
    roles: &Roles,
    expected: &str,
    actual: &str,
    was: &str,
    now: &str,
) -> Option<Drift> {
    // The product says the new and no longer the old.
    if !is_text_of_the_project(case, roles, now) || is_text_of_the_project(case, roles, was) {
        return None;
    }
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
    Some(Drift {
        was: expected.to_owned(),
        now: actual.to_owned(),
        evidence: format!("{told} tells of the new text, and the product's source has it"),
    })
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
