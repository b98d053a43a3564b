//! `"\d"`: Python has always read an escape that it does not know as a backslash and a letter; since 3.6 it warns of it,
//! and where warnings are errors the file does not compile. Written with two backslashes it is the same string.
//! <https://docs.python.org/3/reference/lexical_analysis.html#escape-sequences>

use super::Repaired;
use crate::source::Source;
use crate::source::edit::{self, Splice};
use crate::strategies::rank;

/// The letters that mean something after a backslash in text; bytes know fewer.
const KNOWN: &str = "\n\r\\'\"abfnrtvx01234567";
const KNOWN_IN_TEXT: &str = "NuU";

pub(super) fn repair(text: &str) -> Option<Repaired> {
    let source = Source::parse(text).filter(|source| source.broken() == 0)?;
    let mut splices = Vec::new();
    for string in source.nodes().filter(|node| node.kind() == "string") {
        let start = string
            .child(0)
            .filter(|child| child.kind() == "string_start")?;
        let prefix = source.slice(start).to_ascii_lowercase();
        if prefix.contains('r') {
            continue;
        }
        let mut cursor = string.walk();
        for content in string
            .children(&mut cursor)
            .filter(|child| child.kind() == "string_content")
        {
            let written = source.slice(content);
            let mut characters = written.char_indices().peekable();
            while let Some((at, character)) = characters.next() {
                if character != '\\' {
                    continue;
                }
                let Some((_, next)) = characters.next() else {
                    break;
                };
                let known =
                    KNOWN.contains(next) || (!prefix.contains('b') && KNOWN_IN_TEXT.contains(next));
                if !known {
                    splices.push(Splice::insert(content.start_byte() + at, "\\"));
                }
            }
        }
    }
    if splices.is_empty() {
        return None;
    }
    let what = format!(
        "{} unknown escapes are written with two backslashes, which is the same string",
        splices.len()
    );
    Some(Repaired {
        text: edit::apply(text, &splices)?,
        what,
        rank: rank::PYTHON_2,
    })
}
