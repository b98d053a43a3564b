//! Spans as OTLP writes them in JSON: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>, with the names of
//! <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/>.

use jiff::Timestamp;
use maestro_worker::Span;
use serde_json::{Value, json};

/// `SPAN_KIND_CONSUMER`.
const CONSUMER: u8 = 5;
/// `STATUS_CODE_ERROR`.
const ERROR: u8 = 2;

/// Whose spans they are.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) instance: String,
    pub(super) prefix: String,
    pub(super) version: String,
}

/// The body of a request.
pub(super) fn request(resource: &Resource, spans: &[Span]) -> String {
    let mut attributes = vec![
        text("service.name", "maestro"),
        text("service.instance.id", &resource.instance),
        text("service.version", &resource.version),
    ];
    if !resource.prefix.is_empty() {
        attributes.push(text("service.namespace", &resource.prefix));
    }
    let spans: Vec<Value> = spans.iter().map(span).collect();
    let scope = json!({ "name": "maestro", "version": resource.version });
    let spans = json!([{ "scope": scope, "spans": spans }]);
    let resource = json!({ "attributes": attributes });
    json!({ "resourceSpans": [{ "resource": resource, "scopeSpans": spans }] }).to_string()
}

fn span(span: &Span) -> Value {
    let mut value = json!({
        "traceId": format!("{:032x}", span.context.trace()),
        "spanId": format!("{:016x}", span.context.span()),
        "name": format!("process {}", span.stream),
        "kind": CONSUMER,
        "startTimeUnixNano": nanoseconds(span.began),
        "endTimeUnixNano": nanoseconds(span.ended),
        "attributes": [
            text("messaging.system", "redis"),
            text("messaging.operation.name", "process"),
            text("messaging.operation.type", "process"),
            text("messaging.destination.name", span.stream),
            text("messaging.consumer.group.name", span.worker),
            text("messaging.message.id", &span.id),
            text("messaging.message.conversation_id", &span.correlation),
            text("cloudevents.event_type", &span.kind),
            text("maestro.entry", &span.entry),
            text("maestro.outcome", span.outcome),
            // 64-bit numbers are strings.
            json!({ "key": "maestro.deliveries", "value": { "intValue": span.deliveries.to_string() } }),
        ],
    });
    if let Some(parent) = span.parent {
        value["parentSpanId"] = format!("{:016x}", parent.span()).into();
    }
    if span.outcome != "done" {
        value["status"] = json!({ "code": ERROR, "message": span.detail });
    }
    value
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

fn nanoseconds(time: Timestamp) -> String {
    time.as_nanosecond().max(0).to_string()
}
