//! From a typed message to the fields of a stream entry.

use serde_json::{Map, Value};

use crate::MAX_MESSAGE_BYTES;
use crate::envelope::{Envelope, SPEC_VERSION};
use crate::message::Message;
use crate::refusal::{DeadReason, Refusal};

/// The fields of a message, in the order in which they are written.
///
/// A message that a reader would refuse is refused here: one that violates its type, and one that is too long.
pub fn encode(envelope: &Envelope, message: &Message) -> Result<Vec<(String, String)>, Refusal> {
    encode_forwarding(envelope, message, &Map::new())
}

/// As [`encode()`], with the members of the `data` that came in.
///
/// A member that the message has itself wins; one that it does not have is kept, at whatever depth. So this
/// serves messages that hand their cause on, such as `heal.requested` the members of `error.reported`; a member
/// that the message left out on purpose would come back.
pub fn encode_forwarding(
    envelope: &Envelope,
    message: &Message,
    members: &Map<String, Value>,
) -> Result<Vec<(String, String)>, Refusal> {
    message.check()?;
    let unwritable = |error: serde_json::Error| {
        Refusal::new(
            DeadReason::Invalid,
            format!(
                "`data` of `{}` cannot be written as JSON: {error}",
                message.type_name()
            ),
        )
    };
    let data = if members.is_empty() {
        serde_json::to_string(message).map_err(unwritable)?
    } else {
        let mut data = Value::Object(members.clone());
        lay_over(
            &mut data,
            serde_json::to_value(message).map_err(unwritable)?,
        );
        data.to_string()
    };
    let fields = fields(envelope, message.type_name(), data);
    let bytes = fields
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if bytes > MAX_MESSAGE_BYTES {
        return Err(Refusal::oversized(bytes));
    }
    Ok(fields)
}

fn fields(envelope: &Envelope, message_type: &str, data: String) -> Vec<(String, String)> {
    let time = |time: &Option<jiff::Timestamp>| time.as_ref().map(ToString::to_string);
    let attributes = [
        ("specversion", Some(SPEC_VERSION.to_owned())),
        ("type", Some(message_type.to_owned())),
        ("id", envelope.id.clone()),
        ("source", envelope.source.clone()),
        ("subject", envelope.subject.clone()),
        ("time", time(&envelope.time)),
        ("correlationid", envelope.correlationid.clone()),
        ("causationid", envelope.causationid.clone()),
        ("traceparent", envelope.traceparent.clone()),
        ("tracestate", envelope.tracestate.clone()),
        ("expirytime", time(&envelope.expirytime)),
        ("notbefore", time(&envelope.notbefore)),
        ("partitionkey", envelope.partitionkey.clone()),
    ];
    attributes
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| (name.to_owned(), value)))
        .chain(envelope.extra.iter().cloned())
        .chain([("data".to_owned(), data)])
        .collect()
}

fn lay_over(below: &mut Value, above: Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (name, value) in above {
                match below.get_mut(&name) {
                    Some(under) => lay_over(under, value),
                    None => {
                        below.insert(name, value);
                    }
                }
            }
        }
        (Value::Array(below), Value::Array(above)) if below.len() == above.len() => {
            for (under, value) in below.iter_mut().zip(above) {
                lay_over(under, value);
            }
        }
        (below, above) => *below = above,
    }
}
