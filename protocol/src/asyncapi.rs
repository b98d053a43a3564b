//! The published `AsyncAPI` document.
use serde_json::Value;
/// The document.
pub fn asyncapi() -> Value {
    Value::Null
}
