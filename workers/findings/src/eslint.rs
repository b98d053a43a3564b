//! eslint's JSON: an array of files, each with its messages. What comments in the source suppress stands apart.

use maestro_protocol::finding::Level;
use serde::Deserialize;

use crate::finding::Finding;
use crate::json::{Unreadable, counted, or_default, typed};
use crate::place::Place;
use crate::report::Gathering;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Linted {
    file_path: String,
    messages: Vec<Minded>,
    #[serde(default, deserialize_with = "or_default")]
    suppressed_messages: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Minded {
    /// None where the file does not parse, or is not linted.
    rule_id: Option<String>,
    severity: u8,
    message: String,
    line: Option<i64>,
    column: Option<i64>,
}

pub(crate) fn read(text: &str, place: &Place, into: &mut Gathering<'_>) -> Result<(), Unreadable> {
    let files: Vec<Linted> = typed(text, None)?;
    for file in files {
        into.left_out().suppressed += file.suppressed_messages.len();
        let path = place.file(&file.file_path);
        for message in file.messages {
            into.take(Finding {
                tool: "eslint".to_owned(),
                rule: message.rule_id,
                level: Some(if message.severity >= 2 {
                    Level::Error
                } else {
                    Level::Warning
                }),
                message: message.message,
                file: Some(path.clone()),
                line: counted(message.line),
                column: counted(message.column),
                ..Finding::default()
            })?;
        }
    }
    Ok(())
}
