//! The project's own commits as evidence: one changed a text of the product, and says that it was meant.

use super::changelog::is_changelog;
use crate::case::Case;
use crate::past::{Change, Commit};
use crate::roles::{Role, Roles};

/// The sentence that says so, where one commit replaced a text of the product and its message or the changelog's lines in it
/// tell of that. `was` and `now` are the words in which the text that is `actual` now differs from what it was.
pub(super) fn evidence(
    case: &Case<'_>,
    roles: &Roles,
    actual: &str,
    was: &str,
    now: &str,
) -> Option<String> {
    let telling = |commit: &Commit| {
        let changes = case.past.changes(commit);
        let change = changes
            .iter()
            .find(|change| roles.of(&change.path) == Role::Product && replaces(change, was, now))?;
        let message = case.past.message(commit);
        let says = if tells(&message, actual, was, now) {
            "says so"
        } else if changes
            .iter()
            .filter(|change| is_changelog(&change.path))
            .any(|change| tells(&change.now.join("\n"), actual, was, now))
        {
            "tells of it in the changelog"
        } else {
            return None;
        };
        let place = format!("{}:{}", change.path, change.line);
        Some(format!(
            "commit {} of {} changed the text at {place} and {says} (\"{}\")",
            commit.id.get(..12).unwrap_or(&commit.id),
            commit.authored.get(..10).unwrap_or(&commit.authored),
            commit.subject.chars().take(120).collect::<String>()
        ))
    };
    case.past.moving(was).iter().find_map(telling)
}

/// Whether a change takes the old words away and puts the new in their place.
fn replaces(change: &Change, was: &str, now: &str) -> bool {
    let has = |lines: &[String], text: &str| lines.iter().any(|line| line.contains(text));
    has(&change.was, was) && has(&change.now, now) && !has(&change.now, was)
}

/// Whether a text says that the wording changed: the new words in it, or the whole new text. Which words were there before need not be said: the
/// commit itself shows it. A word that any message may have is no telling one.
fn tells(text: &str, actual: &str, was: &str, now: &str) -> bool {
    let flat = text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase();
    let has = |words: &str| has_words(&flat, &words.to_lowercase());
    let whole = actual.len() >= 12 && flat.contains(&actual.to_lowercase());
    whole || (now.len() >= 6 || was.len() >= 4 && has(was)) && has(now)
}

/// Whether words stand in a text, not as a part of others.
fn has_words(text: &str, words: &str) -> bool {
    let is_part = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(words).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + words.len()..].chars().next();
        !is_part(before) && !is_part(after)
    })
}
