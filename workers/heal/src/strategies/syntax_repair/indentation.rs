//! Indentation that Python 3 refuses: tabs mixed with spaces, and a line that stands between two levels.

use std::collections::BTreeSet;

use super::Repaired;
use crate::source::Source;
use crate::strategies::rank;

/// Python 2 read a tab as reaching to the next multiple of eight
/// (<https://docs.python.org/2/reference/lexical_analysis.html#indentation>).
const TAB: usize = 8;

pub(super) fn repair(text: &str, line: Option<u32>) -> Vec<Repaired> {
    let inside = lines_inside_strings(text);
    mixed_tabs(text, &inside)
        .or_else(|| level(text, line?, &inside))
        .into_iter()
        .collect()
}

fn mixed_tabs(text: &str, inside: &BTreeSet<usize>) -> Option<Repaired> {
    let indents = || {
        text.lines()
            .enumerate()
            .filter(|(at, _)| !inside.contains(at))
            .map(|(_, line)| indent(line))
    };
    let tabs = indents().any(|indent| indent.contains('\t'));
    let spaces = indents().any(|indent| indent.contains(' '));
    if !(tabs && spaces) {
        return None;
    }
    let mut expanded = String::with_capacity(text.len() * 2);
    for (at, line) in text.split_inclusive('\n').enumerate() {
        let white = indent(line);
        if inside.contains(&at) {
            expanded.push_str(line);
        } else {
            expanded.push_str(&" ".repeat(width(white)));
            expanded.push_str(&line[white.len()..]);
        }
    }
    (expanded != text && super::is_sound(&expanded)).then(|| Repaired {
        text: expanded,
        what: "indentation mixed tabs and spaces; tabs are spaces now, by Python 2's rule of eight columns".to_owned(),
        rank: rank::PYTHON_2,
    })
}

/// A line off by a column or two goes to the level nearest to it, of those that the lines around it have.
fn level(text: &str, line: u32, inside: &BTreeSet<usize>) -> Option<Repaired> {
    let at = usize::try_from(line).ok()?.checked_sub(1)?;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let broken = *lines.get(at)?;
    let here = width(indent(broken));
    let levels: BTreeSet<usize> = lines
        .iter()
        .enumerate()
        .filter(|(other, line)| {
            *other != at
                && other.abs_diff(at) <= 20
                && !inside.contains(other)
                && !line.trim().is_empty()
        })
        .map(|(_, line)| width(indent(line)))
        .collect();
    let nearest = levels
        .iter()
        .copied()
        .filter(|level| *level != here)
        .min_by_key(|level| level.abs_diff(here))?;
    let ties = levels
        .iter()
        .filter(|level| **level != here && level.abs_diff(here) == nearest.abs_diff(here))
        .count();
    if ties > 1 || nearest.abs_diff(here) > 2 {
        return None;
    }
    let moved = format!("{}{}", " ".repeat(nearest), &broken[indent(broken).len()..]);
    let mut new: String = lines[..at].concat();
    new.push_str(&moved);
    new.push_str(&lines[at + 1..].concat());
    (super::is_sound(&new)).then(|| Repaired {
        text: new,
        what: format!(
            "line {line} stood between two levels of indentation; it stands on the nearer one now"
        ),
        rank: rank::ONE_CHARACTER,
    })
}

fn indent(line: &str) -> &str {
    let end = line.find(|c| c != ' ' && c != '\t').unwrap_or(line.len());
    &line[..end]
}

fn width(indent: &str) -> usize {
    indent.chars().fold(0, |column, c| {
        if c == '\t' {
            (column / TAB + 1) * TAB
        } else {
            column + 1
        }
    })
}

/// Lines that begin inside a string or a bracket: their white space is not indentation.
fn lines_inside_strings(text: &str) -> BTreeSet<usize> {
    let Some(source) = Source::parse(text) else {
        return BTreeSet::new();
    };
    source
        .nodes()
        .filter(|node| node.kind() == "string")
        .flat_map(|node| node.start_position().row + 1..=node.end_position().row)
        .collect()
}
