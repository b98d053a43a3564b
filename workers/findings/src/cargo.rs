//! The JSON lines of cargo and of rustc. Cargo's have rustc's inside, and much else beside; what its programs print may stand
//! between them.

use maestro_protocol::finding::Level;
use serde::Deserialize;

use crate::detect::Format;
use crate::finding::Finding;
use crate::json::{Unreadable, or_default, typed};
use crate::place::Place;
use crate::report::Gathering;

#[derive(Deserialize)]
struct Line {
    message: Diagnostic,
}

#[derive(Deserialize)]
struct Diagnostic {
    message: String,
    #[serde(default)]
    code: Option<Code>,
    level: String,
    #[serde(default, deserialize_with = "or_default")]
    spans: Vec<Span>,
    #[serde(default)]
    rendered: Option<String>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

#[derive(Deserialize)]
struct Span {
    file_name: String,
    line_start: u32,
    column_start: u32,
    #[serde(default)]
    is_primary: bool,
    #[serde(default)]
    label: Option<String>,
}

pub(crate) fn read(
    text: &str,
    format: Format,
    place: &Place,
    into: &mut Gathering<'_>,
) -> Result<(), Unreadable> {
    for (number, line) in text.lines().enumerate() {
        if !line.starts_with('{') {
            continue;
        }
        let number = Some(number + 1);
        let diagnostic = if format == Format::Cargo {
            let reason: Reason = typed(line, number)?;
            if reason.reason != "compiler-message" {
                continue;
            }
            let line: Line = typed(line, number)?;
            Some(line.message)
        } else {
            // Artifacts and what is expected by lints have other members.
            let kind: Kind = typed(line, number)?;
            match kind.kind.as_deref() {
                None | Some("diagnostic") => Some(typed(line, number)?),
                Some(_) => None,
            }
        };
        if let Some(finding) = diagnostic.and_then(|diagnostic| finding(diagnostic, place)) {
            into.take(finding)?;
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Reason {
    reason: String,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "$message_type")]
    kind: Option<String>,
}

/// `None` of what only sums up: "aborting due to 2 previous errors".
fn finding(diagnostic: Diagnostic, place: &Place) -> Option<Finding> {
    let rule = diagnostic.code.map(|code| code.code);
    let primary = diagnostic
        .spans
        .iter()
        .find(|span| span.is_primary)
        .or(diagnostic.spans.first());
    if rule.is_none() && primary.is_none() {
        return None;
    }
    let label = primary.and_then(|span| span.label.as_deref());
    let message = match label.map(str::trim).filter(|label| !label.is_empty()) {
        Some(label) => format!("{}: {label}", diagnostic.message),
        None => diagnostic.message,
    };
    let clippy = rule
        .as_deref()
        .is_some_and(|rule| rule.starts_with("clippy::"));
    Some(Finding {
        tool: if clippy { "clippy" } else { "rustc" }.to_owned(),
        rule,
        level: Some(match diagnostic.level.as_str() {
            level if level.starts_with("error") => Level::Error,
            "warning" => Level::Warning,
            _ => Level::Note,
        }),
        message,
        // Code of a macro of the compiler's own stands in no file: `<anon>`.
        file: primary
            .filter(|span| !span.file_name.starts_with('<'))
            .map(|span| place.file(&span.file_name)),
        line: primary.map(|span| span.line_start),
        column: primary.map(|span| span.column_start),
        text: diagnostic.rendered,
        ..Finding::default()
    })
}
