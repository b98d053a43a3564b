//! The published JSON Schemas, one for each message type.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::Value;

use crate::message::Type;

/// The JSON Schema (draft 2020-12) of every message type's `data`, by the type's name.
pub fn schemas() -> impl Iterator<Item = (&'static str, Value)> {
    Type::ALL.iter().map(|known| (known.name, schema_of(known)))
}

fn schema_of(known: &Type) -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with_transform(RecursiveTransform(bound_integers))
        .into_generator();
    let reference = (known.schema)(&mut generator);
    let mut definitions = generator.take_definitions(true);
    // The type itself stands at the root, what it is made of below it.
    let mut root = reference
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| reference.rsplit('/').next())
        .and_then(|name| definitions.remove(name))
        .unwrap_or_else(|| reference.to_value());
    if let Value::Object(root) = &mut root {
        root.insert(
            "$schema".into(),
            "https://json-schema.org/draft/2020-12/schema".into(),
        );
        root.insert("title".into(), known.name.into());
        if !definitions.is_empty() {
            root.insert("$defs".into(), Value::Object(definitions));
        }
    }
    root
}

/// Says as a maximum what `format` says only to readers that know `uint32`.
pub(crate) fn bound_integers(schema: &mut Schema) {
    let maximum = match schema.get("format").and_then(Value::as_str) {
        Some("uint32") => i64::from(u32::MAX),
        Some("int32") => i64::from(i32::MAX),
        _ => return,
    };
    if schema.get("maximum").is_none() {
        schema.insert("maximum".to_owned(), maximum.into());
    }
    if schema.get("minimum").is_none() {
        let minimum = if maximum == i64::from(u32::MAX) {
            0
        } else {
            i64::from(i32::MIN)
        };
        schema.insert("minimum".to_owned(), minimum.into());
    }
}
