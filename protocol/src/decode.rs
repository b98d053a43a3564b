//! From the fields of a stream entry to a typed message, or to the reason why not.
//!
//! A tolerant reader: unknown fields and unknown members are kept, and a trace context that cannot be read is
//! dropped. What is missing, ill-typed or ambiguous is never guessed. A field that the contract names may stand
//! there once only, because nothing says which of two would be meant; of two members of one name in
//! `data` the last counts, as in most readers of JSON.

use serde_json::{Map, Value};

use crate::MAX_MESSAGE_BYTES;
use crate::envelope::{Envelope, Taken};
use crate::expectation::{misfit_sentence, misplaced_array};
use crate::message::{Inbound, Message, Type};
use crate::refusal::{DeadReason, Refusal};
use crate::stream::Stream;
use crate::violation::{Quoted, described};

/// A message that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded<T> {
    /// The attributes beside the payload.
    pub envelope: Envelope,
    /// What was said.
    pub payload: T,
    /// `data` as it came, with the members that the type does not name.
    pub members: Map<String, Value>,
}

impl<T> Decoded<T> {
    /// The same message with its payload as something else.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Decoded<U> {
        Decoded {
            envelope: self.envelope,
            payload: change(self.payload),
            members: self.members,
        }
    }
}

/// Reads a message of any type.
pub fn decode<'a>(
    fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
) -> Result<Decoded<Message>, Refusal> {
    Entry::read(fields)?.decode(None)
}

/// Reads a message from a stream; one that belongs on another stream is refused.
pub fn decode_on<'a>(
    stream: Stream,
    fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
) -> Result<Decoded<Message>, Refusal> {
    Entry::read(fields)?.decode(Some(stream))
}

/// Reads a message of the types that one reader takes, from their stream.
pub fn decode_as<'a, T: Inbound>(
    fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
) -> Result<Decoded<T>, Refusal> {
    let Decoded {
        envelope,
        payload,
        members,
    } = decode_on(T::STREAM, fields)?;
    let payload = T::from_message(payload).map_err(|other| {
        let expected = format!("a message type that is handled on `{}`", T::STREAM);
        Refusal::field("type", &expected, Quoted(other.type_name()))
    })?;
    Ok(Decoded {
        envelope,
        payload,
        members,
    })
}

/// The fields of an entry, sorted.
struct Entry<'a> {
    envelope: Envelope,
    message_type: &'a str,
    data: &'a str,
}

impl<'a> Entry<'a> {
    fn read(fields: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Result<Self, Refusal> {
        let fields: Vec<_> = fields.into_iter().collect();
        let bytes = fields
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if bytes > MAX_MESSAGE_BYTES {
            return Err(Refusal::oversized(bytes));
        }
        let mut envelope = Envelope::default();
        let mut message_type = None;
        let mut data = None;
        let mut seen = Vec::new();
        for (name, value) in fields {
            let name = std::str::from_utf8(name).map_err(|error| {
                let sentence = format!(
                    "the name of a field is not UTF-8: byte {} of {}",
                    error.valid_up_to() + 1,
                    Quoted(&String::from_utf8_lossy(name))
                );
                Refusal::new(DeadReason::Undecodable, sentence)
            })?;
            let value = std::str::from_utf8(value).map_err(|error| {
                let sentence = format!(
                    "field {}: expected UTF-8, but found something else at byte {}",
                    field_name(name),
                    error.valid_up_to() + 1
                );
                Refusal::new(DeadReason::Undecodable, sentence)
            })?;
            match name {
                "type" if message_type.is_none() => message_type = Some(value),
                "data" if data.is_none() => data = Some(value),
                "type" | "data" => return Err(Refusal::field(name, "it once", "it twice")),
                _ if seen.contains(&name) => {
                    return Err(Refusal::field(name, "it once", "it twice"));
                }
                _ => match envelope.take(name, value)? {
                    Taken::Yes => seen.push(name),
                    Taken::No => envelope.extra.push((name.to_owned(), value.to_owned())),
                },
            }
        }
        envelope.drop_unreadable_trace();
        let expected = "a message type such as `maestro.error.reported.v1`";
        let message_type =
            message_type.ok_or_else(|| Refusal::field("type", expected, "no such field"))?;
        let data = data.ok_or_else(|| Refusal::field("data", "a JSON object", "no such field"))?;
        if message_type.is_empty() {
            return Err(Refusal::field("type", expected, "an empty string"));
        }
        Ok(Self {
            envelope,
            message_type,
            data,
        })
    }

    fn decode(self, stream: Option<Stream>) -> Result<Decoded<Message>, Refusal> {
        let known = Type::named(self.message_type)
            .ok_or_else(|| unknown_type(self.message_type, stream))?;
        if let Some(stream) = stream
            && known.stream != stream
        {
            return Err(Refusal::field(
                "type",
                &format!("a message type of `{stream}`"),
                format_args!("`{}`, which belongs on `{}`", known.name, known.stream),
            ));
        }
        let value: Value = serde_json::from_str(self.data).map_err(|error| {
            Refusal::new(
                DeadReason::Undecodable,
                format!("field `data`: expected JSON, but found this: {error}"),
            )
        })?;
        if !value.is_object() {
            let sentence = format!(
                "`data` at `$`: expected an object, but found {}",
                described(&value)
            );
            return Err(Refusal::new(DeadReason::Invalid, sentence));
        }
        if let Some(sentence) = misplaced_array(known, &value) {
            return Err(Refusal::new(DeadReason::Invalid, sentence));
        }
        let payload = (known.read)(&value).map_err(|misfit| {
            Refusal::new(DeadReason::Invalid, misfit_sentence(known, &value, misfit))
        })?;
        let Value::Object(members) = value else {
            unreachable!("it was an object a moment ago")
        };
        Ok(Decoded {
            envelope: self.envelope,
            payload,
            members,
        })
    }
}

fn field_name(name: &str) -> String {
    if name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_graphic()) {
        format!("`{name}`")
    } else {
        Quoted(name).to_string()
    }
}

/// The sentence for a type that is not known: the versions that are, or the types of the stream.
fn unknown_type(found: &str, stream: Option<Stream>) -> Refusal {
    let versions: Vec<&str> = found
        .rsplit_once(".v")
        .map(|(base, _)| base)
        .into_iter()
        .chain([found])
        .flat_map(|base| {
            Type::ALL.iter().filter(move |known| {
                known
                    .name
                    .rsplit_once(".v")
                    .is_some_and(|(name, _)| name == base)
            })
        })
        .map(|known| known.name)
        .collect();
    let sentence = if versions.is_empty() {
        let known = Type::ALL
            .iter()
            .filter(|known| stream.is_none_or(|stream| known.stream == stream));
        let known: Vec<&str> = known.map(|known| known.name).collect();
        format!(
            "field `type`: expected {}, but found {}",
            known.join(" or "),
            Quoted(found)
        )
    } else {
        format!(
            "field `type`: this version is not known; expected {}, but found {}",
            versions.join(" or "),
            Quoted(found)
        )
    };
    Refusal::new(DeadReason::UnknownType, sentence)
}
