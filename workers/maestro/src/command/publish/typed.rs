//! One message of any type.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use maestro_protocol::MAX_MESSAGE_BYTES;

use super::Publish;
use super::send::Sender;
use crate::exit::Exit;
use crate::fault::{Fault, Outcome};
use crate::message::{self, Draft};

pub(super) async fn publish(
    command: &Publish,
    message_type: &str,
    data: &str,
    sender: &mut Sender<'_>,
) -> Outcome {
    let draft = draft(command, message_type, payload(data)?)?;
    sender.send(draft, &"--data").await?;
    sender.finish().await?;
    Ok(Exit::Success)
}

fn draft(command: &Publish, message_type: &str, data: String) -> Result<Draft, Fault> {
    let known = message::type_named(message_type);
    let stream = match (&command.stream, known) {
        (Some(stream), _) => stream.clone(),
        (None, Some(known)) => known.stream.to_string(),
        (None, None) => {
            return Err(message::unknown_type(message_type)
                .next("name the stream with --stream, or see `maestro schema`"));
        }
    };
    let name = known.map_or(message_type, |known| known.name);
    let mut fields = command.attributes.fields(name, None, None);
    fields.push(("data".to_owned(), data));
    Ok(Draft { stream, fields })
}

/// The payload: itself, a file's content, or what standard input holds.
fn payload(data: &str) -> Result<String, Fault> {
    if data == "-" {
        return bounded(io::stdin().lock(), Path::new("standard input"));
    }
    match data.strip_prefix('@') {
        Some(path) => {
            let path = Path::new(path);
            let file = File::open(path).map_err(|error| Fault::io(path, "be read", &error))?;
            bounded(file, path)
        }
        None => Ok(data.to_owned()),
    }
}

/// No more than what is refused anyway is read.
pub(crate) fn bounded(source: impl Read, name: &Path) -> Result<String, Fault> {
    let mut bytes = Vec::new();
    source
        .take(4 * MAX_MESSAGE_BYTES as u64)
        .read_to_end(&mut bytes)
        .map_err(|error| Fault::io(name, "be read", &error))?;
    String::from_utf8(bytes).map_err(|error| {
        Fault::data(format!(
            "`{}`: expected UTF-8, but found something else at byte {}",
            name.display(),
            error.utf8_error().valid_up_to()
        ))
    })
}
