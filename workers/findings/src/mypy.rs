//! mypy's JSON: one finding a line. Columns are counted from 0 there.

use maestro_protocol::finding::Level;
use serde::Deserialize;

use crate::finding::Finding;
use crate::json::{Unreadable, counted, typed};
use crate::place::Place;
use crate::report::Gathering;

#[derive(Deserialize)]
struct Entry {
    file: String,
    line: Option<i64>,
    column: Option<i64>,
    message: String,
    hint: Option<String>,
    code: Option<String>,
    severity: Severity,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    Error,
    Warning,
    Note,
}

pub(crate) fn read(text: &str, place: &Place, into: &mut Gathering<'_>) -> Result<(), Unreadable> {
    for (number, line) in text.lines().enumerate() {
        // mypy prints what is wrong with its configuration as text beside.
        if !line.starts_with('{') {
            continue;
        }
        let entry: Entry = typed(line, Some(number + 1))?;
        into.take(Finding {
            tool: "mypy".to_owned(),
            rule: entry.code,
            level: Some(match entry.severity {
                Severity::Error => Level::Error,
                Severity::Warning => Level::Warning,
                Severity::Note => Level::Note,
            }),
            message: entry.message,
            hint: entry.hint.filter(|hint| !hint.trim().is_empty()),
            file: Some(place.file(&entry.file)),
            line: counted(entry.line),
            column: counted(entry.column.map(|column| column.saturating_add(1))),
            ..Finding::default()
        })?;
    }
    Ok(())
}
