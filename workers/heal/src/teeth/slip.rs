//! Which of the possible defects of a file are planted, and in which order; whatever language it is in.

use std::collections::BTreeMap;

use super::Defect;
use crate::source::edit::{Splice, apply};

/// A change of one place: how telling it is (lower is more), the splice, what it is.
pub(crate) struct Slip {
    pub(crate) rank: u32,
    pub(crate) splice: Splice,
    pub(crate) what: String,
}

/// The slips found so far: of each line the most telling one, with the function that it is in.
#[derive(Default)]
pub(crate) struct Slips(BTreeMap<u32, (usize, Slip)>);

impl Slips {
    /// One more, on this line, in the function of this number.
    pub(crate) fn add(&mut self, line: u32, function: usize, slip: Slip) {
        let known = self.0.get(&line);
        if known.is_none_or(|(_, other)| slip.rank < other.rank) {
            self.0.insert(line, (function, slip));
        }
    }

    /// As defects of this text, the most telling first, one of each function before a second of any.
    pub(crate) fn into_defects(self, path: &str, text: &str) -> Vec<Defect> {
        let mut found: Vec<(u32, (usize, Slip))> = self.0.into_iter().collect();
        found.sort_by_key(|(line, (_, slip))| (slip.rank, *line));
        let mut seen: BTreeMap<usize, u32> = BTreeMap::new();
        let mut ordered: Vec<(u32, u32, Slip)> = Vec::new();
        for (line, (function, slip)) in found {
            let turn = seen.entry(function).or_default();
            ordered.push((*turn, line, slip));
            *turn += 1;
        }
        ordered.sort_by_key(|(turn, line, slip)| (*turn, slip.rank, *line));
        let defects = ordered.into_iter().filter_map(|(_, line, slip)| {
            Some(Defect {
                path: path.to_owned(),
                line,
                what: slip.what,
                text: apply(text, std::slice::from_ref(&slip.splice))?,
            })
        });
        defects.collect()
    }
}
