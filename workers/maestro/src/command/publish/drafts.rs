//! What a report's errors are as messages: each with its id and with what it is about.

use std::path::Path;

use maestro_protocol::Message;
use maestro_protocol::error::ErrorReported;

use super::Publish;
use super::identified::identified;
use crate::fault::Fault;
use crate::message::Draft;

/// An attribute's longest value; longer test ids stand in the payload only.
const MAX_SUBJECT: usize = 1024;

/// The messages of a report's errors.
pub(super) fn drafts(
    command: &Publish,
    file: &Path,
    report: &[u8],
    errors: impl IntoIterator<Item = ErrorReported>,
) -> Result<Vec<Draft>, Fault> {
    identified(errors, report, command.project.run.as_deref())
        .into_iter()
        .map(|(id, error)| {
            let test = error.test.as_ref().map(|test| test.id.clone());
            let found = error
                .finding
                .as_ref()
                .map(|finding| finding.title(error.file.as_deref()));
            let subject = test
                .or(found)
                .filter(|subject| !subject.is_empty() && subject.len() <= MAX_SUBJECT);
            let message = Message::from(error);
            let mut fields =
                command
                    .attributes
                    .fields(message.type_name(), Some(&id), subject.as_deref());
            let data = serde_json::to_string(&message).map_err(|error| {
                Fault::data(format!(
                    "`{}` cannot be written as JSON: {error}",
                    file.display()
                ))
            })?;
            fields.push(("data".to_owned(), data));
            let stream = command
                .stream
                .clone()
                .unwrap_or_else(|| message.stream().to_string());
            Ok(Draft { stream, fields })
        })
        .collect()
}
