//! The published [AsyncAPI 3.0](https://www.asyncapi.com/docs/reference/specification/v3.0.0) document.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::{Map, Value, json};

use crate::message::Type;
use crate::schema::bound_integers;
use crate::stream::Stream;

/// The `AsyncAPI` document: the eight streams as channels, who receives and what is sent on each, the message types,
/// and the `CloudEvents` attributes as their headers.
pub fn asyncapi() -> Value {
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Maestro",
            "version": "1.0.0",
            "description": "One message is one Redis stream entry is one CloudEvent 1.0 in binary content mode: \
                each attribute is a field of the entry, and the payload stands in the field `data` as JSON. \
                Publish with XADD; `type` and `data` are all that is required.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "servers": {
            "redis": {
                "host": "{host}:{port}",
                "protocol": "redis",
                "variables": { "host": { "default": "localhost" }, "port": { "default": "6379" } },
            },
        },
        "channels": Stream::ALL.into_iter().map(|stream| (channel_id(stream), channel(stream))).collect::<Map<_, _>>(),
        "operations": operations(),
        "components": {
            "schemas": component_schemas(),
            "messages": Type::ALL.iter().map(|known| (known.title.to_owned(), message(known))).collect::<Map<_, _>>(),
        },
    })
}

fn channel_id(stream: Stream) -> String {
    stream.name().replace(':', "-")
}

fn channel(stream: Stream) -> Value {
    let description = match stream.group() {
        Some(group) => format!(
            "A Redis stream, read by the consumer group `{group}`. Beside it stands an urgent lane, the stream \
                `{{{stream}}}:urgent` (the braces are part of its name): what is appended there begins before what waits here."
        ),
        None => "A Redis stream for whoever wants to know: the audit trail.".to_owned(),
    };
    let messages: Map<_, _> = Type::on(stream)
        .map(|known| {
            let reference = format!("#/components/messages/{}", known.title);
            (known.title.to_owned(), json!({ "$ref": reference }))
        })
        .collect();
    json!({ "address": stream.name(), "description": description, "messages": messages })
}

fn operations() -> Map<String, Value> {
    let operation = |stream: Stream, action: &str, summary: String| {
        let channel = channel_id(stream);
        let messages: Vec<Value> = Type::on(stream)
            .map(
                |known| json!({ "$ref": format!("#/channels/{channel}/messages/{}", known.title) }),
            )
            .collect();
        let value = json!({
            "action": action,
            "channel": { "$ref": format!("#/channels/{channel}") },
            "summary": summary,
            "messages": messages,
        });
        (format!("{action}-{channel}"), value)
    };
    let sent = Stream::ALL
        .into_iter()
        .map(|stream| operation(stream, "send", format!("Append to `{stream}`.")));
    let received = Stream::ALL.into_iter().filter_map(|stream| {
        let group = stream.group()?;
        Some(operation(
            stream,
            "receive",
            format!("The `{group}` worker reads `{stream}`."),
        ))
    });
    sent.chain(received).collect()
}

fn message(known: &Type) -> Value {
    json!({
        "name": known.name,
        "title": known.title,
        "contentType": "application/json",
        "headers": {
            "allOf": [
                { "$ref": "#/components/schemas/CloudEvent" },
                { "type": "object", "properties": { "type": { "const": known.name } } },
            ],
        },
        "payload": { "$ref": format!("#/components/schemas/{}", known.title) },
        "correlationId": {
            "description": "One value for a whole flow; the `id` of its first message where none is given.",
            "location": "$message.header#/correlationid",
        },
    })
}

/// The payloads' schemas, in the draft that `AsyncAPI` builds on, and that of the attributes.
fn component_schemas() -> Map<String, Value> {
    let mut generator = SchemaSettings::draft07()
        .with(|settings| {
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
        })
        .with_transform(RecursiveTransform(bound_integers))
        .into_generator();
    for known in Type::ALL {
        (known.schema)(&mut generator);
    }
    let mut schemas = generator.take_definitions(true);
    schemas.insert("CloudEvent".to_owned(), cloud_event());
    schemas
}

fn cloud_event() -> Value {
    let text = |description: &str| json!({ "type": "string", "minLength": 1, "maxLength": 4096, "description": description });
    let time = |description: &str| json!({ "type": "string", "format": "date-time", "description": description });
    json!({
        "type": "object",
        "description": "The CloudEvents 1.0 attributes, one field of the stream entry each. Unknown fields are kept and forwarded.",
        "required": ["type"],
        "properties": {
            "type": text("The message type."),
            "specversion": { "const": "1.0", "description": "Always written by the fleet." },
            "id": text("Unique for its source. With it a message is processed once, however often it is published."),
            "source": text("A URI reference of the producer."),
            "subject": text("What the message is about: a test id, an environment id."),
            "time": time("When it was said."),
            "traceparent": { "type": "string", "description": "W3C Trace Context, carried through every hop." },
            "tracestate": { "type": "string", "description": "W3C Trace Context, carried through every hop." },
            "correlationid": text("One value for a whole flow."),
            "causationid": text("The id of the message that this one came from. Written by the fleet."),
            "expirytime": time("A message read after it is not handled, and is dead-lettered as `expired`."),
            "notbefore": time("A message is not handled before it; it takes its place in the order when it is due."),
            "partitionkey": text(
                "Messages of one stream (or of one urgent lane) with the same value are handled one after the other, in the order of \
                    the stream, across all replicas. Those with another value or none go on side by side.",
            ),
        },
    })
}
