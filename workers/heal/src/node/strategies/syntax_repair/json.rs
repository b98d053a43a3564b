//! JSON that does not parse: a comma before a closing bracket, or none between two members; comments.

use maestro_protocol::heal::Strategy;
use serde_json::Value;

use super::super::rewrite;
use super::is_unmerged;
use crate::case::{Case, Edit, Finding};
use crate::failure::Failure;
use crate::node::manifest;
use crate::strategies::rank;

/// What is offered for the file of JSON that a failure is about; `None` where it is about none.
pub(super) fn findings(case: &Case<'_>, failure: &Failure) -> Option<Vec<Finding>> {
    let path = broken(case, failure)?;
    let text = case.tree.read(&path)?;
    if is_unmerged(&text) {
        return Some(vec![Finding::Refuse(format!(
            "{path} holds the marks of a merge that was not resolved: which side is meant, a person knows"
        ))]);
    }
    let tries: [(&str, String); 3] = [
        ("a comma too many is gone", without_commas(&text)),
        (
            "comments are gone, which JSON has not",
            without_comments(&text),
        ),
        (
            "comments and commas too many are gone",
            without_commas(&without_comments(&text)),
        ),
    ];
    let mut found: Vec<Finding> = Vec::new();
    let mut offer = |description: &str, text: String| {
        if found.is_empty() && serde_json::from_str::<Value>(&text).is_ok() {
            found.push(Finding::Try(rewrite(
                Strategy::SyntaxRepair,
                format!("{path}: {description}"),
                vec![Edit {
                    path: path.clone(),
                    text,
                }],
                rank::CONFIGURATION,
            )));
        }
    };
    for (description, changed) in tries {
        offer(description, changed);
    }
    if let Some(changed) = with_comma(&text) {
        offer("a comma was missing", changed);
    }
    for closing in ["}", "]", "}}", "]}"] {
        offer(
            "a bracket was missing at the end",
            format!("{}\n{closing}\n", text.trim_end()),
        );
    }
    Some(found)
}

/// The file that the message names, or the manifest, where it does not parse.
fn broken(case: &Case<'_>, failure: &Failure) -> Option<String> {
    let about_json = failure.message.contains("JSON")
        || failure.message.contains(".json")
        || failure.code.as_deref() == Some("ERR_INVALID_PACKAGE_CONFIG");
    let said = format!("{} {}", failure.message, failure.text);
    let named = case
        .tree
        .paths()
        .iter()
        .filter(|path| path.strip_suffix(".json").is_some())
        .filter(|path| said.contains(path.as_str()))
        .max_by_key(|path| path.len())
        .map(String::as_str);
    let candidates = [named, Some(manifest::NAME)];
    candidates
        .into_iter()
        .flatten()
        .filter(|_| about_json)
        .find(|path| {
            case.tree.read(path).is_some_and(|text| {
                serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}')).is_err()
            })
        })
        .map(str::to_owned)
}

/// Walks over a text and says of each byte whether it stands outside of strings.
fn outside(text: &str) -> Vec<bool> {
    let mut inside = false;
    let mut escaped = false;
    text.bytes()
        .map(|byte| {
            let was = inside;
            match byte {
                _ if escaped => escaped = false,
                b'\\' if inside => escaped = true,
                b'"' => inside = !inside,
                _ => {}
            }
            !was && !inside
        })
        .collect()
}

/// Without commas that only white space parts from a closing bracket.
fn without_commas(text: &str) -> String {
    let outside = outside(text);
    let mut changed = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        let closes = text[at + character.len_utf8()..]
            .trim_start()
            .starts_with(['}', ']']);
        if !(character == ',' && outside[at] && closes) {
            changed.push(character);
        }
    }
    changed
}

/// Without `// …` and `/* … */`.
fn without_comments(text: &str) -> String {
    let outside = outside(text);
    let mut changed = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(character) = text[at..].chars().next() {
        let rest = &text[at..];
        let end = if !outside[at] {
            None
        } else if rest.starts_with("//") {
            Some(rest.find('\n').unwrap_or(rest.len()))
        } else if rest.starts_with("/*") {
            rest.find("*/").map(|length| length + 2)
        } else {
            None
        };
        if let Some(length) = end {
            at += length;
        } else {
            changed.push(character);
            at += character.len_utf8();
        }
    }
    changed
}

/// With a comma at the end of the line before the one where it does not parse.
fn with_comma(text: &str) -> Option<String> {
    let error = serde_json::from_str::<Value>(text).err()?;
    let before: usize = text
        .split_inclusive('\n')
        .take(error.line().checked_sub(1)?)
        .map(str::len)
        .sum();
    let end = text.get(..before)?.trim_end().len();
    let mut changed = text.to_owned();
    changed.insert(end, ',');
    Some(changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Installed;
    use crate::strategies::fake::{Files, Index, case};

    fn repaired(text: &str) -> Option<String> {
        let failure = Failure {
            message: "Invalid package config /w/package.json.".to_owned(),
            code: Some("ERR_INVALID_PACKAGE_CONFIG".to_owned()),
            ..Failure::default()
        };
        let (tree, index) = (Files::new(&[("package.json", text)]), Index::default());
        let found = findings(
            &case(
                std::slice::from_ref(&failure),
                &tree,
                &Installed::default(),
                &index,
            ),
            &failure,
        )?;
        found.into_iter().find_map(|finding| match finding {
            Finding::Try(candidate) => Some(candidate.edits[0].text.clone()),
            _ => None,
        })
    }

    #[test]
    fn commas_and_comments_that_json_has_not_are_taken_out_and_no_string_is_touched() {
        assert_eq!(
            repaired("{\n  \"a\": [1, 2,],\n  \"b\": \",}\",\n}\n").unwrap(),
            "{\n  \"a\": [1, 2],\n  \"b\": \",}\"\n}\n"
        );
        assert_eq!(
            repaired("{\n  // why\n  \"a\": \"http://x\" /* y */\n}\n").unwrap(),
            "{\n  \n  \"a\": \"http://x\" \n}\n"
        );
    }

    #[test]
    fn a_comma_or_a_bracket_that_is_missing_is_put_in() {
        assert_eq!(
            repaired("{\n  \"a\": 1\n  \"b\": 2\n}\n").unwrap(),
            "{\n  \"a\": 1,\n  \"b\": 2\n}\n"
        );
        assert_eq!(repaired("{\n  \"a\": 1\n").unwrap(), "{\n  \"a\": 1\n}\n");
    }

    #[test]
    fn what_parses_is_none_of_its_business() {
        assert_eq!(repaired("{}"), None);
    }
}
