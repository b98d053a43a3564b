//! JSON Lines on standard input: many messages in one command.

use std::io::{self, BufRead, Read};
use std::path::Path;

use maestro_protocol::MAX_MESSAGE_BYTES;
use serde_json::{Map, Value};

use super::Publish;
use super::send::Sender;
use crate::exit::Exit;
use crate::fault::{Fault, Outcome};
use crate::message::{self, Draft};

/// The most bytes of a line; escapes make a line longer than its message.
const MAX_LINE: u64 = 8 * MAX_MESSAGE_BYTES as u64;

/// Publishes every line that is a message. One that is not is told by its number and does not hold up the others.
pub(super) async fn publish(command: &Publish, sender: &mut Sender<'_>) -> Outcome {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    let mut bad = 0_u64;
    for number in 1_u64.. {
        line.clear();
        let read = input
            .by_ref()
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)
            .map_err(|error| Fault::io(Path::new("standard input"), "be read", &error))?;
        if read == 0 {
            break;
        }
        if read as u64 == MAX_LINE && !line.ends_with(b"\n") {
            return Err(Fault::data(format!(
                "line {number}: more than {MAX_LINE} bytes without an end"
            )));
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let place = format!("line {number}");
        let sent = match draft(command, &line) {
            Ok(draft) => sender.send(draft, &place).await,
            Err(sentence) => Err(Fault::data(format!("{place}: {sentence}"))),
        };
        match sent {
            Ok(()) => {}
            Err(fault) if fault.exit == Exit::Data => {
                bad += 1;
                sender.complain(&fault);
            }
            Err(fault) => return Err(fault),
        }
    }
    sender.finish().await?;
    if bad == 0 {
        return Ok(Exit::Success);
    }
    Err(Fault::data(format!(
        "{bad} lines were not published; the others were"
    )))
}

fn draft(command: &Publish, line: &[u8]) -> Result<Draft, String> {
    let value: Value = serde_json::from_slice(line)
        .map_err(|error| format!("expected a JSON object, but found this: {error}"))?;
    let Value::Object(mut members) = value else {
        return Err("expected a JSON object with `type` and `data`".to_owned());
    };
    let wanted = text(&mut members, "type")?
        .ok_or("member `type`: expected a message type, but found no such member")?;
    let known = message::type_named(&wanted);
    let name = known.map_or(wanted.clone(), |known| known.name.to_owned());
    let stream = match (text(&mut members, "stream")?, known) {
        (Some(stream), _) => stream,
        (None, known) => match (&command.stream, known) {
            (Some(stream), _) => stream.clone(),
            (None, Some(known)) => known.stream.to_string(),
            (None, None) => {
                return Err(format!(
                    "member `type`: `{wanted}` is no message type; `maestro schema` lists them all"
                ));
            }
        },
    };
    let data = members
        .remove("data")
        .ok_or("member `data`: expected a JSON object, but found no such member")?;
    let mut fields = command.attributes.fields(&name, None, None);
    for (attribute, value) in members {
        let Value::String(value) = value else {
            return Err(format!(
                "member `{attribute}`: expected a string, but found {value}"
            ));
        };
        fields.retain(|(field, _)| *field != attribute);
        fields.push((attribute, value));
    }
    fields.push(("data".to_owned(), data.to_string()));
    Ok(Draft { stream, fields })
}

fn text(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(format!(
            "member `{name}`: expected a string, but found {other}"
        )),
    }
}
