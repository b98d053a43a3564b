//! The published JSON Schemas, one for each message type.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::message::Type;

/// The JSON Schema (draft 2020-12) of every message type's `data`, by the type's name.
pub fn schemas() -> impl Iterator<Item = (&'static str, Value)> {
    Type::ALL.iter().map(|known| (known.name, schema_of(known)))
}

fn schema_of(known: &Type) -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
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
