//! ruff's JSON: an array of findings, or one of them a line (`json-lines`).

use maestro_protocol::finding::Level;
use serde::Deserialize;

use crate::finding::Finding;
use crate::json::{Unreadable, counted, typed};
use crate::place::Place;
use crate::report::Gathering;

#[derive(Deserialize)]
struct Entry {
    /// None for a file that does not parse, in versions before 0.8.
    code: Option<String>,
    message: String,
    filename: String,
    location: Location,
}

#[derive(Deserialize)]
struct Location {
    row: Option<i64>,
    column: Option<i64>,
}

pub(crate) fn read(text: &str, place: &Place, into: &mut Gathering<'_>) -> Result<(), Unreadable> {
    if text.trim_start().starts_with('[') {
        let entries: Vec<Entry> = typed(text, None)?;
        return entries
            .into_iter()
            .try_for_each(|entry| into.take(finding(entry, place)));
    }
    for (number, line) in text.lines().enumerate() {
        if !line.trim().is_empty() {
            into.take(finding(typed(line, Some(number + 1))?, place))?;
        }
    }
    Ok(())
}

fn finding(entry: Entry, place: &Place) -> Finding {
    Finding {
        tool: "ruff".to_owned(),
        rule: entry.code,
        // Every rule that is switched on fails the run.
        level: Some(Level::Error),
        message: entry.message,
        file: Some(place.file(&entry.filename)),
        line: counted(entry.location.row),
        column: counted(entry.location.column),
        ..Finding::default()
    }
}
